import Foundation
import Postgres
import Synchronization
import TestSupport
import Testing

@testable import Backups

/// Two databases on a server, one of which takes the other's name.
struct SwapFixture: Sendable {
  let live: TestDatabase
  let new: TestDatabase
  let cluster: PostgresCluster

  static func with<Result: Sendable>(
    on cluster: PostgresCluster, _ body: (SwapFixture) async throws -> Result
  ) async throws -> Result {
    try await withDatabase(on: cluster) { live in
      try await withDatabase(on: cluster) { new in
        let fixture = SwapFixture(live: live, new: new, cluster: cluster)
        for (database, content) in [(live.name, "old"), (new.name, "new")] {
          try await fixture.execute(
            "create table marker as select '\(content)'::text as content", in: database)
        }
        do {
          let result = try await body(fixture)
          try await fixture.dropKept()
          return result
        } catch {
          try await fixture.dropKept()
          throw error
        }
      }
    }
  }

  func execute(_ sql: String, in database: String = "postgres", user: String = "postgres") async throws {
    let session = cluster.connect(database: database, user: user)
    _ = try await session.run { _ = try $0.execute(sql) }
    await session.close()
  }

  func content(of database: String? = nil) async throws -> String {
    try await cluster.value("select content from marker", database: database ?? live.name)
  }

  func swap(
    grace: Duration = .milliseconds(300), user: String = "postgres",
    report: @escaping @Sendable (SwapEvent) -> Void = { _ in }
  ) async throws -> SwapResult {
    let control = cluster.connect(user: user)
    let second = cluster.connect(user: user)
    return try await DatabaseSwap(live: live.name, new: new.name, backupID: "b7", grace: grace)
      .run(on: control, beside: second, report: report)
  }

  func expectRefused(
    _ kind: BackupError.Kind, _ texts: String..., user: String = "postgres",
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    let error = await #expect(throws: BackupError.self, sourceLocation: sourceLocation) {
      try await swap(user: user)
    }
    #expect(error?.kind == kind, sourceLocation: sourceLocation)
    let text = "\(error?.message ?? "") \(error?.detail ?? "") \(error?.hint ?? "")"
    for expected in texts {
      #expect(text.contains(expected), "no \"\(expected)\" in: \(text)", sourceLocation: sourceLocation)
    }
    #expect(try await content() == "old", sourceLocation: sourceLocation)
    #expect(try await content(of: new.name) == "new", sourceLocation: sourceLocation)
  }

  private func dropKept() async throws {
    try await cluster.connect().run { [live] connection in
      let names = try connection.query(
        "select datname from pg_database where datname like '\(live.name)\\_%'")
      for row in 0..<names.rowCount {
        try connection.execute("drop database \(Quoting.identifier(names.text(row, 0))) with (force)")
      }
    }
  }
}

@Suite struct `A swap of two databases` {
  private static let cluster = Task {
    try await PostgresCluster.create(
      .init(configuration: ["wal_level = logical", "max_prepared_transactions = 5"]))
  }

  @Test func `gives the new one the name, and keeps the old one with a mark`() async throws {
    try await SwapFixture.with(on: try await Self.cluster.value) { fixture in
      try await fixture.execute("comment on database \(fixture.live.name) is 'it''s \"live\"'")
      let result = try await fixture.swap()
      #expect(result.live == fixture.live.name)
      #expect(result.kept.hasPrefix(fixture.live.name + "_before_restore_20"))
      #expect(try await fixture.content() == "new")
      #expect(try await fixture.content(of: result.kept) == "old")
      let name = fixture.live.name
      let kept = try await fixture.cluster.connect().run { try KeptDatabase.all(of: name, on: $0) }
      #expect(kept.map(\.name) == [result.kept])
      #expect(kept.first?.mark.comment == "it's \"live\"")
      #expect(kept.first?.mark.backup == "b7")
      #expect(kept.first?.mark.replacedBy == fixture.new.name)
      #expect(kept.first.map { $0.secondsAgo < 60 } == true)
      let comment = try await fixture.cluster.value(
        "select shobj_description(oid, 'pg_database') from pg_database where datname = '\(name)'")
      #expect(comment == "it's \"live\"")
    }
  }

