import Foundation
import Postgres
import Synchronization
import TestSupport
import Testing

/// While others write, a backup is what `pg_dump` gives for the same snapshot.
@Suite struct BackupConsistencyTests {
  @Test func `a backup under load equals pg_dump of the same snapshot, row by row and in the same order`()
    async throws
  {
    try await withBackupProject { project, database in
      try await database.execute(
        """
        create table account (id integer primary key, balance bigint not null, filler text not null);
        insert into account select i, 1000, repeat(md5(i::text), 12) from generate_series(1, 150000) i;
        create table journal (id bigint generated always as identity, source integer, target integer, amount integer);
        create table touched (id integer primary key, t text);
        insert into touched select i, 'x' from generate_series(1, 1000) i
        """)
      let writers = Writers(database, count: 3)
      let running = Task { try await writers.run() }
      let run = try ToolRun.start(
        ["backup", "--jobs", "2", "--json"], environment: project.environment(),
        directory: project.directory.path)
      try await waitUntil { run.standardOutput.contains("\"event\":\"snapshot\"") || !run.isRunning }
      let snapshot = try #require(Self.snapshot(in: run.standardOutput))
      let dump = try ToolRun(
        executable: database.cluster.executable("pg_dump"),
        ["--format=directory", "--snapshot=\(snapshot)", "--file=\(project.directory.path("dump"))"],
        environment: database.settings.toolEnvironment)
      let result = try await run.finish()
      let dumped = try await dump.finish()
      writers.stop()
      try await running.value
      #expect(result.exitStatus == 0, "\(result)")
      #expect(dumped.exitStatus == 0, "\(dumped)")
      #expect(writers.transactions > 50, "\(writers.transactions) transactions while it ran")
      let ours = try await Self.copyBlocks(
        project.backupPath(try #require(project.backups().first)), database)
      let theirs = try await Self.copyBlocks(project.directory.path("dump"), database)
      #expect(Set(ours.keys) == Set(theirs.keys) && ours.count == 3)
      for (name, rows) in theirs { #expect(ours[name] == rows, "the rows of \(name) differ") }
      let balances = try #require(ours.first { $0.key.contains("account") }).value
        .compactMap { Int($0.split(separator: "\t")[1]) }
      #expect(balances.count == 150_000 && balances.reduce(0, +) == 150_000_000)
    }
  }

  private static func snapshot(in output: String) -> String? {
    for line in output.split(separator: "\n") {
      let document = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
      if document?["event"] as? String == "snapshot" { return document?["snapshot"] as? String }
    }
    return nil
  }

  /// The rows of each table as `pg_restore` gives them, by COPY statement.
  private static func copyBlocks(_ archive: String, _ database: TestDatabase) async throws -> [String:
    [Substring]]
  {
    let run = try ToolRun(
      executable: database.cluster.executable("pg_restore"), ["--data-only", "--file=-", archive],
      environment: [:])
    let result = try await run.finish()
    #expect(result.exitStatus == 0, "\(result.standardError)")
    var blocks: [String: [Substring]] = [:]
    var name: String?
    for line in result.standardOutput.split(separator: "\n", omittingEmptySubsequences: false) {
      if let open = name {
        if line == "\\." { name = nil } else { blocks[open, default: []].append(line) }
      } else if line.hasPrefix("COPY ") {
        name = String(line)
        blocks[String(line)] = []
      }
    }
    return blocks
  }
}

/// Sessions that move money about, so that the sum never changes, insert, update and delete.
private final class Writers: Sendable {
  private let sessions: [Session]
  private let state = Counter()

  init(_ database: TestDatabase, count: Int) {
    sessions = (0..<count).map { _ in database.connect() }
  }

  var transactions: Int { state.count }

  func stop() { state.stop() }

  func run() async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for (index, session) in sessions.enumerated() {
        group.addTask { [state] in
          var generator = SeededGenerator(seed: UInt64(index + 1))
          while !state.isStopped {
            let source = Int.random(in: 1...150_000, using: &generator)
            let target = Int.random(in: 1...150_000, using: &generator)
            let (low, high) = (min(source, target), max(source, target))
            guard low != high else { continue }
            try await session.run { connection in
              _ = try connection.execute(
                """
                begin;
                update account set balance = balance + case when id = \(source) then -5 else 5 end
                  where id in (select id from account where id in (\(low), \(high)) order by id for update);
                insert into journal (source, target, amount) values (\(source), \(target), 5);
                update touched set t = t || 'y' where id = 1 + \(source) % 1000;
                delete from journal where id % 7 = 3 and id < (select max(id) - 100 from journal);
                commit
                """)
            }
            state.add()
          }
          await session.close()
        }
      }
      try await group.waitForAll()
    }
  }
}

private final class Counter: Sendable {
  private struct State {
    var count = 0
    var isStopped = false
  }

  private let state = Mutex(State())

  var count: Int { state.withLock { $0.count } }
  var isStopped: Bool { state.withLock { $0.isStopped } }
  func add() { state.withLock { $0.count += 1 } }
  func stop() { state.withLock { $0.isStopped = true } }
}
