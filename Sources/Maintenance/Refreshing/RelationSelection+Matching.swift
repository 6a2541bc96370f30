extension RelationSelection {
  /// Whether the relation is meant: included by name or because all are, and not excluded.
  public func selects(schema: String, name: String) -> Bool {
    let text = schema + "." + name
    guard include.isEmpty || include.contains(where: { Self.matches($0, text) }) else { return false }
    return !exclude.contains { Self.matches($0, text) }
  }

  /// The entries of `include` that none of these relations (`schema.name`, unquoted) matches.
  func unmatched(among relations: [String]) -> [String] {
    include.filter { pattern in !relations.contains { Self.matches(pattern, $0) } }
  }

  /// Whether an entry names the relation without a `*`.
  func isNamed(schema: String, name: String) -> Bool { include.contains(schema + "." + name) }

  /// Compares with the whole name, so that a dot in a schema's or relation's name needs no care.
  private static func matches(_ pattern: String, _ text: String) -> Bool {
    let (pattern, text) = (Array(pattern.unicodeScalars), Array(text.unicodeScalars))
    var (at, place) = (0, 0)
    var star: (at: Int, place: Int)?
    while place < text.count {
      if at < pattern.count, pattern[at] == "*" {
        star = (at, place)
        at += 1
      } else if at < pattern.count, pattern[at] == text[place] {
        at += 1
        place += 1
      } else if let last = star {
        star = (last.at, last.place + 1)
        (at, place) = (last.at + 1, last.place + 1)
      } else {
        return false
      }
    }
    return pattern[at...].allSatisfy { $0 == "*" }
  }
}
