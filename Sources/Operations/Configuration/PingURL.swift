import Migrations

extension Project {
  /// The URL to ping, which is a secret: from `TSDB_PING_URL`, else the first line of `maintain.ping_url_file`; nil where
  /// neither is set.
  ///
  /// - Throws: ``ConfigurationError`` that names where it is from, never the URL.
  public func pingURL(environment: [String: String]) throws(ConfigurationError) -> String? {
    let (text, source): (String, String)
    if let value = environment["TSDB_PING_URL"].flatMap(Self.firstLine) {
      (text, source) = (value, "TSDB_PING_URL")
    } else if let path = configuration.maintenance.pingURLFile {
      guard let bytes = try? SQLFiles.read(path, root: root),
        let all = String(validating: bytes, as: UTF8.self),
        let line = Self.firstLine(all)
      else {
        throw ConfigurationError(
          "the file \"\(path)\" named by maintain.ping_url_file cannot be read or is empty",
          hint: "put the URL into its first line and make it readable for you alone (chmod 600)")
      }
      (text, source) = (line, "the file \"\(path)\"")
    } else {
      return nil
    }
    guard text.hasPrefix("https://") || text.hasPrefix("http://"), !text.contains(where: \.isWhitespace)
    else {
      throw ConfigurationError(
        "the URL to ping from \(source) cannot be used", hint: "it begins with https:// or http://")
    }
    return text
  }

  /// The first line that says something, without the blanks around it.
  private static func firstLine(_ text: String) -> String? {
    text.split(whereSeparator: \.isNewline).lazy.map { line in
      let words = line.drop(while: \.isWhitespace)
      return String(
        words[..<(words.lastIndex { !$0.isWhitespace }.map(words.index(after:)) ?? words.startIndex)])
    }.first { !$0.isEmpty }
  }
}
