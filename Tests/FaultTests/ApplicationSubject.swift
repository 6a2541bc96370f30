import Foundation
import Synchronization
import TestSupport

/// The application's own five files and its seed.
enum ApplicationProject {
  /// The root of this package.
  private static let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

  static var isThere: Bool { FileManager.default.fileExists(atPath: root + "/migrations") }

  static func copy(to directory: TemporaryDirectory) throws {
    for name in ["migrations", "seeds"] {
      try FileManager.default.copyItem(atPath: "\(root)/\(name)", toPath: directory.path(name))
    }
  }
}

/// `migrate up` on the application's files.
struct ApplicationUp: FaultSubject {
  static let command = ["migrate", "up"]

  let target: FaultTarget
  var cluster: PostgresCluster { target.base.cluster }
  var database: String { target.base.name }
  var project: TemporaryDirectory { target.project }

  /// What the schema looks like after each number of files.
  private static let states = Mutex<[[String]]>([])

  static func prepare(on cluster: PostgresCluster) async throws -> ApplicationUp {
    if states.withLock(\.isEmpty) {
      let states = try await recordStates(on: cluster)
      self.states.withLock { $0 = states }
    }
    return ApplicationUp(target: try await empty(on: cluster))
  }

  private static func empty(on cluster: PostgresCluster) async throws -> FaultTarget {
    let target = FaultTarget(
      base: try await TestDatabase.create(on: cluster), project: try TemporaryDirectory())
    try ApplicationProject.copy(to: target.project)
    return target
  }

  /// Applies the files one by one and notes the names applied so far and the schema.
  private static func recordStates(on cluster: PostgresCluster) async throws -> [[String]] {
    let target = try await empty(on: cluster)
    try await expectDone(["migrate", "up"], in: target.project, url: target.base.url)
    let order = try await target.base.rows("select name from tsdb.migrations order by ordinal").compactMap {
      $0[0]
    }
    try await expectDone(["migrate", "down", "--all", "--yes"], in: target.project, url: target.base.url)
    var states = [try await target.base.schemaState()]
    for name in order {
      try await expectDone(["migrate", "up", "--to", name], in: target.project, url: target.base.url)
      states.append(try await target.base.schemaState())
    }
    try await target.base.drop()
    return states
  }

  func checkInterrupted() async throws {
    let state = try await target.fresh().schemaState()
    guard Self.states.withLock({ $0.contains(state) }) else {
      throw FaultFinding("objects and history do not belong together: \(state)")
    }
  }

  func checkFinished() async throws {
    let database = target.fresh()
    let state = try await database.schemaState()
    guard Self.states.withLock({ $0.last == state }) else { throw FaultFinding("not all is there: \(state)") }
    try await database.expectNothingLeftBehind()
    for arguments in [["migrate", "status", "--check"], ["migrate", "verify"], ["seed"]] {
      try await expectDone(arguments, in: project, url: database.url)
    }
    try await database.expect(
      "5|0", "select count(*), count(*) filter (where state <> 'applied') from tsdb.migrations", "history")
  }
}

extension TestDatabase {
  /// The applied files, and how many objects of each kind there are, all seen at one moment.
  fileprivate func schemaState() async throws -> [String] {
    let isThere = try await value("select to_regclass('tsdb.migrations') is not null") == "t"
    let names =
      isThere ? "select coalesce(string_agg(name, ' ' order by name), '') from tsdb.migrations" : "select ''"
    let mine = "in (select oid from pg_namespace where nspname !~ '^(pg_|information_schema|tsdb$)')"
    let row = try await rows(
      """
      select (\(names)),
        (select count(*) from pg_class where relnamespace \(mine)),
        (select count(*) from pg_attribute a join pg_class c on c.oid = attrelid where relnamespace \(mine)),
        (select count(*) from pg_constraint where connamespace \(mine)),
        (select count(*) from pg_proc where pronamespace \(mine)),
        (select count(*) from pg_type where typnamespace \(mine)),
        (select count(*) from pg_trigger t join pg_class c on c.oid = tgrelid where relnamespace \(mine)),
        (select count(*) from pg_description d join pg_class c on c.oid = objoid where relnamespace \(mine))
      """)
    return (row.first ?? []).map { $0 ?? "" }
  }
}
