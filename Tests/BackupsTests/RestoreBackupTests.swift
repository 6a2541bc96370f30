import Archive
import Foundation
import Postgres
import SystemPackage
import TestSupport
import Testing

@testable import Backups

/// Our own backups, restored by us.
@Suite struct `a restored backup` {
  @Test(arguments: [BackupFixture.Kind.everything, .latin1])
  func `is the database that was backed up`(kind: BackupFixture.Kind) async throws {
    try await withBackupFixture(kind) { database in
      let directory = try TemporaryDirectory()
      let backup = try await database.backUp(directory)
      let name = database.name("copy")
      let report = try await database.restore(backup, into: name)
      #expect(report.checked == "content")
      #expect(report.stateOf != nil)
      let differences = try await RoundTripComparison.differences(
        database.settings, database.cluster.settings(database: name), binaries: database.cluster.binaries,
        options: .database)
      #expect(differences.map(\.description) == [])
      try await database.dropDatabase(name)
    }
  }

  @Test(.database) func `of a large table is loaded in pieces by several connections`() async throws {
    let database = try #require(TestDatabase.current)
    try await database.execute(
      """
      create table large (id integer primary key, filler text);
      insert into large select n, repeat(md5(n::text), 30) from generate_series(1, 90000) n;
      create table small (id integer); insert into small values (1);
      """)
    let directory = try TemporaryDirectory()
    let backup = try await database.backUp(directory)
    let source = try RestoreSource(opening: backup)
    let pieces = try #require(source.manifest?.tables.first { $0.name == "large" }?.pieces.count)
    #expect(pieces > 2)
    let name = database.name("copy")
    let report = try await database.restore(backup, into: name)
    #expect(report.rows == 90_001)
    let sums = "select count(*), sum(hashtextextended(filler, id)) from large"
    let copy = try await database.cluster.connect(database: name).run { try $0.query(sums).rows() }
    let original = try await database.rows(sums)
    #expect(copy == original)
    try await database.dropDatabase(name)
  }

  @Test(.database) func `that is damaged is refused before a server is asked`() async throws {
    let database = try #require(TestDatabase.current)
    try await database.execute("create table t as select n from generate_series(1, 5000) n")
    let directory = try TemporaryDirectory()
    let backup = try await database.backUp(directory)
    let files = try FileManager.default.contentsOfDirectory(atPath: backup.string).filter { $0 != ".lock" }
    #expect(files.contains("manifest.json"))
    for file in files where file != "config" && file != "proofs.jsonl" {
      let url = URL(fileURLWithPath: backup.string + "/" + file)
      let data = try Data(contentsOf: url)
      var changed = data
      changed[data.count / 2] ^= 1
      try changed.write(to: url)
      do {
        // Nothing listens there.
        let settings = try ConnectionSettings(parsing: "postgresql://nobody@127.0.0.1:1/none")
        _ = try await RestoreRun(
          source: try RestoreSource(opening: backup), settings: settings,
          options: RestoreOptions(target: .new("x"), jobs: 2, historySchema: "tsdb")
        ) { _ in }.run()
        Issue.record("\(file) was not missed")
      } catch let error as BackupError {
        #expect(!error.message.contains("connect"), "\(file): \(error)")
      }
      try data.write(to: url)
    }
  }

  @Test(.database) func `whose rows change on the way is not counted as restored`() async throws {
    let database = try #require(TestDatabase.current)
    try await database.execute("create table t (body text); insert into t values ('quiet')")
    let directory = try TemporaryDirectory()
    let backup = try await database.backUp(directory)
    let source = try RestoreSource(opening: backup)
    let plan = try RestorePlan(source.toc, manifest: source.manifest, selection: RestoreSelection())
    let script = try RestoreScript(source.toc)
    try await withDatabase { other in
      try await other.execute("create table public.t (body text)")
      let session = other.connect()
      let work = RestoreWork(
        source: source, plan: plan, script: script, clock: RestoreClock()
      ) { _ in }
      try await session.run { try RestoreSettings.apply(script, isOurs: true, on: $0) }
      try await work.loadWhole(0, on: session)
      let options = RestoreOptions(
        target: .new(""), selection: RestoreSelection(contents: .data), jobs: 1, historySchema: "tsdb")
      let check = ContentCheck(work: work, pool: RestorePool(sessions: [session]), options: options)
      try await check.run(database: other.settings)
      for change in ["update t set body = 'Quiet'", "insert into t values ('more')", "delete from t"] {
        try await other.execute(change)
        await #expect(throws: BackupError.self) { try await check.run(database: other.settings) }
      }
      await session.close()
    }
  }
}
