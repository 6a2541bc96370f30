/// Words as they are compared: without case, punctuation and blanks.
///
/// A text that was read in the wrong encoding has one wrong letter for each accented one, or has lost it. So two
/// phrases are the same when either key is: the one without accents, or the one without all letters beyond ASCII.
public struct Phrase: Sendable, Hashable {
  /// Accents taken off.
  public let folded: String
  /// Every letter beyond ASCII taken out.
  public let bare: String

  public init(_ text: some StringProtocol) {
    var (folded, bare) = ("", "")
    for character in text.lowercased() {
      if character.isASCII {
        guard character.isLetter || character.isNumber else { continue }
        folded.append(character)
        bare.append(character)
      } else if let base = Self.bases[character] {
        folded.append(base)
      } else if character.isLetter || character.isNumber {
        folded.append(character)
      }
    }
    (self.folded, self.bare) = (folded, bare)
  }

  /// Whether the two say the same.
  public func matches(_ other: Phrase) -> Bool {
    if !folded.isEmpty, folded == other.folded { return true }
    // What is left of a text in another script says nothing.
    return bare.utf8.count >= 3 && bare == other.bare
  }

  /// Composed and decomposed characters are equal.
  private static let bases: [Character: Character] = {
    var bases: [Character: Character] = [:]
    for (base, letters) in [
      ("a", "áàâäãå"), ("e", "éèêë"), ("i", "íìîï"), ("o", "óòôöõ"), ("u", "úùûü"), ("n", "ñ"), ("c", "ç"),
    ] as [(Character, String)] {
      for letter in letters { bases[letter] = base }
    }
    return bases
  }()
}
