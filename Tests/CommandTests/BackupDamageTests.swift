import Archive
import Backups
import Foundation
import Postgres
import Synchronization
import SystemPackage
import TestSupport
import Testing

/// Backups of one small database, taken once for all tests here.
private struct DamageFixture: Sendable {
  let backups: [String: BackupFiles]
  let binaries: String
  private let project: TestProject

  static let shared = Task { try await DamageFixture() }

  static func files(_ compression: String) async throws -> BackupFiles {
    try #require(try await shared.value.backups[compression])
  }

  private init() async throws {
    (backups, binaries, project) = try await withBackupProject { project, database in
      try await database.execute(Self.schema)
      var backups: [String: BackupFiles] = [:]
      for compression in ["isal:2", "none"] {
        let known = project.backups()
        try await project.done("backup --jobs 2 --compress \(compression)")
        let name = try #require(project.backups().first { !known.contains($0) })
        backups[compression] = try BackupFiles(path: project.backupPath(name))
      }
      return (backups, database.cluster.binaries, project)
    }
  }

  /// Tables are cut into pieces by their pages; columns that were dropped leave many of them.
  private static let schema = """
    create table public.orders (id integer primary key, note text, filler text);
    alter table public.orders alter filler set storage plain;
    insert into public.orders select n, md5(n::text) || repeat(' x', n % 20), repeat('y', 7800)
      from generate_series(1, 12500) n;
    alter table public.orders drop column filler;
    create unlogged table public.events (at timestamptz, what text, filler text);
    alter table public.events alter filler set storage plain;
    insert into public.events select timestamptz '2026-01-01' + n * interval '1 min', 'event ' || n, repeat('z', 7800)
      from generate_series(1, 8500) n;
    alter table public.events drop column filler;
    create table public.people (id bigint generated always as identity primary key, name text not null unique);
    insert into public.people (name) select 'Zoë ' || n from generate_series(1, 300) n;
    create table public.nobody (id integer references public.people (id));
    create table public.one (what text); insert into public.one values ('row');
    create sequence public.counter start 7; select nextval('public.counter');
    create view public.names as select name from public.people;
    create index on public.events (at);
    select lo_from_bytea(700001, 'small'), lo_from_bytea(700002, ''),
      lo_from_bytea(700003, (select string_agg(sha256(n::text::bytea), '') from generate_series(1, 2000) n));
    """
}

@Suite(.seeded) struct `A damaged backup` {
  private static let isFull = FaultCount.isFull

