/// A cron expression of five fields: minute, hour, day of the month, month, day of the week.
///
/// Numbers, lists, ranges, steps, names of months and weekdays, 7 for Sunday, and `@hourly`, `@daily`, `@midnight`,
/// `@weekly`, `@monthly`, `@yearly`, `@annually`, as crontab(5) has them.
public struct CronExpression: Sendable, Equatable {
  /// As written.
  public let text: String
  let minutes: CronField
  let hours: CronField
  let days: CronField
  let months: CronField
  /// 0 for Sunday to 6.
  let weekdays: CronField

  /// Why a text is no cron expression.
  public struct Fault: Error, Sendable, Equatable {
    /// Names the field, the value and its range.
    public let message: String
    public let hint: String

    init(_ message: String, hint: String = "write for example \"10 3 * * 1-5\": 03:10 from Monday to Friday")
    {
      self.message = message
      self.hint = hint
    }
  }

  /// - Throws: ``Fault``, also for an expression that no day ever matches, such as 31 February.
  public init(_ text: String) throws(Fault) {
    self.text = text
    var fields = text.split(whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init)
    if fields.count == 1, let first = fields.first, first.hasPrefix("@") {
      guard let meaning = Self.shorthands.first(where: { $0.name == first.lowercased() })?.meaning else {
        throw Fault(
          "\"\(first)\" is not known",
          hint: "it is one of: \(Self.shorthands.map(\.name).joined(separator: ", "))")
      }
      fields = meaning.split(separator: " ").map(String.init)
    }
    guard fields.count == 5 else {
      throw Fault(
        "a cron expression has five fields (minute, hour, day of the month, month, day of the week), "
          + "not \(fields.count)")
    }
    minutes = try CronField(fields[0], .minute)
    hours = try CronField(fields[1], .hour)
    days = try CronField(fields[2], .dayOfMonth)
    months = try CronField(fields[3], .month)
    weekdays = try CronField(fields[4], .dayOfWeek)
    guard everFires else {
      throw Fault(
        "the day of the month \(fields[2]) never comes in the month \(fields[3])",
        hint: "a month has at most \(longestMonth) days there")
    }
  }

  private static let shorthands: [(name: String, meaning: String)] = [
    ("@hourly", "0 * * * *"), ("@daily", "0 0 * * *"), ("@midnight", "0 0 * * *"), ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"), ("@yearly", "0 0 1 1 *"), ("@annually", "0 0 1 1 *"),
  ]

  /// Whether it follows real time over changes of the clock: its hour begins with `*`.
  var followsRealTime: Bool { hours.beginsWithStar }

  /// Two restricted fields of days mean either of them; one that begins with `*` restricts nothing by itself, as in
  /// Vixie's cron.
  func matches(month: Int, day: Int, weekday: Int) -> Bool {
    guard months.contains(month) else { return false }
    return days.beginsWithStar || weekdays.beginsWithStar
      ? days.contains(day) && weekdays.contains(weekday) : days.contains(day) || weekdays.contains(weekday)
  }

  private var longestMonth: Int {
    (1...12).filter(months.contains).map { $0 == 2 ? 29 : [4, 6, 9, 11].contains($0) ? 30 : 31 }.max() ?? 0
  }

  /// Each date, also 29 February, falls on every day of the week at some time.
  private var everFires: Bool {
    if !days.beginsWithStar, !weekdays.beginsWithStar { return true }
    return (1...longestMonth).contains(where: days.contains)
  }
}

/// The values of one field.
struct CronField: Sendable, Equatable {
  enum Kind: Sendable {
    case minute, hour, dayOfMonth, month, dayOfWeek

    var name: String {
      switch self {
      case .minute: "minute"
      case .hour: "hour"
      case .dayOfMonth: "day of the month"
      case .month: "month"
      case .dayOfWeek: "day of the week"
      }
    }

    var range: ClosedRange<Int> {
      switch self {
      case .minute: 0...59
      case .hour: 0...23
      case .dayOfMonth: 1...31
      case .month: 1...12
      case .dayOfWeek: 0...7
      }
    }

