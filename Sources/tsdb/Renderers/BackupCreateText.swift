import Operations

extension BackupCreate.Result {
  func text(style: Style) -> String {
    let ratio = size > 0 ? Double(bytes) / Double(size) : 0
    let head = migrationHead.map { ", at migration \($0)" } ?? ""
    return """
      \(style.good("complete")) \(id)
      \(database)\(head): \(counted(tables, "table")), \(counted(Int(rows), "row")), \(ByteCount.text(bytes)) in \(ByteCount.text(size)) \
      (1:\(Self.tenths(ratio))), \(Self.tenths(seconds)) s
      \(style.faint(path))
      """
  }

  private static func tenths(_ value: Double) -> String {
    let tenths = Int((value * 10).rounded())
    return "\(tenths / 10).\(tenths % 10)"
  }
}
