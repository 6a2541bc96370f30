import Postgres
import Synchronization
import TestSupport
import Testing

extension Faults {
  /// Databases that swap their names while the command, its backends or the server are killed.
  @Suite(.serialized) struct `Swaps of two databases` {
    @Test(arguments: Fault.allCases)
    func `a swap is whole or absent`(fault: Fault) async throws {
      try await disturb(SwapIn.self, by: fault)
    }

    @Test(arguments: Fault.allCases)
    func `an undo is whole or absent`(fault: Fault) async throws {
      try await disturb(Undo.self, by: fault)
    }

    private func disturb<Subject: FaultSubject>(_: Subject.Type, by fault: Fault) async throws {
      let cluster = try await Self.cluster.value
      let measure = try await Self.measure(Subject.self, on: cluster)
      let share =
        switch fault {
        case .killTool: 1.0
        case .killBackend, .terminateBackend, .cutConnection: 0.5
        case .interruptTool, .terminateTool, .killServer, .killChild, .killThrowawayServer: 0.25
        }
      let tally = try await FaultHarness<Subject>(fault, on: cluster, measure: measure, share: share).run()
      #expect(tally.hit > 0 || !FaultCount.isFull, "no fault met a running command")
    }

    private static let cluster = Task { try await PostgresCluster.create() }

    private static let measures = Mutex<[String: FaultMeasure]>([:])

    private static func measure<Subject: FaultSubject>(
      _: Subject.Type, on cluster: PostgresCluster
    ) async throws -> FaultMeasure {
      let name = "\(Subject.self)"
      if let measure = measures.withLock({ $0[name] }) { return measure }
      let measure = try await FaultHarness<Subject>.measureUndisturbed(on: cluster)
      measures.withLock { $0[name] = measure }
      return measure
    }
  }
}

/// A live database and another one beside it, with sessions in the live one.
struct SwapPair: Sendable {
  let live: TestDatabase
  let project: TemporaryDirectory
  /// The content that the live database has after the command.
  let wanted: String
  private let sessions: [Session]

  static let other = "swap_other"

  /// - Parameter isUndo: whether the other database is one that is kept.
  static func make(on cluster: PostgresCluster, isUndo: Bool) async throws -> SwapPair {
    try await dropAll(on: cluster)
    let live = try await TestDatabase.create(on: cluster)
    let (name, other) = (live.name, other)
    try await fill(name, on: cluster, with: isUndo ? "new" : "old")
    try await cluster.connect().run { connection in
      try connection.execute("create database \(other) template template0")
      let oid = try connection.query("select oid from pg_database where datname = '\(other)'").text(0, 0)
      if isUndo {
        let mark =
          #"kept by tsdb: {"at":"2026-01-02T03:04:05.678Z","database":"\#(name)","oid":\#(oid),"reason":"restored","replacedBy":"x"}"#
        try connection.execute("comment on database \(other) is '\(mark)'")
      }
      try connection.execute("comment on database \(name) is 'the live one'")
      try connection.execute("alter database \(name) connection limit 42")
      try connection.execute("alter database \(name) set work_mem to '5MB'")
    }
    try await fill(other, on: cluster, with: isUndo ? "old" : "new")
    let sessions = [cluster.connect(database: name), cluster.connect(database: name)]
    try await sessions[0].run { _ = try $0.execute("select 1") }
    try await sessions[1].run { _ = try $0.execute("begin; insert into marker values ('open')") }
    return SwapPair(
      live: live, project: try TemporaryDirectory(), wanted: isUndo ? "old" : "new", sessions: sessions)
  }

  /// Only this suite's databases are on its server.
  private static func dropAll(on cluster: PostgresCluster) async throws {
    try await cluster.connect().run { connection in
      let names = try connection.query(
        "select datname from pg_database where not datistemplate and datname <> 'postgres'")
      for row in 0..<names.rowCount {
        try connection.execute("drop database \(Quoting.identifier(names.text(row, 0))) with (force)")
      }
    }
  }

  private static func fill(_ database: String, on cluster: PostgresCluster, with content: String) async throws
  {
    try await cluster.connect(database: database).run { connection in
      _ = try connection.execute(
        """
        create table marker (content text); insert into marker values ('\(content)');
        create table numbers as select n, '\(content)'::text as content from generate_series(1, 1000) n
        """)
    }
  }