  @Test func `ends idle sessions at once and gives transactions their grace`() async throws {
    try await SwapFixture.with(on: try await Self.cluster.value) { fixture in
      let idle = fixture.live.connect()
      let quick = fixture.live.connect()
      let slow = fixture.live.connect()
      try await idle.run { _ = try $0.execute("select 1") }
      try await slow.run { _ = try $0.execute("begin; select 1") }
      // Commits within the grace period and is then idle.
      let work = Task {
        try await quick.run { connection in
          _ = try connection.execute("begin; update marker set content = 'old'; select pg_sleep(0.5); commit")
        }
      }
      try await waitForSessions(3, of: fixture)
      let result = try await fixture.swap(grace: .seconds(2))
      try await work.value
      #expect(result.sessionsEnded.count == 3)
      #expect(Set(result.sessionsEnded.map(\.state)) == ["idle", "idle in transaction"])
      #expect(result.cutoffMilliseconds >= 2000)
      for session in [idle, quick, slow] {
        let error = await #expect(throws: PostgresError.self) {
          try await session.run { _ = try $0.execute("select 1") }
        }
        // What is sent while the backend is on its way out may take its last words from us.
        #expect(error?.sqlState == "57P01" || error?.origin == .connectionLost)
      }
      #expect(try await fixture.content() == "new")
    }
  }

  private func waitForSessions(_ count: Int, of fixture: SwapFixture) async throws {
    let sql = "select count(*) from pg_stat_activity where datname = '\(fixture.live.name)'"
    let deadline = ContinuousClock.now + .seconds(10)
    while try await fixture.cluster.value(sql) != "\(count)" {
      guard ContinuousClock.now < deadline else { throw TestSupportError("the sessions did not come") }
      try await Task.sleep(for: .milliseconds(10))
    }
  }

  @Test func `holds new sessions back, which then have to connect once more`() async throws {
    try await SwapFixture.with(on: try await Self.cluster.value) { fixture in
      let open = fixture.live.connect()
      try await open.run { _ = try $0.execute("begin; select 1") }
      let swap = Task { try await fixture.swap(grace: .seconds(1)) }
      let locked =
        "select exists (select from pg_locks where mode = 'AccessExclusiveLock' and objid = "
        + "(select oid from pg_database where datname = '\(fixture.live.name)') and granted)"
      while try await fixture.cluster.value(locked) != "t" { try await Task.sleep(for: .milliseconds(5)) }
      let error = await #expect(throws: PostgresError.self) { try await fixture.content() }
      #expect(error?.sqlState == "3D000")
      #expect(error?.message.contains("It seems to have just been dropped or renamed") == true)
      #expect(try await fixture.content() == "new")
      #expect(try await swap.value.sessionsEnded.count == 1)
    }
  }

  @Test func `leaves everything as it was when it is cancelled`() async throws {
    try await SwapFixture.with(on: try await Self.cluster.value) { fixture in
      let open = fixture.live.connect()
      try await open.run { _ = try $0.execute("begin; select 1") }
      let swap = Task { try await fixture.swap(grace: .seconds(4)) }
      let waits =
        "select exists (select from pg_locks where mode = 'AccessExclusiveLock' and objid = "
        + "(select oid from pg_database where datname = '\(fixture.live.name)') and granted)"
      while try await fixture.cluster.value(waits) != "t" { try await Task.sleep(for: .milliseconds(5)) }
      swap.cancel()
      let error = await #expect(throws: BackupError.self) { try await swap.value }
      #expect(error?.kind == .interrupted)
      #expect(try await fixture.content() == "old")
      // The session that was in the way was not ended.
      try await open.run { _ = try $0.execute("commit") }
    }
  }

  @Test func `is refused for what is bound to a database`() async throws {
    try await SwapFixture.with(on: try await Self.cluster.value) { fixture in
      let name = fixture.live.name
      try await fixture.execute("begin; select txid_current(); prepare transaction 'two''phase'", in: name)
      try await fixture.expectRefused(
        .failed, "The prepared transaction \"two'phase\" is open in \"\(name)\".",
        "rollback prepared 'two''phase'")
      try await fixture.execute("rollback prepared 'two''phase'", in: name)

      try await fixture.execute(
        "select pg_create_logical_replication_slot('s_\(name)', 'pgoutput')", in: name)
      try await fixture.expectRefused(
        .failed, "The replication slot \"s_\(name)\" reads", "pg_drop_replication_slot")
      try await fixture.execute("select pg_drop_replication_slot('s_\(name)')")

      try await fixture.execute(
        """
        create subscription sub_\(name) connection 'host=/nonexistent dbname=x' publication p
        with (connect = false, slot_name = 'x', enabled = false, create_slot = false)
        """, in: name)
      try await fixture.execute("alter subscription sub_\(name) enable", in: name)
      try await fixture.expectRefused(.failed, "The subscription \"sub_\(name)\" writes into", "disable")
      try await fixture.execute(
        "alter subscription sub_\(name) disable; alter subscription sub_\(name) set (slot_name = none)",
        in: name)
      try await fixture.execute("drop subscription sub_\(name)", in: name)
      _ = try await fixture.swap()
      #expect(try await fixture.content() == "new")
    }
  }

  @Test func `says which privilege is missing`() async throws {
    try await SwapFixture.with(on: try await Self.cluster.value) { fixture in
      let (live, new) = (fixture.live.name, fixture.new.name)
      let (user, owner, other) = ("u_\(live)", "o_\(live)", "x_\(live)")
      try await fixture.execute(
        "create role \(user) login; create role \(owner); create role \(other) login; alter database \(live) owner to \(owner)"
      )
      try await fixture.expectRefused(
        .failed, "alter role \"\(user)\" createdb", "grant \"\(owner)\" to \"\(user)\"",
        "grant \"postgres\" to \"\(user)\"", user: user)
      try await fixture.execute(
        "alter role \(user) createdb; grant \(owner) to \(user); alter database \(new) owner to \(user)")
      let strange = fixture.live.connect(user: other)
      try await strange.run { _ = try $0.execute("select 1") }
      try await fixture.expectRefused(.failed, "grant pg_signal_backend to \"\(user)\"", user: user)
      try await fixture.execute("grant pg_signal_backend to \(user)")
      let superuser = fixture.live.connect()
      try await superuser.run { _ = try $0.execute("select 1") }
      try await fixture.expectRefused(
        .failed, "end the sessions of superusers, or connect as one", user: user)
      await superuser.close()
      try await Task.sleep(for: .milliseconds(200))
      let result = try await fixture.swap(user: user)
      #expect(result.sessionsEnded.map(\.role) == [other])
      #expect(try await fixture.content() == "new")
      let owned = try await fixture.cluster.value(
        "select pg_get_userbyid(datdba) from pg_database where datname = '\(live)'")
      #expect(owned == owner)
      for database in [live, result.kept] {
        try await fixture.execute("alter database \(Quoting.identifier(database)) owner to postgres")
      }
      await strange.close()
      try await fixture.execute("drop role \(user), \(owner), \(other)")
    }
  }

  @Test(.enabled(if: PgBouncer.isInstalled), arguments: [PgBouncer.PoolMode.transaction, .session])
  func `is refused through a pooler, and reached by the pooler's clients`(mode: PgBouncer.PoolMode)
    async throws
  {
    try await SwapFixture.with(on: try await Self.cluster.value) { fixture in
      try await PgBouncer.with(mode, for: fixture.cluster) { pooler in
        let settings = pooler.settings(database: "postgres")
        let error = await #expect(throws: BackupError.self) {
          try await DatabaseSwap(live: fixture.live.name, new: fixture.new.name).run(
            on: Session(settings, applicationName: "a"), beside: Session(settings, applicationName: "b"))
        }
        #expect(error?.kind == .invalidInput)
        let client = Session(pooler.settings(database: fixture.live.name), applicationName: "client")
        let before = try await client.run { try $0.query("select content from marker").text(0, 0) }
        _ = try await fixture.swap()
        // Between transactions, a client of the pooler may not even notice.
        let deadline = ContinuousClock.now + .seconds(20)
        var after = ""
        while after.isEmpty, ContinuousClock.now < deadline {
          after = (try? await client.run { try $0.query("select content from marker").text(0, 0) }) ?? ""
        }
        #expect([before, after] == ["old", "new"])
      }
    }
  }
}

