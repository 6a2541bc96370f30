import Maintenance
import Timekeeping

typealias JobKey = SectionKey<MaintenanceSection.Draft>

/// What can be said of a job.
enum JobKeys {
  /// Of every job.
  static let common: [JobKey] = [
    JobKey("kind", "the kind of job") { _, _ in true },
    JobKey("schedule", "a cron expression such as \"15 2 * * *\"") {
      draft, entry throws(ConfigurationError) in
      guard let text = entry.text else { return false }
      do throws(CronExpression.Fault) {
        draft.job.schedule = .cron(try CronExpression(text))
      } catch {
        throw entry.section.error(
          "\"\(entry.name)\" is not a cron expression: \(error.message)", entry.value, hint: error.hint)
      }
      draft.isScheduled = true
      return true
    },
    JobKey("every", "a span of at least 1min, such as 15min or 1h") { draft, entry in
      guard let span = entry.span, span >= .seconds(60), span.wholeMilliseconds % 1000 == 0 else {
        return false
      }
      draft.job.schedule = .every(span)
      draft.isScheduled = true
      return true
    },
    JobKey("budget", "a span of at least 1s, such as 30min", \.job.budget) {
      $0.span.flatMap { $0 >= .seconds(1) ? $0 : nil }
    },
    JobKey("lock_timeout", "a span from 1ms to 1min, such as 200ms", \.job.lockTimeout) {
      $0.span.flatMap { $0 > .zero && $0 <= .seconds(60) ? $0 : nil }
    },
    JobKey("retry", "a span such as 5min, or 0", \.job.retry) { $0.span },
    JobKey("only_after", "the name of a job or a list of them", \.job.onlyAfter) { $0.texts },
    JobKey("enabled", "true or false", \.job.isEnabled) { $0.bool },
  ]

  private static let names = "a list of names with their schemas, such as [public.orders, \"log.*\"]"

  static func selection(_ include: String) -> [JobKey] {
    [
      JobKey(include, names) { draft, entry in
        guard let names = entry.relations else { return false }
        draft.job.work.select { $0.include = names }
        return true
      },
      JobKey("exclude", names) { draft, entry in
        guard let names = entry.relations else { return false }
        draft.job.work.select { $0.exclude = names }
        return true
      },
    ]
  }

  static let vacuum = JobKey("analyze", "true or false") { draft, entry in
    guard let analyzes = entry.bool, case .vacuum(let selection, _) = draft.job.work else { return false }
    draft.job.work = .vacuum(selection, analyze: analyzes)
    return true
  }

  static let retention = JobKey("rules", "a list of rules, each with table, column and keep") {
    draft, entry throws(ConfigurationError) in
    let empty = RetentionRule(table: "", column: "", keep: .zero)
    guard
      let rules = try entry.section.list(
        entry, of: empty, ofRetention, required: ["table", "column", "keep"])
    else { return false }
    draft.job.work = .retention(rules)
    return true
  }

  static let partitions = JobKey("partitions", "a list of partitioned tables, each with table") {
    draft, entry throws(ConfigurationError) in
    guard
      let rules = try entry.section.list(
        entry, of: PartitionRule(table: ""), ofPartitions, required: ["table"])
    else { return false }
    draft.job.work = .partitions(rules)
    return true
  }

  static let indexes: [JobKey] = [
    JobKey("bloat_percent", "a number from 1 to 99") { draft, entry in
      guard let percent = entry.number(1...99), case .indexes(var rule) = draft.job.work else { return false }
      rule.bloatPercent = percent
      draft.job.work = .indexes(rule)
      return true
    },
    JobKey("bloat_minimum", "a size such as 16MB") { draft, entry in
      guard let size = entry.size, case .indexes(var rule) = draft.job.work else { return false }
      rule.bloatMinimumBytes = size
      draft.job.work = .indexes(rule)
      return true
    },
  ]

  static let backup: [JobKey] = [
    JobKey("prune", "true or false") { draft, entry in
      guard let prunes = entry.bool, case .backup(var rule) = draft.job.work else { return false }
      rule.prunes = prunes
      draft.job.work = .backup(rule)
      return true
    },
    JobKey("jobs", "a number from 1 to 64") { draft, entry in
      guard let count = entry.text.flatMap({ Int($0) }), (1...64).contains(count),
        case .backup(var rule) = draft.job.work
      else { return false }
      rule.jobs = count
      draft.job.work = .backup(rule)
      return true
    },
    JobKey("prove_every", "a span of at least 1h, such as 7d, or never") { draft, entry in
      guard case .backup(var rule) = draft.job.work else { return false }
      if entry.text == "never" {
        rule.proveEvery = nil
      } else {
        guard let span = entry.span, span >= .seconds(3600) else { return false }
        rule.proveEvery = span
      }
      draft.job.work = .backup(rule)
      return true
    },
  ]

