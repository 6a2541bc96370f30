/// A part of a report: what was seen, or that it could not be seen and why. Nothing is left out silently.
public enum ReportPart<Value: Sendable & Encodable>: Sendable, Encodable {
  case known(Value)
  /// There is nothing of the kind.
  case absent
  case unknown(ReportGap)

  public var value: Value? {
    if case .known(let value) = self { value } else { nil }
  }

  public var gap: ReportGap? {
    if case .unknown(let gap) = self { gap } else { nil }
  }

  private enum CodingKeys: String, CodingKey {
    case state, value, reason, remedy
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    switch self {
    case .known(let value):
      try container.encode("known", forKey: .state)
      try container.encode(value, forKey: .value)
    case .absent:
      try container.encode("absent", forKey: .state)
    case .unknown(let gap):
      try container.encode("unknown", forKey: .state)
      try container.encode(gap.reason, forKey: .reason)
      try container.encodeIfPresent(gap.remedy, forKey: .remedy)
    }
  }
}

/// Why something is not known.
public struct ReportGap: Sendable, Encodable {
  public let reason: ReportText
  /// The GRANT that is missing, or what else would help.
  public let remedy: ReportText?

  public init(_ reason: ReportText, remedy: ReportText?) {
    self.reason = reason
    self.remedy = remedy
  }
}

/// The first rows of something, and how many more there are.
public struct ReportList<Row: Sendable & Encodable>: Sendable, Encodable {
  public let rows: [Row]
  public let omitted: Int

  public init(_ rows: [Row], omitted: Int = 0) {
    self.rows = rows
    self.omitted = omitted
  }

  /// - Parameter limit: of the rows that are kept.
  public init(_ rows: [Row], limit: Int) {
    self.init(Array(rows.prefix(limit)), omitted: max(0, rows.count - limit))
  }

  public var count: Int { rows.count + omitted }
}
