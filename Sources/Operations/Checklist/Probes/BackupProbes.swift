import Archive
import Backups
import Checklists
import Postgres
import Timekeeping

extension ProbeDefect {
  /// What a record that a check failed makes of a backup.
  static let damagedRecord = ProbeDefect(
    "the check of every backup failed", sql: "update tsdb.backups set state = 'damaged'")
  static let noRepository = ProbeDefect("there is no repository", changes: [.remove("backups")])
  static let emptyRepository = ProbeDefect("the repository is empty", changes: [.remove("backups/*")])
  static let damagedManifest = ProbeDefect(
    "no backup says what it holds", changes: [.write("backups/*/manifest.json", "{}")])
  static let unprovenBackup = ProbeDefect(
    "no backup was ever checked or restored on trial", changes: [.remove("backups/*/proofs.jsonl")])
}

/// Backups that are taken, and that restore.
struct BackupConfiguredProbe: ProjectProbe {
  static let name = "backup.configured"
  static let summary =
    "the newest backup is young enough, and one was lately restored on trial with equal contents"
  static let defects: [ProbeDefect] = [
    .damagedRecord, .noRepository, .emptyRepository, .damagedManifest, .unprovenBackup,
  ]
  private static let asked =
    "the repository: newest whole backup of this database on this server, and newest proof"

  private let limit: Duration
  private let proofLimit: Duration

  init(arguments: [String: String]) throws(ChecklistError) {
    try OperationProbes.check(arguments, of: Self.name, known: ["max", "proof"])
    limit = try OperationProbes.span(arguments, "max", default: .seconds(26 * 3600))
    proofLimit = try OperationProbes.span(arguments, "proof", default: .seconds(8 * 86_400))
  }

  func run(_ context: ProbeContext, in access: DatabaseAccess) async -> ProbeAnswer {
    do {
      let sight = try await BackupSight.look(context, in: access)
      guard let newest = sight.newest, let time = newest.time else {
        return sight.missing("no usable backup", asked: Self.asked, remedy: "tsdb backup")
      }
      func failed(_ reason: String, _ remedy: String) -> ProbeAnswer {
        ProbeAnswer(
          .failed, asked: Self.asked, observed: "\(reason): \(newest.summary(at: .now))\(sight.others)",
          remedy: remedy)
      }
      guard UTCTime.now - time <= limit.wholeSeconds else {
        return failed(
          "the newest is older than \(limit.spanText)",
          "tsdb backup; for the next ones: \(access.project.schedulingRemedy(access.settings))")
      }
      guard sight.damagedSince(newest).isEmpty else { return failed("a newer one is damaged", "tsdb backup") }
      guard let proven = sight.newestProven, let proof = proven.provenTime else {
        return failed("none was ever restored on trial", "tsdb backup verify latest --restore")
      }
      guard UTCTime.now - proof <= proofLimit.wholeSeconds else {
        return failed(
          "the newest proof is older than \(proofLimit.spanText)", "tsdb backup verify latest --restore")
      }
      let other = proven.id == newest.id ? "" : "; proven: \(proven.summary(at: .now))"
      return ProbeAnswer(
        .proved, asked: Self.asked, observed: newest.summary(at: .now) + other + sight.others)
    } catch {
      return OperationProbes.unknown(error, asked: Self.asked, context)
    }
  }
}

/// A young backup that is itself proven.
struct BackupProvenProbe: ProjectProbe {
  static let name = "backup.proven"
  static let summary = "a young backup of the whole database was restored on trial with equal contents"
  static let defects: [ProbeDefect] = [
    .damagedRecord, .noRepository, .emptyRepository, .damagedManifest, .unprovenBackup,
  ]
  private static let asked = "the repository: newest proven backup of this database, its age and contents"

  private let limit: Duration

  init(arguments: [String: String]) throws(ChecklistError) {
    try OperationProbes.check(arguments, of: Self.name, known: ["max"])
    limit = try OperationProbes.span(arguments, "max", default: .seconds(26 * 3600))
  }

