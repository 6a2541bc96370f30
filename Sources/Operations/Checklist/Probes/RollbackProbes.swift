import Archive
import Backups
import Checklists
import Postgres
import Timekeeping

/// There is a way back, and it was walked.
struct RollbackPlanProbe: ProjectProbe {
  static let name = "rollback.plan"
  static let summary =
    "a backup from before the migrations was restored on trial, and the command that restores it is known"
  static let defects: [ProbeDefect] = [
    .damagedRecord, .noRepository, .emptyRepository, .damagedManifest, .unprovenBackup,
  ]
  private static let asked =
    "the repository: newest proven backup of this database; the migrations: what was applied since the deployment began"

  private let limit: Duration

  init(arguments: [String: String]) throws(ChecklistError) {
    try OperationProbes.check(arguments, of: Self.name, known: ["max"])
    limit = try OperationProbes.span(arguments, "max", default: .seconds(7 * 86_400))
  }

  func run(_ context: ProbeContext, in access: DatabaseAccess) async -> ProbeAnswer {
    do {
      let sight = try await BackupSight.look(context, in: access)
      let first = try await firstMigration(context)
      let candidates = sight.usable.filter { entry in
        guard entry.provenTime != nil, let time = entry.time else { return false }
        return first.map { time <= $0 } ?? true
      }
      guard let entry = candidates.last, let time = entry.time else {
        let since = first == nil ? "" : " from before the deployment's migrations"
        return sight.missing(
          "no backup\(since) that was restored on trial", asked: Self.asked,
          remedy: "tsdb backup; tsdb backup verify latest --restore")
      }
      let took =
        entry.proofs.last { $0.kind == .proven }.map { ", restored in \($0.durationMilliseconds) ms" } ?? ""
      let observed =
        "tsdb restore \(entry.id) --swap goes back to \(time), migrations at \(entry.manifest?.migrations?.head ?? "none")\(took)"
      guard (context.deploymentStart ?? .now) - time <= limit.wholeSeconds else {
        return ProbeAnswer(
          .failed, asked: Self.asked, observed: "older than \(limit.spanText): \(observed)",
          remedy: "tsdb backup")
      }
      return ProbeAnswer(.proved, asked: Self.asked, observed: observed + sight.others)
    } catch {
      return OperationProbes.unknown(error, asked: Self.asked, context)
    }
  }

  /// When the first migration of the deployment was applied; nil outside one, and where none was.
  private func firstMigration(_ context: ProbeContext) async throws -> UTCTime? {
    guard let start = context.deploymentStart else { return nil }
    let table = Quoting.identifier(context.schema, "migrations")
    return try await OperationProbes.read(context) { connection in
      guard try connection.query("select to_regclass($1) is not null", [table]).isTrue(0, 0) else {
        return nil
      }
      return try connection.query(
        "select floor(extract(epoch from min(applied_at)))::bigint from \(table) where applied_at >= $1::timestamptz",
        [start.description]
      )[0, 0].flatMap { Int64($0) }.map { UTCTime(secondsSince1970: $0) }
    }
  }
}

/// A restored database took the place of the failed one, and is whole.
struct RollbackRestoredProbe: ProjectProbe {
  static let name = "rollback.restored"
  static let summary =
    "the restored database has the backup's tables, valid constraints and indexes, and populated views"
  static let defects = [
    ProbeDefect(
      "a constraint that was never validated",
      sql: """
        alter table public.support_troubleshooting_config
          add constraint config_selftest_check check (config_key <> '') not valid
        """),
    ProbeDefect(
      "a view without contents",
      sql: "create materialized view public.mv_selftest as select 1 as one with no data"),
  ]
  private static let asked =
    "the databases that restores have swapped out; the backup's tables; constraints, indexes, materialized views"

  init(arguments: [String: String]) throws(ChecklistError) {
    try OperationProbes.check(arguments, of: Self.name)
  }

  func run(_ context: ProbeContext, in access: DatabaseAccess) async -> ProbeAnswer {
    do {
      let (tables, faults) = try await OperationProbes.read(context) { try Self.read($0) }
      guard faults.isEmpty else {
        return ProbeAnswer(
          .failed, asked: Self.asked, observed: faults.prefix(10).joined(separator: ", "),
          remedy: "tsdb migrate verify; tsdb check")
      }
      let kept = try await SwapTarget(access).kept()
      guard let last = kept.first(where: { $0.mark.reason == .restored }) else {
        return ProbeAnswer(
          .notApplicable, asked: Self.asked,
          observed: "no restore has taken this database's place, as far as is kept")
      }
      if let start = context.deploymentStart, let at = UTCTime(last.mark.at), at < start {
        return ProbeAnswer(
          .notApplicable, asked: Self.asked,
          observed: "the last restore, of \(at), is older than the deployment")
      }
      return try compare(tables, last.mark, access)
    } catch {
      return OperationProbes.unknown(error, asked: Self.asked, context)
    }
  }

  private func compare(_ tables: Set<String>, _ mark: KeptMark, _ access: DatabaseAccess) throws
    -> ProbeAnswer
  {
    guard let id = mark.backup else {
      return ProbeAnswer(.unknown, asked: Self.asked, observed: "the restore of \(mark.at) names no backup")
    }
    let path = access.project.path(access.project.configuration.backupRepository)
    let entry = try RepositoryAccess(project: access.project, path: path, settings: nil)
      .entry(id, database: mark.database)
    guard let manifest = entry.manifest else {
      return ProbeAnswer(.unknown, asked: Self.asked, observed: "the backup \(id) cannot be read")
    }
    let expected = manifest.tables.map { "\($0.schema).\($0.name)" }
    let missing = expected.filter { !tables.contains($0) }.sorted()
    guard missing.isEmpty else {
      return ProbeAnswer(
        .failed, asked: Self.asked, observed: "not there: \(missing.prefix(10).joined(separator: ", "))")
    }
    return ProbeAnswer(
      .proved, asked: Self.asked,
      observed:
        "restored from \(id) on \(mark.at): all \(expected.count) tables, constraints and indexes valid, views populated"
    )
  }

  private static func read(_ connection: borrowing Connection) throws -> (
    tables: Set<String>, faults: [String]
  ) {
    let tables = try connection.query(
      """
      select format('%s.%s', n.nspname, c.relname) from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
      where c.relkind in ('r', 'p') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
      """)
    let faults = try connection.query(
      """
      select format('constraint %I is not validated', conname) from pg_constraint where not convalidated
      union all
      select format('index %s is not valid', indexrelid::regclass) from pg_index where not indisvalid
      union all
      select format('view %s has no contents', oid::regclass) from pg_class where relkind = 'm' and not relispopulated
      order by 1
      """)
    return (
      Set((0..<tables.rowCount).map { tables.text($0, 0) }), (0..<faults.rowCount).map { faults.text($0, 0) }
    )
  }
}
