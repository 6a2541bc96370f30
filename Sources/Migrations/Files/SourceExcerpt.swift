import SQLSyntax

extension SourceText {
  /// The source line with a caret under the given column, both counted from 1.
  func excerpt(line: Int, column: Int) -> String {
    guard let start = byteRange(ofLine: line)?.lowerBound else { return "" }
    return excerpt(at: position(ofCharacter: column, from: start))
  }
}
