import Archive
import Backups
import Checklists
import Postgres
import Timekeeping

/// What the repository and the database say of the database's backups.
struct BackupSight: Sendable {
  let database: String
  /// Whole backups of this database on this server that can be restored as far as the repository knows, oldest first.
  var usable: [BackupEntry] = []
  /// Backups of this database that are damaged, by the repository or by the database's records.
  var damaged: [String] = []
  /// Backups of a database of the same name on another server.
  var foreign = 0
  let repository: String
  let isThere: Bool

  var newest: BackupEntry? { usable.last }
  /// The newest that was restored on trial, with equal contents.
  var newestProven: BackupEntry? { usable.last { $0.provenTime != nil } }

  private struct Facts: Sendable {
    var database = ""
    var identifier: String?
    /// By the backups' names.
    var states: [String: String] = [:]
  }

  /// - Throws: `BackupError` where the repository cannot be read, `PostgresError` where the server refuses.
  static func look(_ context: ProbeContext, in access: DatabaseAccess) async throws -> BackupSight {
    let schema = context.schema
    let facts = try await OperationProbes.read(context) { try read(schema, on: $0) }
    let path = access.project.path(access.project.configuration.backupRepository)
    let repository = try RepositoryAccess(project: access.project, path: path, settings: nil).existing()
    var sight = BackupSight(database: facts.database, repository: path, isThere: repository != nil)
    for entry in try repository?.entries() ?? [] where entry.database == facts.database {
      let identifier = entry.manifest?.server.systemIdentifier
      if let identifier, let own = facts.identifier, identifier != own {
        sight.foreign += 1
      } else if case .damaged = entry.state {
        sight.damaged.append(entry.id)
      } else if facts.states[entry.id] == "damaged" {
        sight.damaged.append(entry.id)
      } else if entry.isUsable, entry.manifest?.scope.isWholeDatabase == true {
        sight.usable.append(entry)
      }
    }
    return sight
  }

  private static func read(_ schema: String, on connection: borrowing Connection) throws -> Facts {
    var facts = Facts()
    let result = try connection.query(
      "select current_database(), has_function_privilege('pg_catalog.pg_control_system()', 'execute')")
    facts.database = result.text(0, 0)
    if result.isTrue(0, 1) {
      facts.identifier = try connection.query("select system_identifier from pg_control_system()")[0, 0]
    }
    let readable = try connection.query(
      """
      select has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select')
      from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
      where n.nspname = $1 and c.relname = 'backups'
      """, [schema])
    guard readable.isTrue(0, 0) else { return facts }
    let records = try connection.query("select id, state from \(Quoting.identifier(schema, "backups"))")
    for row in 0..<records.rowCount { facts.states[records.text(row, 0)] = records.text(row, 1) }
    return facts
  }

  /// The answer where there is no backup to look at, and what every answer adds.
  func missing(_ what: String, asked: String, remedy: String) -> ProbeAnswer {
    let observed =
      isThere ? "\(what) of \"\(database)\" in \"\(repository)\"" : "there is no repository \"\(repository)\""
    return ProbeAnswer(.failed, asked: asked, observed: observed + others, remedy: remedy)
  }

  var others: String {
    (damaged.isEmpty ? "" : "; damaged: \(damaged.joined(separator: ", "))")
      + (foreign == 0 ? "" : "; \(foreign) of another server with a database of that name")
  }

  /// Damaged backups that are newer than `entry`.
  func damagedSince(_ entry: BackupEntry) -> [String] {
    // The names begin with the time.
    damaged.filter { $0 > entry.id }
  }
}

extension BackupEntry {
  /// When it was last restored on trial, with equal contents.
  var provenTime: UTCTime? {
    if case .proven(let time) = state { return time }
    return nil
  }

  /// What a person wants to know of it.
  func summary(at now: UTCTime) -> String {
    let age = time.map { ", \(OperationProbes.age($0, at: now)) old" } ?? ""
    let contents =
      manifest.map { ", \($0.tables.count) tables, \($0.totalRows) rows, \($0.totalSize) bytes" } ?? ""
    let proof =
      provenTime.map { ", restored on trial with equal contents \(OperationProbes.age($0, at: now)) ago" }
      ?? ", \(state.name)"
    return id + age + contents + proof
  }
}
