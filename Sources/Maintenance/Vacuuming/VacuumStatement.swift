import Postgres

/// The statements of VACUUM and ANALYZE that get out of the way.
enum VacuumStatement {
  /// For the session: a manual VACUUM has no delay unless it is told to.
  static let costDelay = "set vacuum_cost_delay = '2ms'"

  /// - Parameter name: qualified and quoted.
  static func vacuum(_ name: String, analyze: Bool, serverVersion: Int) -> String {
    // SKIP_LOCKED: waiting for the lock would cancel an autovacuum at work and make others queue up. TRUNCATE:
    // giving pages at the end back takes ACCESS EXCLUSIVE. PARALLEL: workers would take the application's share.
    var options = ["skip_locked", "truncate off", "parallel 0", "process_toast"]
    if analyze { options.append("analyze") }
    if serverVersion >= 160_000 { options.append("buffer_usage_limit '2MB'") }
    return "vacuum (\(options.joined(separator: ", "))) \(name)"
  }

  /// - Parameter alone: whether partitions are left out; from PostgreSQL 18.
  static func analyze(_ name: String, alone: Bool = false) -> String {
    "analyze (skip_locked) \(alone ? "only " : "")\(name)"
  }
}

/// What VACUUM and ANALYZE said beside succeeding.
struct VacuumNotices: Sendable {
  /// Why a relation was skipped, which the server calls a success.
  let skip: String?
  /// Whether it was skipped because the lock was not to be had.
  let isLocked: Bool
  /// Warnings of other kinds.
  let warnings: [Notice]

  /// A skip for a lock has SQLSTATE 55P03. One for a missing right has none of its own and its text may be
  /// translated; unlike the other warnings it comes without a hint.
  init(_ notices: [Notice]) {
    let warnings = notices.filter { $0.severity == "WARNING" }
    let locked = warnings.first { $0.sqlState == "55P03" }
    skip = (locked ?? warnings.first { $0.hint == nil })?.message
    isLocked = locked != nil
    self.warnings = warnings.filter { $0.sqlState != "55P03" && $0.hint != nil }
  }
}
