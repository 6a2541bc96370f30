import Checklists
import Migrations

/// The files are applied, and the catalogue is what they left.
struct MigrationsAppliedProbe: ProjectProbe {
  static let name = "migrations.applied"
  static let summary =
    "the files are applied as they are, their verify scripts pass, and nothing that they left is missing, changed or added to"
  static let defects = [
    ProbeDefect("a table is gone", sql: "drop table public.support_webhook_events cascade"),
    ProbeDefect(
      "the last file is not applied",
      sql: "delete from tsdb.migrations where ordinal = (select max(ordinal) from tsdb.migrations)"),
    ProbeDefect(
      "a column was let be null by hand",
      sql: "alter table public.support_webhooks alter column url drop not null"),
    ProbeDefect(
      "a trigger was added to a table by hand",
      sql: """
        create function public.tsdb_selftest() returns trigger language plpgsql as 'begin return null; end';
        create trigger tsdb_selftest before insert on public.support_webhooks
        for each row execute function public.tsdb_selftest()
        """),
    ProbeDefect(
      "a rule was added to a table by hand",
      sql: "create rule tsdb_selftest as on insert to public.support_webhooks do also select 1"),
    ProbeDefect(
      "a check that is not validated was added to a table by hand",
      sql:
        "alter table public.support_webhooks add constraint tsdb_selftest check (url is null) not valid"),
    ProbeDefect(
      "a policy was added to a table by hand",
      sql: "create policy tsdb_selftest on public.support_webhooks as restrictive using (false)"),
    ProbeDefect(
      "a column was added to a table by hand",
      sql: "alter table public.support_webhooks add column tsdb_selftest integer not null default 1"),
    ProbeDefect(
      "a file that is not applied yet",
      changes: [.write("migrations/zz_tsdb_selftest.sql", "create table public.tsdb_selftest ();\n")]),
    ProbeDefect(
      "the files are others than those that were applied",
      changes: [.write("migrations/*.sql", "select 1;\n")]),
    ProbeDefect("there are no files", changes: [.remove("migrations/*")]),
    ProbeDefect(
      "a function does nothing",
      sql: """
        create or replace function public.cleanup_expired_cache() returns integer language sql as 'select 0'
        """, arguments: ["file": "support_troubleshooting_performance_schema"]),
    ProbeDefect(
      "a view has its columns and shows nothing",
      sql: """
        create or replace view public.vw_webhook_stats as
          select w.webhook_id, w.url, w.enabled, 0::integer as total_events, 0::integer as successful_events,
            0::integer as failed_events, null::double precision as success_rate,
            null::timestamptz as last_triggered_at
          from public.support_webhooks as w where false
        """, arguments: ["file": "support_webhooks_schema"]),
    ProbeDefect(
      "a trigger is off",
      sql: "alter table public.support_webhooks disable trigger support_webhooks_touch_updated_at",
      arguments: ["file": "support_webhooks_schema"]),
    ProbeDefect(
      "a trigger fires on replicas alone",
      sql: """
        alter table public.support_troubleshooting_config enable replica trigger support_troubleshooting_config_audit
        """, arguments: ["file": "support_troubleshooting_performance_schema"]),
    ProbeDefect(
      "a trigger waits for another event",
      sql: """
        drop trigger support_troubleshooting_feedback_copy_rating on public.support_troubleshooting_feedback;
        create trigger support_troubleshooting_feedback_copy_rating
          after update on public.support_troubleshooting_feedback
          for each row execute function public.troubleshooting_copy_feedback_rating()
        """, arguments: ["file": "support_troubleshooting_feedback_schema"]),
  ]

  /// Without `.sql`; nil for all.
  private let file: String?

  init(arguments: [String: String]) throws(ChecklistError) {
    try OperationProbes.check(arguments, of: Self.name, known: ["file"])
    file = arguments["file"].map { $0.hasSuffix(".sql") ? String($0.dropLast(4)) : $0 }
  }

