import Timekeeping

/// A measure with two limits; above one it alerts.
public struct HealthThreshold: Sendable, Equatable, Encodable {
  /// Lower-case words with hyphens.
  public let name: String
  /// What is measured, in a few words.
  public let meaning: String
  public let unit: PerformanceData.Unit
  /// nil for none, or where it follows from the server's settings or the job.
  public var warning: Double?
  public var critical: Double?

  public init(
    _ name: String, _ meaning: String, _ unit: PerformanceData.Unit = .none, warning: Double?,
    critical: Double?
  ) {
    self.name = name
    self.meaning = meaning
    self.unit = unit
    self.warning = warning
    self.critical = critical
  }

  func status(of value: Double) -> HealthStatus {
    if let critical, value > critical { return .critical }
    if let warning, value > warning { return .warning }
    return .ok
  }

  /// With the threshold's name, hyphens as underscores.
  func performance(_ value: Double?) -> PerformanceData {
    PerformanceData(name, value, unit: unit, warning: warning, critical: critical)
  }

  /// `value` as a person writes it.
  public func text(_ value: Double) -> String {
    switch unit {
    case .seconds: Duration.seconds(value.rounded()).spanText
    case .percent: "\(Int(value.rounded()))%"
    case .bytes: HealthText.bytes(Int64(value))
    case .none: value == value.rounded() ? "\(Int64(value))" : "\(value)"
    }
  }

  /// The value that a person wrote: a span such as `26h`, bytes such as `10GB`, a percentage or a number.
  func value(_ text: String) -> Double? {
    switch unit {
    case .seconds: Duration(spanText: text).map { Double($0.wholeMilliseconds) / 1000 }
    case .bytes: Self.bytes(text)
    case .percent, .none:
      Self.number(unit == .percent && text.hasSuffix("%") ? String(text.dropLast()) : text)
    }
  }

  private static func bytes(_ text: String) -> Double? {
    // As PostgreSQL's settings: multiples of 1024.
    let units: [(String, Double)] = [
      ("TB", 1_099_511_627_776), ("GB", 1_073_741_824), ("MB", 1_048_576), ("kB", 1024), ("B", 1), ("", 1),
    ]
    for (suffix, factor) in units where text.hasSuffix(suffix) {
      return number(String(text.dropLast(suffix.count))).map { $0 * factor }
    }
    return nil
  }

  private static func number(_ text: String) -> Double? {
    guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == 0x2E }),
      let value = Double(text), value < 1e15
    else { return nil }
    return value
  }
}

/// Limits that a person set instead of the checks' own.
public struct HealthLimits: Sendable, Equatable {
  private var warnings: [String: Double] = [:]
  private var criticals: [String: Double] = [:]

  public init() {}

  /// Takes `NAME=VALUE`.
  ///
  /// - Throws: ``MaintenanceError`` of kind `invalidInput` for a name that is not among `known` and a value that its
  ///   unit does not take.
  public mutating func set(_ status: HealthStatus, _ text: String, among known: [HealthThreshold]) throws {
    let option = status == .warning ? "--warning" : "--critical"
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2 else {
      throw MaintenanceError(
        .invalidInput, "\(option) takes NAME=VALUE, not \"\(text)\"",
        hint: "for example \(option) backup-age=30h")
    }
    guard let threshold = known.first(where: { $0.name == parts[0] }) else {
      throw MaintenanceError(
        .invalidInput, "\(option): there is no threshold \"\(parts[0])\"",
        hint: "\"tsdb check --list\" shows them")
    }
    guard let value = threshold.value(parts[1]) else {
      let expected =
        switch threshold.unit {
        case .seconds: "a span such as 90s, 26h or 8d"
        case .bytes: "a size such as 512MB or 10GB"
        case .percent: "a percentage such as 80"
        case .none: "a number"
        }
      throw MaintenanceError(
        .invalidInput, "\(option): \(threshold.name) takes \(expected), not \"\(parts[1])\"")
    }
    if status == .warning { warnings[threshold.name] = value } else { criticals[threshold.name] = value }
  }

  /// `threshold` with these limits in place of its own.
  func applied(to threshold: HealthThreshold) -> HealthThreshold {
    var threshold = threshold
    if let warning = warnings[threshold.name] { threshold.warning = warning }
    if let critical = criticals[threshold.name] { threshold.critical = critical }
    return threshold
  }
}

/// Values as they stand in a summary.
public enum HealthText {
  /// In the largest unit of which there are at least two.
  public static func bytes(_ count: Int64) -> String {
    let units: [(String, Int64)] = [("TB", 1 << 40), ("GB", 1 << 30), ("MB", 1 << 20), ("kB", 1 << 10)]
    for (name, size) in units where count >= 2 * size { return "\(count / size) \(name)" }
    return "\(count) bytes"
  }

  /// In the largest unit of which there are at least two, rounded down.
  public static func span(_ seconds: Int64) -> String {
    let units: [(String, Int64)] = [("days", 86_400), ("hours", 3600), ("min", 60)]
    for (name, size) in units where seconds >= 2 * size { return "\(seconds / size) \(name)" }
    return "\(seconds) s"
  }

  /// With a noun in the right number.
  public static func count(_ count: Int64, _ one: String, _ many: String) -> String {
    "\(count) \(count == 1 ? one : many)"
  }
}