@Suite struct `The maintenance database` {
  @Test func `is one that is not to be renamed`() async throws {
    let cluster = try await PostgresCluster.shared
    let settings = cluster.settings(database: "anything")
    #expect(try MaintenanceDatabase.settings(for: settings, avoiding: ["anything"])["dbname"] == "postgres")
    #expect(try MaintenanceDatabase.settings(for: settings, avoiding: ["postgres"])["dbname"] == "template1")
    let error = #expect(throws: BackupError.self) {
      try MaintenanceDatabase.settings(for: settings, avoiding: ["postgres", "template1"])
    }
    #expect(error?.kind == .failed)
    var away = settings
    away["port"] = "1"
    let unreachable = #expect(throws: BackupError.self) {
      try MaintenanceDatabase.settings(for: away, avoiding: [])
    }
    #expect(unreachable?.kind == .tryAgain)
  }

  @Test func `may itself be swapped`() async throws {
    try await PostgresCluster.with { cluster in
      try await cluster.connect().run { _ = try $0.execute("create database new template template0") }
      try await cluster.connect(database: "new").run { _ = try $0.execute("create table marker ()") }
      let settings = try MaintenanceDatabase.settings(for: cluster.settings(), avoiding: ["postgres", "new"])
      _ = try await DatabaseSwap(live: "postgres", new: "new").run(
        on: Session(settings, applicationName: "a"), beside: Session(settings, applicationName: "b"))
      #expect(try await cluster.value("select to_regclass('marker') is not null") == "t")
    }
  }
}