  static let sql = JobKey("file", "the path of an SQL file") { draft, entry in
    guard let path = entry.text, !path.isEmpty, !path.utf8.contains(0) else { return false }
    draft.job.work = .sql(path: path)
    return true
  }

  static let command = JobKey(
    "run", "a list of a program and its arguments, such as [/usr/bin/env, true]; there is no shell"
  ) { draft, entry in
    guard entry.isList, let words = entry.texts, words.allSatisfy({ !$0.utf8.contains(0) })
    else { return false }
    draft.job.work = .command(words)
    return true
  }
}

extension JobKeys {
  /// Of a rule of retention.
  private static let ofRetention: [SectionKey<RetentionRule>] = [
    SectionKey("table", "a name with its schema, such as public.orders", \.table) { $0.relation },
    SectionKey("column", "the name of a column", \.column) { $0.text.flatMap { $0.isEmpty ? nil : $0 } },
    SectionKey("keep", "a span such as 90d, or 0", \.keep) { $0.span },
    SectionKey("where", "a condition in SQL, such as status = 'closed'", \.condition) { entry in
      entry.text.flatMap { $0.isEmpty ? nil : .some($0) }
    },
    SectionKey("needs_backup", "a span such as 1d", \.needsBackup) { entry in
      entry.span.flatMap { $0 > .zero ? .some($0) : nil }
    },
    SectionKey("allow_seqscan", "true or false", \.allowsSequentialScan) { $0.bool },
    SectionKey("max_rows", "a number from 1 to 100000", \.maxRows) { $0.number(1...100_000) },
    SectionKey("max_bytes", "a size from 8kB to 1GB, such as 8MB", \.maxBytes) {
      $0.size.flatMap { (8 << 10...1 << 30).contains($0) ? $0 : nil }
    },
    SectionKey("batch_time", "a span from 1ms to 10s, such as 100ms", \.batchTime) {
      $0.span.flatMap { $0 > .zero && $0 <= .seconds(10) ? $0 : nil }
    },
  ]

  /// Of a partitioned table.
  private static let ofPartitions: [SectionKey<PartitionRule>] = [
    SectionKey("table", "a name with its schema, such as public.events", \.table) { $0.relation },
    SectionKey("interval", "day, week, month or year", \.interval) {
      $0.text.flatMap(PartitionRule.Interval.init(rawValue:))
    },
    SectionKey("ahead", "a number from 1 to 1000", \.ahead) { $0.number(1...1000) },
    SectionKey("keep", "a span of at least 1d, such as 365d", \.keep) { entry in
      entry.span.flatMap { $0 >= .seconds(86_400) ? .some($0) : nil }
    },
  ]
}

/// A kind of job: what it does without further keys, and the keys it has.
struct JobKind: Sendable {
  /// As ``JobWork/kind``.
  var name: String { work.kind }
  let work: JobWork
  let keys: [JobKey]
  let required: [String]

  private init(_ work: JobWork, _ keys: [JobKey], required: [String] = []) {
    self.work = work
    self.keys = keys
    self.required = required
  }

  static let all: [JobKind] = [
    JobKind(.refreshViews(RelationSelection()), JobKeys.selection("views")),
    JobKind(.retention([]), [JobKeys.retention], required: ["rules"]),
    JobKind(.partitions([]), [JobKeys.partitions], required: ["partitions"]),
    JobKind(.vacuum(RelationSelection(), analyze: true), JobKeys.selection("tables") + [JobKeys.vacuum]),
    JobKind(.analyze(RelationSelection()), JobKeys.selection("tables")),
    JobKind(.indexes(IndexRule()), JobKeys.selection("tables") + JobKeys.indexes),
    JobKind(.backup(BackupRule()), JobKeys.backup), JobKind(.check, []),
    JobKind(.sql(path: ""), [JobKeys.sql], required: ["file"]),
    JobKind(.command([]), [JobKeys.command], required: ["run"]),
  ]
}

extension JobWork {
  /// Changes which relations it is about, where it is about a selection.
  fileprivate mutating func select(_ change: (inout RelationSelection) -> Void) {
    switch self {
    case .refreshViews(var selection):
      change(&selection)
      self = .refreshViews(selection)
    case .vacuum(var selection, let analyzes):
      change(&selection)
      self = .vacuum(selection, analyze: analyzes)
    case .analyze(var selection):
      change(&selection)
      self = .analyze(selection)
    case .indexes(var rule):
      change(&rule.tables)
      self = .indexes(rule)
    case .retention, .partitions, .backup, .check, .sql, .command: break
    }
  }
}