  @Test(arguments: ["isal:2", "none"])
  func `is whole before it is damaged, and has all that can be`(compression: String) async throws {
    let files = try await DamageFixture.files(compression)
    #expect(files.manifest.tables.count == 5 && files.manifest.tables.count { $0.pieces.count > 1 } == 2)
    #expect(files.manifest.tables.contains { $0.rows == 0 } && files.manifest.largeObjects?.count == 3)
    #expect(
      files.names.contains { $0.hasPrefix("config/") } && files.names.contains { $0.hasPrefix("blobs") })
    let copy = try DamagedCopy(files)
    #expect(try await findings(copy.path).isEmpty)
    // The restores below would say that they reached no server if they had tried to.
    let refusals = [await refusal(copy.path, dataOnly: false), await refusal(copy.path, dataOnly: true)]
    #expect(refusals.allSatisfy { $0?.kind == .tryAgain }, "\(refusals)")
  }

  @Test(arguments: ["isal:2", "none"])
  func `is found by verify, and refused by restore before a server is asked`(compression: String) async throws
  {
    let files = try await DamageFixture.files(compression)
    let sampler = DamageSampler(files, SeededGenerator())
    let count = Self.isFull ? max(1800, FaultCount.perScenario) : 200
    let harmless = Mutex(0)
    try await inCopies(of: files, sampler, count) { damage, number, path in
      let paths = Set(try await findings(path).map(\.path))
      #expect(damage.found.isSubset(of: paths), "\(compression): \(damage.name) is not found: \(paths)")
      #expect(damage.found.isEmpty == paths.isEmpty, "\(compression): \(damage.name): \(paths)")
      if damage.isForged {
        try await expectRefusedOnServer(path, damage, "\(compression)_\(number)")
        return
      }
      let refusal = await refusal(path, dataOnly: number % 4 == 0)
      if damage.found.isEmpty {
        harmless.withLock { $0 += 1 }
        #expect(refusal?.kind == .tryAgain, "\(compression): \(damage.name): \(String(describing: refusal))")
      } else {
        #expect(
          refusal != nil && refusal?.kind != .tryAgain && refusal?.kind != .interrupted,
          "\(compression): \(damage.name) is restored: \(String(describing: refusal))")
      }
    }
    let passed = harmless.withLock { $0 }
    print("damages \(compression): \(count - passed) found and refused, \(passed) harmless ones passed")
  }

  @Test(arguments: ["isal:2", "none"])
  func `makes plain pg_restore fail wherever that is in our hands`(compression: String) async throws {
    let files = try await DamageFixture.files(compression)
    let programs = try await RestoreProgram.all(beside: DamageFixture.shared.value.binaries)
    let kinds = DamageSampler.Kind.allCases.filter { $0 != .hardLink && $0 != .flipAndSeal }
    let sampler = DamageSampler(files, SeededGenerator(), kinds: kinds)
    // Without compression there is little that it could notice.
    let count = (Self.isFull ? 600 : 45) / (compression == "none" ? 3 : 1)
    let tally = Mutex<[String: Int]>([:])
    try await inCopies(of: files, sampler, count) { damage, _, path in
      for program in programs {
        let outcome = try await program.outcome(damage, path, files)
        if outcome == .unnoticed {
          Issue.record("pg_restore \(program.version) did not notice: \(compression) \(damage.name)")
        }
        tally.withLock { $0[outcome.text, default: 0] += 1 }
      }
    }
    for (text, count) in tally.withLock({ $0 }).sorted(by: { $0.key < $1.key }) {
      print("pg_restore \(programs.map(\.version)) \(compression): \(count) \(text)")
    }
  }

  @Test func `is named by the commands`() async throws {
    let files = try await DamageFixture.files("isal:2")
    let table = try #require(files.manifest.tables.first { $0.pieces.count > 1 }).file
    for (name, problem) in [(table, "SHA-256 differs"), ("manifest.json", "no such file")] {
      let project = try TestProject(nil)
      for (file, bytes) in files.bytes {
        var bytes = bytes
        if file == name { bytes[bytes.count / 2] ^= 4 }
        if file == name, name == "manifest.json" { continue }
        try project.directory.write("backups/\(files.id)/\(file)", bytes: bytes)
      }
      let verified = try await project.tsdb("backup verify \(files.id)")
      #expect(verified.exitStatus == 2, "\(verified)")
      #expect(verified.standardOutput.contains("\(name): "), "\(verified)")
      #expect(verified.standardOutput.contains(problem), "\(verified)")
      let nowhere = ["DATABASE_URL": "postgresql://nobody@%2Fnonexistent/live"]
      try await project.tsdb("restore \(project.backupPath(files.id)) --into restored", environment: nowhere)
        .expect(1, "the backup \"\(files.id)\" is damaged", name, "No server was touched.")
    }
  }

  /// zlib passes a file without gzip's magic through, so this damage alone only shows in the server; there
  /// even a single column of text cannot take it, for the header has bytes that are zero.
  @Test(arguments: ["people", "one"])
  func `in the magic of a data file makes pg_restore fail when it loads it`(name: String) async throws {
    let files = try await DamageFixture.files("isal:2")
    let table = try #require(files.manifest.tables.first { $0.name == name })
    let bytes = try #require(files.bytes[table.file])
    let copy = try DamagedCopy(files)
    try await withDatabase { database in
      try await database.execute(
        "create table public.people (id bigint, name text); create table public.one (what text)")
      for bit in stride(from: 0, to: 16, by: Self.isFull ? 1 : 5) {
        var damaged = bytes
        damaged[bit / 8] ^= 1 << UInt8(bit % 8)
        let damage = BackupDamage(
          name: "magic", changes: [table.file: .bytes(damaged)], found: [], notice: .cannot(""))
        let result = try await copy.with(damage) { path in
          try await ToolRun(
            executable: database.cluster.executable("pg_restore"),
            ["--data-only", "--table", name, "-d", database.name, path],
            environment: database.settings.toolEnvironment
          ).finish()
        }
        #expect(result.exitStatus == 1 && result.standardError.contains("COPY failed"), "\(bit): \(result)")
        #expect(try await database.value("select count(*) from public.\(name)") == "0")
      }
    }
  }

  // MARK: - Doing

  private func findings(_ path: String) async throws -> [VerificationFinding] {
    try await BackupVerification(HeldBackup.open(FilePath(path)), jobs: 2).run().findings
  }

  /// What restoring on a server that does not exist ends with.
  private func refusal(_ path: String, dataOnly: Bool) async -> BackupError? {
    let settings = ConnectionSettings(parameters: [
      "host": "/nonexistent", "user": "nobody", "dbname": "live",
    ])
    let options = RestoreOptions(target: .new("restored"), jobs: 2, historySchema: "tsdb")
    do {
      let source = try RestoreSource(opening: FilePath(path))
      if dataOnly {
        _ = try await RestoreDataRun(
          source: source, settings: settings, options: options, acceptsRows: false, report: { _ in }
        ).run()
      } else {
        _ = try await RestoreRun(source: source, settings: settings, options: options, report: { _ in }).run()
      }
      return nil
    } catch {
      return error as? BackupError
    }
  }

  /// Digests agree with a manifest that was made to fit, so rows and checksums have to tell while they are loaded.
  private func expectRefusedOnServer(_ path: String, _ damage: BackupDamage, _ name: String) async throws {
    let cluster = try await PostgresCluster.shared
    let database = "forged_\(getpid())_\(name.filter { $0.isLetter || $0.isNumber || $0 == "_" })"
    let options = RestoreOptions(target: .new(database), jobs: 2, historySchema: "tsdb")
    do {
      let source = try RestoreSource(opening: FilePath(path))
      let run = RestoreRun(
        source: source, settings: cluster.settings(database: "postgres"), options: options, report: { _ in })
      _ = try await run.run()
      Issue.record("\(damage.name) is restored")
      try await cluster.connect().run { _ = try $0.execute("drop database \(database)") }
    } catch let error as BackupError {
      #expect(error.kind == .failed, "\(damage.name): \(error)")
    }
    let left = try await cluster.connect().run {
      try $0.query("select from pg_database where datname = $1", [database]).rowCount
    }
    #expect(left == 0, "\(damage.name) leaves a database")
  }

  /// Runs `body` for `count` damages, each in one of a few copies.
  private func inCopies(
    of files: BackupFiles, _ sampler: DamageSampler, _ count: Int,
    _ body: @escaping @Sendable (BackupDamage, Int, String) async throws -> Void
  ) async throws {
    let copies = try (0..<max(2, ProcessInfo.processInfo.activeProcessorCount)).map { _ in
      try DamagedCopy(files)
    }
    var sampler = sampler
    var done = 0
    while done < count {
      // A damage holds whole files, so only some are made at a time.
      let (first, damages) = (done, sampler.next(min(100, count - done)))
      try await withThrowingTaskGroup(of: Void.self) { group in
        for (index, copy) in copies.enumerated() {
          group.addTask {
            for number in stride(from: index, to: damages.count, by: copies.count) {
              try await copy.with(damages[number]) { try await body(damages[number], first + number, $0) }
            }
          }
        }
        try await group.waitForAll()
      }
      done += damages.count
    }
  }
}
