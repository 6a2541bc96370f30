import Backups
import Checklists
import Maintenance
import Migrations
import Postgres
import Timekeeping

/// The probes on backups, migrations and maintenance.
public enum OperationProbes {
  public static let all: [any Probe.Type] = [
    BackupConfiguredProbe.self, BackupProvenProbe.self, BackupConfigurationProbe.self, RollbackPlanProbe.self,
    RollbackRestoredProbe.self, MigrationsAppliedProbe.self, MaintenanceConfiguredProbe.self,
    MaintenanceWorkingProbe.self,
  ]

  /// - Throws: ``ChecklistError`` where an argument is not among `known`.
  static func check(
    _ arguments: [String: String], of probe: String, known: [String] = []
  ) throws(ChecklistError) {
    guard let stranger = arguments.keys.filter({ !known.contains($0) }).min() else { return }
    throw ChecklistError(
      .invalidInput, "probe \"\(probe)\" has no argument \"\(stranger)\"",
      hint: known.isEmpty ? "it takes none" : "it takes \(known.map { "\($0)=…" }.joined(separator: " "))")
  }

  static func span(
    _ arguments: [String: String], _ key: String, default span: Duration
  ) throws(ChecklistError) -> Duration {
    guard let text = arguments[key] else { return span }
    guard let span = Duration(spanText: text), span > .zero else {
      throw ChecklistError(
        .invalidInput, "\"\(text)\" is no \(key)", hint: "write a span such as 15min, 1h or 7d")
    }
    return span
  }

  /// Runs `body` in a transaction that only reads and ends with it.
  static func read<Result: Sendable>(
    _ context: ProbeContext, _ body: @Sendable (borrowing Connection) throws -> Result
  ) async throws -> Result {
    try await context.session.run { connection in
      try connection.execute(
        "begin read only; set local search_path = pg_catalog; set local statement_timeout = '60s'")
      defer { if !connection.isBroken { _ = try? connection.execute("rollback") } }
      return try body(connection)
    }
  }

  /// What could not be asked.
  static func unknown(_ error: any Error, asked: String, _ context: ProbeContext) -> ProbeAnswer {
    let schema = Quoting.identifier(context.schema)
    let (message, hint): (String, String?) =
      switch error {
      case let error as PostgresError where error.isInsufficientPrivilege:
        (
          error.message,
          error.hint
            ?? "grant usage on schema \(schema) to ROLE; grant select on all tables in schema \(schema) to ROLE;"
        )
      case let error as PostgresError: (error.message, error.hint)
      case let error as MigrationError: (error.summary, error.hint)
      case let error as BackupError: (error.message, error.hint)
      case let error as MaintenanceError: (error.message, error.hint)
      default: ("\(error)", nil)
      }
    return ProbeAnswer(.unknown, asked: asked, observed: "could not look: \(message)", remedy: hint)
  }

  static func age(_ time: UTCTime, at now: UTCTime) -> String {
    let seconds = max(0, now - time)
    return switch seconds {
    case ..<120: "\(seconds) s"
    case ..<7200: "\(seconds / 60) min"
    case ..<172_800: "\(seconds / 3600) h"
    default: "\(seconds / 86_400) days"
    }
  }
}