  func close() async { for session in sessions { await session.close() } }
}

extension SwapPair {
  /// Connecting by the name reaches one whole database, the other one is there too, and what belongs to
  /// the name has stayed with it.
  ///
  /// - Returns: the content of the live database.
  @discardableResult
  func check() async throws -> String {
    let databases = try await live.cluster.connect().run { connection in
      try connection.query(
        """
        select datname, datconnlimit, coalesce(shobj_description(oid, 'pg_database'), ''),
          (select setconfig::text from pg_db_role_setting where setdatabase = d.oid)
        from pg_database d where not datistemplate and datname <> 'postgres' order by datname <> '\(live.name)'
        """
      ).rows()
    }
    guard databases.count == 2, databases[0][0] == live.name else {
      throw FaultFinding("not the two databases: \(databases)")
    }
    guard databases[0][1] == "42", databases[0][2] == "the live one", databases[0][3] == "{work_mem=5MB}"
    else {
      throw FaultFinding("what belongs to the name has not stayed with it: \(databases)")
    }
    let contents = [try await content(of: live.name), try await content(of: databases[1][0] ?? "")]
    guard contents.sorted() == ["new", "old"] else { throw FaultFinding("contents: \(contents)") }
    return contents[0]
  }

  /// What the command said of itself is so.
  func check(_ disturbed: ToolRun.Result) async throws {
    let content = try await check()
    if disturbed.standardError.contains("Nothing was changed"), content == wanted {
      throw FaultFinding("it said that nothing was changed, and the names are swapped")
    }
    if disturbed.exitStatus == 0, content != wanted {
      throw FaultFinding("it ended with 0, and the names are not swapped")
    }
  }

  /// The content of a whole database; a backend that is about to end may hold the name for a moment.
  private func content(of name: String) async throws -> String {
    let row = try await live.cluster.connect(database: name).run { connection in
      try connection.query(
        """
        select (select string_agg(content, ',') from marker), count(*), min(content), max(content) from numbers
        """
      ).rows()[0]
    }
    guard row[1] == "1000", row[0] == row[2], row[0] == row[3] else {
      throw FaultFinding("the content of \(name) is not whole: \(row)")
    }
    return row[0] ?? ""
  }

  func checkFinished(_ command: [String]) async throws {
    for _ in 0..<2 {
      let content = try await check()
      guard content == wanted else { throw FaultFinding("finished, and the content is \(content)") }
      // Run again, it does not swap back.
      try await expectDone(command, in: project, url: live.url)
    }
    await close()
  }
}

/// `restore --swap-in`.
struct SwapIn: FaultSubject {
  static let command = ["restore", "--swap-in", SwapPair.other, "--yes", "--grace", "100ms"]

  let pair: SwapPair
  var cluster: PostgresCluster { pair.live.cluster }
  var database: String { pair.live.name }
  var sessionDatabases: [String] { ["postgres"] }
  var project: TemporaryDirectory { pair.project }

  static func prepare(on cluster: PostgresCluster) async throws -> SwapIn {
    SwapIn(pair: try await .make(on: cluster, isUndo: false))
  }

  func checkInterrupted(_ disturbed: ToolRun.Result) async throws { try await pair.check(disturbed) }
  func checkFinished() async throws { try await pair.checkFinished(Self.command) }
}

/// `restore --undo`.
struct Undo: FaultSubject {
  static let command = ["restore", "--undo", "--yes", "--grace", "100ms"]

  let pair: SwapPair
  var cluster: PostgresCluster { pair.live.cluster }
  var database: String { pair.live.name }
  var sessionDatabases: [String] { ["postgres"] }
  var project: TemporaryDirectory { pair.project }

  static func prepare(on cluster: PostgresCluster) async throws -> Undo {
    Undo(pair: try await .make(on: cluster, isUndo: true))
  }

  func checkInterrupted(_ disturbed: ToolRun.Result) async throws { try await pair.check(disturbed) }
  func checkFinished() async throws { try await pair.checkFinished(Self.command) }
}
