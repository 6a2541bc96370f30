/// What a server says of a row that it refused.
enum RowText {
  /// `text` without the values of a row that the server repeats in its detail, in whatever language: integrity
  /// constraints are told of with the key's values, or with the whole row.
  ///
  /// Source: PostgreSQL manual, error codes: class 23; 23502 and 23514 repeat the row, the others a key as
  /// `(columns)=(values)`.
  static func withoutValues(_ text: String, sqlState: String?) -> String {
    guard let sqlState, sqlState.hasPrefix("23") else { return text }
    let repeatsRow = sqlState == "23502" || sqlState == "23514"
    return text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
      if let start = line.firstRange(of: ")=("), let end = line.lastIndex(of: ")"), start.upperBound <= end {
        return line[..<start.upperBound] + "…" + line[end...]
      }
      if repeatsRow, line.hasSuffix(")."), let start = line.firstIndex(of: "("),
        let end = line.lastIndex(of: ")")
      {
        return line[...start] + "…" + line[end...]
      }
      return String(line)
    }.joined(separator: "\n")
  }
}
