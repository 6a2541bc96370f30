/// The stored query of a view, as the server keeps it (`pg_rewrite.ev_action`).
struct RuleText {
  private let bytes: [UInt8]

  init(_ text: String) {
    bytes = Array(text.utf8)
  }

  /// The functions (OIDs) called in lists of columns of the query and its subqueries.
  ///
  /// Conditions are left out: `where created_at > now() - interval '1 day'` is how a window is made, and changes
  /// no row that stays in it.
  var columnFunctions: Set<UInt32> {
    var functions: Set<UInt32> = []
    for range in groups(after: ":targetList ") {
      let filters = groups(after: ":aggfilter ", in: range)
      for key in [":funcid ", ":opfuncid "] {
        for place in places(of: key, in: range) where !filters.contains(where: { $0.contains(place) }) {
          if let number = number(at: place) { functions.insert(number) }
        }
      }
    }
    return functions
  }

  /// Whether a list of columns has CURRENT_TIMESTAMP or one of its kind, which are no functions.
  ///
  /// Source: PostgreSQL, `SQLValueFunctionOp` in primnodes.h: 0 to 8 are of time.
  var hasTimeKeyword: Bool {
    groups(after: ":targetList ").contains { range in
      let filters = groups(after: ":aggfilter ", in: range)
      return places(of: "{SQLVALUEFUNCTION :op ", in: range).contains { place in
        !filters.contains { $0.contains(place) } && (number(at: place) ?? 99) <= 8
      }
    }
  }

  /// The places right behind `key`.
  private func places(of key: String, in range: Range<Int>? = nil) -> [Int] {
    let key = Array(key.utf8)
    let range = range ?? 0..<bytes.count
    guard let first = key.first, range.count >= key.count else { return [] }
    var places: [Int] = []
    for place in range.lowerBound...(range.upperBound - key.count)
    where bytes[place] == first && bytes[place..<(place + key.count)].elementsEqual(key) {
      places.append(place + key.count)
    }
    return places
  }

  /// The bracketed groups that follow `key`.
  private func groups(after key: String, in range: Range<Int>? = nil) -> [Range<Int>] {
    places(of: key, in: range).compactMap { start in
      var depth = 0
      var place = start
      while place < bytes.count {
        switch bytes[place] {
        case UInt8(ascii: "\\"): place += 1
        case UInt8(ascii: "("), UInt8(ascii: "{"): depth += 1
        case UInt8(ascii: ")"), UInt8(ascii: "}"): depth -= 1
        default: break
        }
        place += 1
        // `<>` stands for an empty group.
        if depth == 0 { return start..<min(place, bytes.count) }
      }
      return nil
    }
  }

  private func number(at place: Int) -> UInt32? {
    let digits = bytes[place...].prefix { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
    return UInt32(String(decoding: digits, as: UTF8.self))
  }
}
