/// Quoting of names and values for SQL text.
///
/// Source: PostgreSQL manual, "Lexical Structure".
public enum Quoting {
  /// `name` as an identifier, always in double quotes.
  public static func identifier(_ name: String) -> String {
    "\"" + name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
  }

  /// A schema-qualified identifier.
  public static func identifier(_ schema: String, _ name: String) -> String {
    identifier(schema) + "." + identifier(name)
  }

  /// `value` as a string literal that reads the same whatever `standard_conforming_strings` is.
  public static func literal(_ value: String) -> String {
    let doubled = value.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''")
    guard value.utf8.contains(UInt8(ascii: "\\")) else { return "'\(doubled)'" }
    let escaped = doubled.split(separator: "\\", omittingEmptySubsequences: false).joined(separator: "\\\\")
    return " E'\(escaped)'"
  }

  /// A literal, or `null` where there is no value.
  public static func literal(_ value: String?) -> String {
    value.map { literal($0) } ?? "null"
  }

  /// `values` as an array literal of type `text[]`.
  public static func textArray(_ values: [String]) -> String {
    let elements = values.map { value in
      var element = "\""
      for character in value.unicodeScalars {
        if character == "\"" || character == "\\" { element.unicodeScalars.append("\\") }
        element.unicodeScalars.append(character)
      }
      return element + "\""
    }
    return "{" + elements.joined(separator: ",") + "}"
  }
}
