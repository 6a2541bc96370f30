import Backups
import Maintenance
import Postgres
import Timekeeping

/// Retention, whose rules may ask for a verified backup before anything is deleted for good.
struct BackedRetentionJob: JobBody {
  let rules: [RetentionRule]
  let access: DatabaseAccess

  func run(_ context: JobContext) async throws -> JobResult {
    var refused: [JobObject] = []
    let newest = try await context.work.run { try newestVerified(on: $0) }
    let allowed = rules.filter { rule in
      guard let refusal = Self.refusal(of: rule, newest: newest, now: context.now) else { return true }
      refused.append(JobObject(rule.table, "failed", detail: "nothing was deleted: \(refusal)"))
      return false
    }
    for object in refused { context.report(.finished(object)) }
    var result = allowed.isEmpty ? JobResult(.ok) : try await RetentionJob(allowed).run(context)
    guard let first = refused.first else { return result }
    result.objects += refused
    if result.outcome == .failed {
      result.reason = "\(result.reason ?? "failed"); and \(refused.count) more for want of a verified backup"
    } else {
      result.outcome = .failed
      result.reason = "\(first.name): \(first.detail ?? "refused")"
      result.hint = "take one and verify it: tsdb backup && tsdb backup verify"
    }
    return result
  }

  /// Why a rule may not run; nil where it may.
  static func refusal(of rule: RetentionRule, newest: UTCTime?, now: UTCTime) -> String? {
    guard let age = rule.needsBackup else { return nil }
    let need = "the rule needs a verified backup of the last \(age.spanText)"
    guard let newest else { return "\(need), and there is none" }
    guard now - newest > age.wholeSeconds else { return nil }
    return "\(need), and the newest is of \(newest)"
  }

  /// When the newest backup of the whole database began whose bytes were all read and compared since; nil where there is
  /// none, and where no rule asks for one.
  func newestVerified(on connection: borrowing Connection) throws -> UTCTime? {
    guard rules.contains(where: { $0.needsBackup != nil }) else { return nil }
    let database = try connection.query("select current_database()").text(0, 0)
    let repository = RepositoryAccess(
      project: access.project, path: access.project.path(access.project.configuration.backupRepository),
      settings: nil)
    let backups: [BackupSummary]
    do {
      backups = try BackupList(database: database).run(repository).backups
    } catch let error as BackupError {
      throw MaintenanceError(
        .failed, "the repository of backups cannot be read: \(error.message)", detail: "Nothing was deleted.",
        hint: error.hint)
    }
    return backups.filter { ["verified", "proven"].contains($0.state) && $0.isWhole == true }
      .compactMap { $0.started.flatMap { UTCTime($0) } }.max()
  }
}