@Suite struct `What belongs to a database's name` {
  private static let nasty = #"d "x" 'y' \z"#

  /// As `pg_dumpall` would show it.
  private static func state(_ database: String, on cluster: PostgresCluster) async throws -> [[String?]] {
    try await cluster.connect().run { connection in
      try connection.query(
        """
        select pg_get_userbyid(datdba), datconnlimit::text, datallowconn::text, datistemplate::text,
          shobj_description(d.oid, 'pg_database'),
          (select string_agg(a.grantee::regrole || a.privilege_type || a.is_grantable, ',' order by 1)
            from (select * from aclexplode(coalesce(datacl, acldefault('d', datdba))) order by 2, 3) a),
          (select string_agg(setrole::regrole || setconfig::text, ';' order by setrole) from pg_db_role_setting
            where setdatabase = d.oid)
        from pg_database d where datname = $1
        """, [database]
      ).rows()
    }
  }

  @Test func `goes to the new database whatever it had, and comes back with an undo`() async throws {
    let cluster = try await PostgresCluster.create()
    let (live, new) = (Self.nasty, "new one")
    let (first, second) = (Quoting.identifier(live), Quoting.identifier(new))
    for name in [first, second] {
      try await cluster.connect().run { _ = try $0.execute("create database \(name) template template0") }
    }
    try await cluster.connect().run { connection in
      let statements = [
        #"create role "o ""w""""#, #"create role "r'1" login"#, "create role r2", "create role r3",
        #"alter database \#(first) owner to "o ""w""""#,
        "revoke all on database \(first) from public",
        #"grant connect, create on database \#(first) to "r'1""#,
        "grant temporary on database \(first) to r2 with grant option",
        #"alter database \#(first) set search_path to "$user", 'a "b", c', public"#,
        #"alter database \#(first) set "my.odd" to E'it''s \\ "x", y'"#,
        "alter database \(first) set temp_tablespaces to ''", "alter database \(first) set work_mem to '5MB'",
        #"alter role "r'1" in database \#(first) set statement_timeout to '3s'"#,
        #"comment on database \#(first) is E'line\nbreak'"#, "alter database \(first) connection limit 7",
        "alter database \(first) is_template true",
        // What the other one has, and loses.
        "grant all on database \(second) to r3", "alter database \(second) set work_mem to '9MB'",
        "alter role r3 in database \(second) set work_mem to '1MB'",
        "comment on database \(second) is 'restoring'",
      ]
      for statement in statements { try connection.execute(statement) }
    }
    let before = try await Self.state(live, on: cluster)
    let result = try await DatabaseSwap(live: live, new: new).run(
      on: cluster.connect(), beside: cluster.connect())
    #expect(try await Self.state(live, on: cluster) == before)
    let undone = try await DatabaseSwap(live: live, new: result.kept, reason: .undone).run(
      on: cluster.connect(), beside: cluster.connect())
    #expect(try await Self.state(live, on: cluster) == before)
    #expect(undone.kept.hasPrefix(live + "_undone_"))
    await cluster.destroy()
  }

  @Test func `is left alone where both have the same`() {
    let properties = NameProperties(
      owner: "o", grants: [.init(grantee: nil, privilege: "CONNECT", isGrantable: false)],
      settings: [.init(role: nil, name: "work_mem", value: "5MB")], connectionLimit: -1,
      allowsConnections: true,
      isTemplate: false, comment: "c")
    #expect(properties.statements(for: "d", having: properties) == [])
  }

  @Test(arguments: [
    ("search_path", #""$user", public"#, "'$user', 'public'"), ("search_path", #""""#, "''"),
    ("search_path", "", "''"), ("Search_Path", #""a""b, c",d"#, #"'a"b, c', 'd'"#),
    ("work_mem", "5MB", "'5MB'"), ("DateStyle", "ISO, MDY", "'ISO, MDY'"),
    ("a.b", #"it's \"#, #" E'it''s \\'"#),
  ])
  func `has settings that are written back as they were`(name: String, value: String, expected: String) {
    #expect(NameProperties.Setting(role: nil, name: name, value: value).valueList == expected)
  }
}