  func run(_ context: ProbeContext, in access: DatabaseAccess) async -> ProbeAnswer {
    let asked =
      file.map { "the history of \"\($0)\", its verify script, and the catalogue against what it left" }
      ?? "the history of all files, their verify scripts, and the catalogue against what they left"
    do {
      let result = try await MigrateVerify(name: file).run(access)
      guard !result.migrations.isEmpty else {
        return ProbeAnswer(.failed, asked: asked, observed: "there are no migrations")
      }
      var faults = result.migrations.compactMap(Self.fault)
      let added = result.drift.filter { $0.change == "added" }
      let lost = result.drift.filter { $0.change != "added" } + added.filter { Self.changesATable($0, added) }
      // The history keeps what all files left together: of one file it is what the file names.
      let named = try file.map { file in
        let text = try access.project.migrations().files.first { $0.name == file }?.text ?? ""
        return lost.filter { object in
          // Of what was added the file can only name the table.
          let names = Self.names(of: object.object)
          return (object.change == "added" ? names.dropLast() : names[...]).allSatisfy { text.contains($0) }
        }
      }
      faults += (named ?? lost).map { "\($0.kind) \($0.object) is \($0.change)" }
      guard faults.isEmpty else {
        return ProbeAnswer(
          .failed, asked: asked, observed: faults.prefix(10).joined(separator: "; "),
          remedy: "tsdb migrate status; tsdb migrate verify")
      }
      let unchecked = result.migrations.filter { $0.script != "passed" }.map(\.name)
      if file != nil, !unchecked.isEmpty, !lost.isEmpty {
        return ProbeAnswer(
          .unknown, asked: asked, observed: "applied, but it has no verify script, and something has drifted",
          remedy: "tsdb migrate verify")
      }
      let others = result.drift.count - lost.count
      let names =
        file
        ?? "\(counted(result.migrations.count, "file")): \(result.migrations.map(\.name).joined(separator: ", "))"
      return ProbeAnswer(
        .proved, asked: asked,
        observed: "\(names); "
          + (unchecked.isEmpty
            ? "verify scripts passed" : "without verify script: \(unchecked.joined(separator: ", "))")
          + (file == nil
            ? ", nothing missing, changed or added to"
            : ", nothing that it names is missing, changed or added to")
          + (others > 0 && file == nil ? ", \(others) object\(others == 1 ? "" : "s") added by others" : "")
          + (result.liveFingerprint.map { ", catalogue \($0.prefix(27))" } ?? ""))
    } catch let error as MigrationError where error.kind == .invalidInput {
      // The name is not among the files: it is not applied as far as anybody can tell.
      return ProbeAnswer(.failed, asked: asked, observed: error.summary, remedy: error.hint)
    } catch {
      return OperationProbes.unknown(error, asked: asked, context)
    }
  }

  /// What decides about the rows of a table that was there before; an index or a table of somebody else's does not.
  private static let kindsOfTables: Set<String> = ["column", "constraint", "trigger", "rule", "policy"]

  private static func changesATable(
    _ object: MigrateVerify.Result.Drift, _ added: [MigrateVerify.Result.Drift]
  ) -> Bool {
    kindsOfTables.contains(object.kind)
      && !added.contains { !kindsOfTables.contains($0.kind) && object.object.hasPrefix($0.object + ".") }
  }

  /// The parts of an object's name behind the schema, such as table and trigger, without arguments.
  static func names(of object: String) -> [String] {
    let words = object.prefix { $0 != "(" }.split(separator: " ").last ?? ""
    return words.split(separator: ".").dropFirst().map { $0.filter { $0 != "\"" } }
  }

  private static func fault(_ migration: MigrateVerify.Result.Migration) -> String? {
    switch MigrationPlan.Standing(rawValue: migration.state) {
    case .applied, .cosmeticEdit:
      migration.script == "failed"
        ? "\"\(migration.name)\" does not verify: \(migration.message ?? "its script failed")" : nil
    default: "\"\(migration.name)\" is \(migration.state)"
    }
  }
}