    /// The first stands for the range's lower bound.
    var names: [String] {
      switch self {
      case .month: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
      case .dayOfWeek: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
      default: []
      }
    }
  }

  let beginsWithStar: Bool
  private let bits: UInt64

  /// Ascending.
  let values: [Int]

  func contains(_ value: Int) -> Bool { bits & (1 << UInt64(value)) != 0 }

  init(_ text: String, _ kind: Kind) throws(CronExpression.Fault) {
    beginsWithStar = text.hasPrefix("*")
    var bits: UInt64 = 0
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      for value in try Self.values(String(part), of: text, kind) { bits |= 1 << UInt64(value) }
    }
    if kind == .dayOfWeek, bits & 1 << 7 != 0 { bits = bits & ~(1 << 7) | 1 }
    self.bits = bits
    values = (0..<64).filter { bits & (1 << UInt64($0)) != 0 }
  }

  /// Of one part of a list: `*`, a value or a range, each with a step or without.
  private static func values(
    _ part: String, of field: String, _ kind: Kind
  ) throws(CronExpression.Fault) -> [Int] {
    let pieces = part.split(separator: "/", omittingEmptySubsequences: false)
    let ends = pieces[0].split(separator: "-", omittingEmptySubsequences: false)
    let range: ClosedRange<Int>
    // Sunday is one day, however often its number comes.
    let whole = kind == .dayOfWeek ? 0...6 : kind.range
    switch (pieces[0], ends.count) {
    case ("*", _): range = whole
    case (_, 1):
      let value = try number(pieces[0], of: field, kind)
      // Vixie's cron takes "5/10" for "5".
      guard pieces.count == 1 else {
        throw CronExpression.Fault(
          "the \(kind.name) \"\(part)\" has a step without a range",
          hint: "write \"\(value)-\(kind.range.upperBound)/\(pieces[1])\" or \"*/\(pieces[1])\"")
      }
      range = value...value
    case (_, 2):
      let (low, high) = (try number(ends[0], of: field, kind), try number(ends[1], of: field, kind))
      guard low <= high else {
        throw CronExpression.Fault(
          "the \(kind.name) \"\(part)\" is a range that ends before it begins",
          hint: "write two ranges: \"\(low)-\(kind.range.upperBound),\(kind.range.lowerBound)-\(high)\"")
      }
      range = low...high
    default: throw malformed(part, kind)
    }
    guard pieces.count <= 2 else { throw malformed(part, kind) }
    guard pieces.count == 2 else { return Array(range) }
    let most = kind.range.upperBound
    guard isNumber(pieces[1]), let step = Int(pieces[1]), (1...most).contains(step) else {
      throw CronExpression.Fault(
        "the step of the \(kind.name) \"\(part)\" is \"\(pieces[1])\", not a number from 1 to \(most)")
    }
    return Array(stride(from: range.lowerBound, through: range.upperBound, by: step))
  }

  private static func number(
    _ text: Substring, of field: String, _ kind: Kind
  ) throws(CronExpression.Fault) -> Int {
    if let index = kind.names.firstIndex(of: text.lowercased()) { return index + kind.range.lowerBound }
    guard isNumber(text) else {
      guard !text.isEmpty else { throw malformed(field, kind) }
      throw CronExpression.Fault(
        "the \(kind.name) \"\(text)\" is not a number from \(kind.range.lowerBound) to \(kind.range.upperBound)"
          + (kind.names.isEmpty ? "" : " or one of \(kind.names.joined(separator: ", "))"))
    }
    guard let value = Int(text), kind.range.contains(value) else {
      throw CronExpression.Fault(
        "the \(kind.name) \(text) is not from \(kind.range.lowerBound) to \(kind.range.upperBound)")
    }
    return value
  }

  private static func malformed(_ text: String, _ kind: Kind) -> CronExpression.Fault {
    CronExpression.Fault(
      "the \(kind.name) \"\(text)\" is not a number, a range, a list of them, or *, each with a step or without"
    )
  }

  private static func isNumber(_ text: Substring) -> Bool {
    !text.isEmpty && text.allSatisfy { $0.isASCII && $0.isNumber }
  }
}
