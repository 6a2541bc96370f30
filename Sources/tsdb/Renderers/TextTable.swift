/// Rows of text in aligned columns.
struct TextTable {
  private var rows: [[String]] = []
  private let header: [String]

  init(_ header: [String]) {
    self.header = header
  }

  mutating func add(_ row: [String]) { rows.append(row) }

  /// - Parameter style: gives the header and, by column, the cells their colour after they are padded.
  func text(style: Style, colour: (_ column: Int, _ cell: String) -> String = { $1 }) -> String {
    var widths = header.map(\.count)
    for row in rows {
      for (column, cell) in row.enumerated() { widths[column] = max(widths[column], cell.count) }
    }
    func line(_ cells: [String], _ decorate: (Int, String) -> String) -> String {
      cells.enumerated().map { column, cell in
        let padding = column == cells.count - 1 ? 0 : widths[column] - cell.count
        return decorate(column, cell) + String(repeating: " ", count: padding)
      }.joined(separator: "  ")
    }
    return ([line(header) { style.faint($1) }] + rows.map { line($0, colour) }).joined(separator: "\n")
  }
}
