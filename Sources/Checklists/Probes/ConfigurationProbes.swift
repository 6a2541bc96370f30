import Postgres

/// What the application is told by rows of its tables.
public enum ConfigurationProbes {
  public static let all: [any Probe.Type] = [
    ConfigurationInitialProbe.self, ConfigurationAdjustedProbe.self, WebhooksConfiguredProbe.self,
    NotificationsConfiguredProbe.self,
  ]

  static let table = "public.support_troubleshooting_config"

  /// Statements that show the settings, and set one right.
  static let correction =
    "select config_key, config_type, config_value from \(table) order by config_key; "
    + "update \(table) set config_value = 'VALUE' where config_key = 'KEY'"
}

/// A key of the initial configuration.
struct InitialSetting: Sendable, Equatable {
  let key: String
  let type: String
  let value: String

  static let all = [
    Self(key: "auto_escalate_after_failures", type: "number", value: "2"),
    Self(key: "default_timeout_minutes", type: "number", value: "30"),
    Self(key: "enable_llm_enhancement", type: "boolean", value: "true"),
    Self(key: "feedback_collection_enabled", type: "boolean", value: "true"),
    Self(key: "notification_channels", type: "json", value: "[\"email\"]"),
    Self(key: "max_session_duration_hours", type: "number", value: "24"),
  ]
}

/// The initial configuration as it stands in a database; names of keys, never their values.
struct ConfigurationFindings: Sendable, Equatable {
  var missing: [String] = []
  var ofOtherType: [String] = []
  var unreadable: [String] = []
  /// From the defaults; no fault.
  var differing: [String] = []

  var isSound: Bool { missing.isEmpty && ofOtherType.isEmpty && unreadable.isEmpty }

  var faults: String {
    [("missing", missing), ("of another type", ofOtherType), ("value does not parse", unreadable)]
      .filter { !$0.1.isEmpty }.map { "\($0.0): \($0.1.joined(separator: ", "))" }.joined(separator: "; ")
  }

  /// In a transaction, which it leaves as it was.
  static func read(on connection: borrowing Connection) throws -> ConfigurationFindings {
    var findings = ConfigurationFindings()
    for setting in InitialSetting.all {
      let row = try connection.query(
        "select config_type, config_value from \(ConfigurationProbes.table) where config_key = $1",
        [setting.key])
      guard row.rowCount == 1 else {
        findings.missing.append(setting.key)
        continue
      }
      guard row.text(0, 0) == setting.type else {
        findings.ofOtherType.append(setting.key)
        continue
      }
      let value = row.text(0, 1)
      // The server's own reading of the type, which clients follow.
      let type = ["number": "numeric", "boolean": "boolean", "json": "jsonb"][setting.type] ?? "text"
      guard try ProbeTrial.refusal(of: "select $1::\(type)", [value], on: connection) == nil else {
        findings.unreadable.append(setting.key)
        continue
      }
      let read = try connection.query("select $1::\(type) = $2::\(type)", [value, setting.value])
      if !read.isTrue(0, 0) { findings.differing.append(setting.key) }
      // The server reads more words as booleans than clients do.
      if setting.type == "boolean", !["true", "false"].contains(value) {
        findings.unreadable.append(setting.key)
      }
    }
    return findings
  }
}

/// The six keys of the initial configuration.
public struct ConfigurationInitialProbe: Probe {
  public static let name = "configuration.initial"
  public static let summary =
    "the six keys of the initial configuration are there, of their types, and their values parse"
  public static let defects = [
    ProbeDefect(
      "a key that is gone",
      sql: "delete from \(ConfigurationProbes.table) where config_key = 'max_session_duration_hours'"),
    ProbeDefect(
      "a key of another type",
      sql:
        "update \(ConfigurationProbes.table) set config_type = 'string' where config_key = 'default_timeout_minutes'"
    ),
    ProbeDefect(
      "a value that does not parse",
      sql: """
        alter table \(ConfigurationProbes.table) drop constraint support_troubleshooting_config_value_check;
        update \(ConfigurationProbes.table) set config_value = 'dos' where config_key = 'auto_escalate_after_failures'
        """),
    ProbeDefect(
      "a list that is no JSON",
      sql: """
        alter table \(ConfigurationProbes.table) drop constraint support_troubleshooting_config_value_check;
        update \(ConfigurationProbes.table) set config_value = '[email' where config_key = 'notification_channels'
        """),
    ProbeDefect(
      "a boolean that only the server reads",
      sql: """
        alter table \(ConfigurationProbes.table) drop constraint support_troubleshooting_config_value_check;
        update \(ConfigurationProbes.table) set config_value = 'on' where config_key = 'enable_llm_enhancement'
        """),
  ]

