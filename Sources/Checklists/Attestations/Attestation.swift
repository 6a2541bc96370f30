import Timekeeping

/// A person's word for an item that no probe can answer.
public struct Attestation: Sendable, Codable, Equatable {
  /// What the item said, as it was written.
  public var item: String
  /// ``AttestationKey``: the item's words and those of the heading above it.
  public var key: String
  public var section: String
  /// Who gives it.
  public var by: String
  public var note: String?
  /// When it was given, and until when it holds; UTC, ISO 8601.
  public var time: String
  public var until: String

  public init(
    item: ChecklistItem, by: String, note: String?, time: UTCTime, until: UTCTime
  ) {
    let key = AttestationKey(item)
    self.item = item.text
    self.key = key.item
    section = key.section
    self.by = by
    self.note = note
    self.time = time.description
    self.until = until.description
  }

  /// Until when it holds, for people: the last whole day, as it is written with `--until`, or the moment of the end.
  public var lastDay: String {
    guard until.hasSuffix("T00:00:00Z"), let end = UTCTime(until) else { return until }
    return String((end + -86_400).description.prefix(10))
  }

  /// Whether it holds at a moment; the moment of its end is the first at which it does not.
  public func holds(at moment: UTCTime) -> Bool { UTCTime(until).map { moment < $0 } ?? false }

  /// The end that a person writes: a day such as `2026-12-31`, which counts to its end in UTC, or a moment.
  public static func end(_ text: String) -> UTCTime? {
    UTCTime(text) ?? UTCTime(text + "T00:00:00Z").map { $0 + 86_400 }
  }
}

/// What an attestation is found by: it survives new lines above the item, and a document that is read rightly at last.
public struct AttestationKey: Sendable, Hashable {
  public let item: String
  public let section: String

  public init(_ item: ChecklistItem) {
    self.item = Self.key(item.text)
    section = Self.key(item.headings.last ?? "")
  }

  private static func key(_ text: String) -> String {
    let phrase = Phrase(text)
    // What is left of a text in another script says nothing.
    return phrase.bare.utf8.count >= 3 ? phrase.bare : phrase.folded
  }
}
