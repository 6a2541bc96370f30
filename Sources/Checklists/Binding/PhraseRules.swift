/// What an item without a comment is bound to, by what it says in Spanish or English.
public enum PhraseRules {
  /// The call for an item; nil where no rule fits.
  ///
  /// The name of an SQL file alone asks whether that file is applied.
  public static func call(for text: String) -> ProbeCall? {
    if let file = sqlFile(text) { return ProbeCall("migrations.applied", arguments: ["file": file]) }
    let phrase = Phrase(text)
    return rules.first { $0.phrase.matches(phrase) }.map { ProbeCall($0.call) }
  }

  private static let rules: [(phrase: Phrase, call: String)] = table.flatMap { rule in
    rule.phrases.map { (Phrase($0), rule.call) }
  }

  private static func sqlFile(_ text: String) -> String? {
    guard text.hasSuffix(".sql"), text.utf8.count > 4,
      text.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "._-/".contains($0)) })
    else { return nil }
    return String(text.dropLast(4))
  }
}

extension ChecklistItem {
  /// By its comment, else by what it says; nil where it is unbound.
  public var call: ProbeCall? { binding ?? PhraseRules.call(for: text) }
}
