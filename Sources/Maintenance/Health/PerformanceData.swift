/// One value for a graph, as the Monitoring Plugins guidelines write it.
public struct PerformanceData: Sendable, Equatable, Encodable {
  public enum Unit: String, Sendable, Encodable {
    case none = ""
    case seconds = "s"
    case percent = "%"
    case bytes = "B"
  }

  /// Lower-case letters, digits and underscores.
  public let label: String
  /// nil where it could not be seen, written `U`.
  public let value: Double?
  public let unit: Unit
  /// Alerts above; nil for none.
  public let warning: Double?
  public let critical: Double?

  public init(
    _ label: String, _ value: Double?, unit: Unit = .none, warning: Double? = nil, critical: Double? = nil
  ) {
    // The guidelines forbid = and ' in a label and ask for quotes around spaces; a bar or a line end would break
    // the output apart.
    self.label = String(
      label.lowercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" })
    self.value = value.flatMap { $0.isFinite ? $0 : nil }
    self.unit = unit
    self.warning = warning
    self.critical = critical
  }

  /// Such as `xid_age=152000000;300000000;1600000000`.
  public var text: String {
    guard let value else { return "\(label)=U" }
    var fields = [Self.number(value) + unit.rawValue]
    fields += [warning, critical].map { $0.map(Self.number) ?? "" }
    while fields.last?.isEmpty == true { fields.removeLast() }
    return "\(label)=\(fields.joined(separator: ";"))"
  }

  /// Digits, at most one point and at most two places behind it; never an exponent.
  private static func number(_ value: Double) -> String {
    let hundredths = Int64(max(-9e16, min(9e16, (value * 100).rounded())))
    let (whole, rest) = (hundredths.magnitude / 100, hundredths.magnitude % 100)
    let sign = hundredths < 0 ? "-" : ""
    if rest == 0 { return "\(sign)\(whole)" }
    return rest % 10 == 0 ? "\(sign)\(whole).\(rest / 10)" : "\(sign)\(whole).\(rest < 10 ? "0" : "")\(rest)"
  }
}
