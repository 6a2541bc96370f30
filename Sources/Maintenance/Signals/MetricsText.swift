import Timekeeping

/// What Prometheus is told about the jobs of a database: a file of the text format, for the textfile collector of
/// node_exporter.
///
/// Without timestamps: one would make node_exporter reject the whole file. The label of a job is `task`, because
/// Prometheus renames a label `job` of the metrics to `exported_job`.
public struct MetricsText: Sendable, Equatable {
  /// One job.
  public struct Task: Sendable, Equatable {
    public let name: String
    /// nil where no run was ever recorded.
    public let history: JobHistory?
    public let isEnabled: Bool

    public init(name: String, history: JobHistory?, isEnabled: Bool = true) {
      self.name = name
      self.history = history
      self.isEnabled = isEnabled
    }
  }

  public let database: String
  public let tasks: [Task]
  /// When `tsdb maintain` looked at the schedule, whatever it ran.
  public let looked: UTCTime

  public init(database: String, tasks: [Task], looked: UTCTime) {
    self.database = database
    self.tasks = tasks.sorted { $0.name < $1.name }
    self.looked = looked
  }

  /// The status of the newest run, as the metric counts it.
  ///
  /// The numbers are part of what users' alerts rely on: a new outcome gets a new number.
  public static func status(_ history: JobHistory?) -> Int {
    switch history?.lastRun?.outcome {
    case nil, .skipped: -1
    case .ok: 0
    case .partial: 1
    case .failed: 2
    case .running: 3
    }
  }

  private struct Family {
    let name: String
    let help: String
    let value: @Sendable (Task) -> Int64?
    /// How many thousandths the value counts.
    var isMilliseconds = false
  }

  /// A value of nil has no line: it is not known, which is not 0.
  private static let families = [
    Family(
      name: "tsdb_task_last_success_timestamp_seconds",
      help: "When the last run that ended ok or partial ended; 0 if there was none."
    ) {
      $0.history?.lastSuccess.map { ($0.ended ?? $0.started).secondsSince1970 } ?? 0
    },
    Family(
      name: "tsdb_task_last_run_timestamp_seconds",
      help: "When the last run of any outcome but skipped began; 0 if there was none."
    ) { $0.history?.lastRun?.started.secondsSince1970 ?? 0 },
    Family(name: "tsdb_task_duration_seconds", help: "How long the last run that has ended took.") {
      guard let run = $0.history?.lastRun, let ended = run.ended else { return nil }
      return max(0, ended - run.started)
    },
    Family(
      name: "tsdb_task_typical_duration_seconds", help: "The median duration of the last ten successes.",
      value: { $0.history?.medianMilliseconds }, isMilliseconds: true),
    Family(name: "tsdb_task_rows", help: "Rows that the last run deleted, moved or read.") {
      $0.history?.lastRun?.rows
    },
    Family(
      name: "tsdb_task_backlog",
      help: "Rows or relations that the last run left; absent where nobody counted."
    ) { $0.history?.lastRun?.backlog },
    Family(
      name: "tsdb_task_status",
      help: "How the last run ended: 0 ok, 1 partial, 2 failed, 3 running, -1 never run."
    ) { Int64(status($0.history)) },
    Family(name: "tsdb_task_skips_in_a_row", help: "Runs that were skipped since the last that was not.") {
      Int64($0.history?.skipsInARow ?? 0)
    },
    Family(name: "tsdb_task_enabled", help: "1 if the task is enabled, else 0.") { $0.isEnabled ? 1 : 0 },
  ]

  /// The file, with a line end at its end.
  public var text: String {
    var lines: [String] = []
    let database = Self.escaped(database)
    for family in Self.families {
      let samples = tasks.compactMap { task in
        family.value(task).map { value in
          let number = family.isMilliseconds ? Self.seconds(value) : "\(value)"
          return "\(family.name){task=\"\(Self.escaped(task.name))\",database=\"\(database)\"} \(number)"
        }
      }
      if samples.isEmpty { continue }
      lines += ["# HELP \(family.name) \(family.help)", "# TYPE \(family.name) gauge"] + samples
    }
    let name = "tsdb_maintain_last_look_timestamp_seconds"
    lines += [
      "# HELP \(name) When tsdb maintain last looked at the schedule, whatever it ran.",
      "# TYPE \(name) gauge", "\(name){database=\"\(database)\"} \(looked.secondsSince1970)",
    ]
    return lines.joined(separator: "\n") + "\n"
  }

  private static func seconds(_ milliseconds: Int64) -> String {
    let rest = String(milliseconds % 1000)
    return "\(milliseconds / 1000).\(String(repeating: "0", count: 3 - rest.count))\(rest)"
  }

  /// Source: the Prometheus text exposition format, 0.0.4: backslash, double quote and line feed in a label's value.
  static func escaped(_ value: String) -> String {
    var result = String.UnicodeScalarView()
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\\": result.append(contentsOf: "\\\\".unicodeScalars)
      case "\"": result.append(contentsOf: "\\\"".unicodeScalars)
      case "\n": result.append(contentsOf: "\\n".unicodeScalars)
      default: result.append(scalar)
      }
    }
    return String(result)
  }
}
