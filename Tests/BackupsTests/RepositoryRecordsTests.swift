import Backups
import Postgres
import TestSupport
import Testing
import Timekeeping

@Suite(.database) struct RepositoryRecordsTests {
  private let place = BackupRecords.Place(host: "h", path: "/srv/backups")

  private func entry(_ test: TestRepository, _ database: TestDatabase) throws -> BackupEntry {
    try test.repository.resolve(
      try SampleBackup.write(to: test.repository, database: database.name, label: "l'abel"))
  }

  private func record(_ entry: BackupEntry, _ session: Session, schema: String = "tsdb") async throws
    -> BackupRecords.Outcome
  {
    let place = place
    return try await session.run { BackupRecords(schema: schema).record(entry, at: place, on: $0) }
  }

  @Test func `a backup is recorded once, with what is proven of it since`() async throws {
    let database = try #require(TestDatabase.current)
    try await database.execute("create schema tsdb")
    let test = try TestRepository()
    var entry = try entry(test, database)
    #expect(try await record(entry, database.connect()) == .recorded)
    let digest = try #require(entry.manifestSHA256)
    let proof = Proof(
      kind: .proven, time: try #require(UTCTime("2026-11-25T00:00:00Z")), durationMilliseconds: 1234,
      manifestSHA256: digest, tool: "t")
    try ProofLog.append(proof, in: try test.repository.open(entry.id).directory)
    entry = try test.repository.resolve(entry.id)
    for _ in 0..<2 { #expect(try await record(entry, database.connect()) == .recorded) }
    let rows = try await database.rows(
      """
      select id, database, label, state, row_count::text, repository_host, repository_path, restore_ms::text,
        (proven_at = '2026-11-25T00:00:00Z')::text, (verified_at is null)::text from tsdb.backups
      """)
    #expect(
      rows == [
        [entry.id, database.name, "l'abel", "proven", "602", "h", "/srv/backups", "1234", "true", "true"]
      ])
    let id = entry.id
    let outcome = try await database.connect().run {
      BackupRecords(schema: "tsdb").recordRemoval(ids: [id, "other"], on: $0)
    }
    #expect(outcome == .recorded)
    #expect(try await database.value("select state from tsdb.backups") == "removed")
  }

  @Test func `without schema, privilege or the right database nothing is recorded, and nothing fails`()
    async throws
  {
    let database = try #require(TestDatabase.current)
    let test = try TestRepository()
    let entry = try entry(test, database)
    #expect(
      try await record(entry, database.connect())
        == .skipped("there is no schema \"tsdb\"; \"tsdb migrate up\" makes it"))
    try await database.execute("create schema \"odd \"\"name\"")
    #expect(try await record(entry, database.connect(), schema: "odd \"name") == .recorded)
    try await database.execute(
      "create schema tsdb; create role \(database.name)_r login; grant usage on schema tsdb to \(database.name)_r"
    )
    let role = database.connect(user: database.name + "_r")
    #expect(try await record(entry, role) == .skipped("permission denied for schema tsdb"))
    await role.close()
    try await database.execute("alter database \(database.name) set default_transaction_read_only = on")
    guard case .skipped(let reason) = try await record(entry, database.connect()) else {
      Issue.record("recorded in a read-only database")
      return
    }
    #expect(reason.contains("read-only transaction"))
    try await database.execute("alter database \(database.name) reset default_transaction_read_only")
    let other = try test.repository.resolve(
      try SampleBackup.write(to: test.repository, database: "elsewhere"))
    #expect(try await record(other, database.connect()) == .otherDatabase)
    #expect(try await database.value("select to_regclass('tsdb.backups') is null") == "t")
    try await database.execute("drop owned by \(database.name)_r; drop role \(database.name)_r")
  }

  @Test func `many that record at once do not fail`() async throws {
    let database = try #require(TestDatabase.current)
    try await database.execute("create schema tsdb")
    let entry = try entry(try TestRepository(), database)
    let outcomes = await withTaskGroup(of: BackupRecords.Outcome?.self) { group in
      for _ in 0..<8 { group.addTask { try? await record(entry, database.connect()) } }
      return await group.reduce(into: []) { $0.append($1) }
    }
    #expect(outcomes.allSatisfy { $0 == .recorded })
    #expect(try await database.value("select count(*) from tsdb.backups") == "1")
  }
}
