/// A number of bytes as a person reads it.
enum ByteCount {
  private static let units = ["kB", "MB", "GB", "TB", "PB"]

  /// Such as `812 B`, `1.4 MB` or `23 GB`; powers of 1000.
  static func text(_ bytes: Int64) -> String {
    guard bytes >= 1000 else { return "\(bytes) B" }
    var value = Double(bytes)
    var unit = ""
    for next in units where value >= 999.5 || unit.isEmpty {
      value /= 1000
      unit = next
    }
    return value < 9.95 ? "\(tenths(value)) \(unit)" : "\(Int(value.rounded())) \(unit)"
  }

  private static func tenths(_ value: Double) -> String {
    let tenths = Int((value * 10).rounded())
    return "\(tenths / 10).\(tenths % 10)"
  }
}