  public init(arguments: [String: String]) throws(ChecklistError) {
    _ = try ProbeArguments(arguments, of: Self.name)
  }

  public func run(_ context: ProbeContext) async -> ProbeAnswer {
    let question = ProbeQuestion(
      "six keys of \(ConfigurationProbes.table): type, and whether the value parses",
      needs: [.select(ConfigurationProbes.table)])
    return await question.answer(context.session) { connection in
      let findings = try ConfigurationFindings.read(on: connection)
      guard findings.isSound else {
        return question.failed(
          findings.faults, remedy: "tsdb seed; \(ConfigurationProbes.correction)")
      }
      let differing =
        findings.differing.isEmpty
        ? "all as delivered" : "not as delivered: \(findings.differing.joined(separator: ", "))"
      return question.proved(
        "\(InitialSetting.all.count) keys of their types, every value parses; \(differing)")
    }
  }
}

/// What was changed since, and whether the audit knows.
public struct ConfigurationAdjustedProbe: Probe {
  public static let name = "configuration.adjusted"
  public static let summary =
    "keys whose values differ from those delivered, each with the audit's record of the change"
  public static let defects = [
    ProbeDefect(
      "a change behind the audit's back",
      sql: """
        alter table \(ConfigurationProbes.table) disable trigger support_troubleshooting_config_audit;
        update \(ConfigurationProbes.table) set config_value = '5', updated_at = pg_catalog.clock_timestamp()
        where config_key = 'auto_escalate_after_failures'
        """),
    ProbeDefect(
      "a key that is gone",
      sql: "delete from \(ConfigurationProbes.table) where config_key = 'default_timeout_minutes'"),
  ]

  static let audit = "public.support_troubleshooting_audit_log"

  public init(arguments: [String: String]) throws(ChecklistError) {
    _ = try ProbeArguments(arguments, of: Self.name)
  }

  public func run(_ context: ProbeContext) async -> ProbeAnswer {
    let question = ProbeQuestion(
      "keys of \(ConfigurationProbes.table) that differ from those delivered; the audit's rows on them",
      needs: [.select(ConfigurationProbes.table), .select(Self.audit)])
    return await question.answer(context.session) { connection in
      let findings = try ConfigurationFindings.read(on: connection)
      guard findings.isSound else {
        return question.failed(findings.faults, remedy: "tsdb seed; \(ConfigurationProbes.correction)")
      }
      guard !findings.differing.isEmpty else {
        return question.proved("\(InitialSetting.all.count) keys read, none differs from what was delivered")
      }
      // What is older than the whole audit was changed before there was one, or its record has expired.
      let row = try connection.query(
        """
        select count(*) filter (where a.found is null and c.updated_at >= o.oldest),
          count(*) filter (where a.found is null and c.updated_at < o.oldest or o.oldest is null),
          (select count(distinct l.changed_by) from \(Self.audit) as l
            where l.table_name = 'support_troubleshooting_config' and l.record_id = any ($1::text[])),
          coalesce(to_char(max(c.updated_at) at time zone 'UTC', 'YYYY-MM-DD HH24:MI'), '')
        from \(ConfigurationProbes.table) as c
        cross join (select min(l.changed_at) as oldest from \(Self.audit) as l) as o
        left join lateral (
          select true as found from \(Self.audit) as l
          where l.table_name = 'support_troubleshooting_config' and l.record_id = c.config_key
            and l.changed_by is not null and l.new_values ->> 'config_value' = c.config_value limit 1) as a on true
        where c.config_key = any ($1::text[])
        """, [Quoting.textArray(findings.differing)])
      guard let untold = row.integer(0, 0), let earlier = row.integer(0, 1), let people = row.integer(0, 2)
      else {
        return question.unknown("the audit cannot be read")
      }
      let keys = findings.differing.joined(separator: ", ")
      guard untold == 0 else {
        return question.failed(
          "differ: \(keys); \(ProbeText.count(untold, "change")) without a record in the audit",
          remedy:
            "alter table public.support_troubleshooting_config enable trigger support_troubleshooting_config_audit"
        )
      }
      return question.proved(
        "differ: \(keys); changed by \(ProbeText.count(people, "person or role", "persons or roles")) of the audit, "
          + "last \(row.text(0, 3)) UTC" + (earlier == 0 ? "" : "; \(earlier) before the audit begins"))
    }
  }
}