  func run(_ context: ProbeContext, in access: DatabaseAccess) async -> ProbeAnswer {
    do {
      let sight = try await BackupSight.look(context, in: access)
      guard let proven = sight.newestProven, let time = proven.time else {
        return sight.missing(
          "no backup that was restored on trial", asked: Self.asked,
          remedy: "tsdb backup; tsdb backup verify latest --restore")
      }
      let observed = proven.summary(at: .now) + sight.others
      guard UTCTime.now - time <= limit.wholeSeconds else {
        return ProbeAnswer(
          .failed, asked: Self.asked, observed: "older than \(limit.spanText): \(observed)",
          remedy: "tsdb backup; tsdb backup verify latest --restore")
      }
      guard sight.damagedSince(proven).isEmpty else {
        return ProbeAnswer(
          .failed, asked: Self.asked, observed: "a newer one is damaged: \(observed)", remedy: "tsdb backup")
      }
      return ProbeAnswer(.proved, asked: Self.asked, observed: observed)
    } catch {
      return OperationProbes.unknown(error, asked: Self.asked, context)
    }
  }
}

/// The application's configuration and the server's are in a checked backup.
struct BackupConfigurationProbe: ProjectProbe {
  static let name = "backup.configuration"
  static let summary =
    "a checked backup holds the application's configuration as it is now, and the server's settings"
  static let defects = [
    ProbeDefect(
      "the configuration was changed after the backup",
      sql: "update public.support_troubleshooting_config set description = 'changed'"),
    .emptyRepository, .damagedManifest, .unprovenBackup,
  ]
  private static let asked =
    "the newest checked backup: its tables of configuration and webhooks, its config files; changes since it"
  private static let tables = ["support_troubleshooting_config", "support_webhooks"]

  init(arguments: [String: String]) throws(ChecklistError) {
    try OperationProbes.check(arguments, of: Self.name)
  }

  func run(_ context: ProbeContext, in access: DatabaseAccess) async -> ProbeAnswer {
    do {
      let sight = try await BackupSight.look(context, in: access)
      guard let entry = sight.usable.last(where: { $0.state.time != nil }), let manifest = entry.manifest
      else {
        return sight.missing("no checked backup", asked: Self.asked, remedy: "tsdb backup verify latest")
      }
      guard manifest.files.contains(where: { $0.path == "config/settings.conf" }) else {
        return ProbeAnswer(
          .failed, asked: Self.asked, observed: "\(entry.id) holds no settings of the server",
          remedy: "tsdb backup")
      }
      var seen: [String] = []
      var changed: [String] = []
      for table in Self.tables {
        let rows = manifest.tables.first { $0.schema == "public" && $0.name == table }?.rows
        let changes = try await changes(of: table, since: manifest.snapshot.time, context)
        seen.append("\(table): \(rows.map { "\($0) rows" } ?? "not there then")")
        if let changes, changes > 0 { changed.append("\(changes) rows of \(table)") }
      }
      let observed = "\(entry.id), \(entry.state.name): \(seen.joined(separator: ", "))"
      guard changed.isEmpty else {
        return ProbeAnswer(
          .failed, asked: Self.asked,
          observed: "changed after the backup: \(changed.joined(separator: ", ")); \(observed)",
          remedy: "tsdb backup; tsdb backup verify latest")
      }
      return ProbeAnswer(.proved, asked: Self.asked, observed: "\(observed), config/settings.conf")
    } catch {
      return OperationProbes.unknown(error, asked: Self.asked, context)
    }
  }

  /// How many rows are newer than the backup; what the deployment itself wrote is none of them. nil without the table.
  private func changes(of table: String, since start: String, _ context: ProbeContext) async throws -> Int? {
    let end = (context.deploymentStart ?? UTCTime(year: 9999, month: 1, day: 1)).description
    return try await OperationProbes.read(context) { connection in
      let name = Quoting.identifier("public", table)
      guard try connection.query("select to_regclass($1) is not null", [name]).isTrue(0, 0) else {
        return nil
      }
      return try connection.query(
        "select count(*) from \(name) where updated_at > $1::timestamptz and updated_at < $2::timestamptz",
        [start, end]
      ).integer(0, 0)
    }
  }
}
