import Checklists
import Processes
import Timekeeping

/// Records a person's word for an item that no probe answers.
public struct ChecklistAttest: Sendable {
  public let file: String
  /// The line of the item, or what it says: whole, or a part that no other item has.
  public let item: String
  public let by: String
  public let until: String
  public let note: String?

  public init(file: String, item: String, by: String, until: String, note: String? = nil) {
    self.file = file
    self.item = item
    self.by = by
    self.until = until
    self.note = note
  }

  /// - Throws: ``ChecklistError``, of kind `invalidInput` for an item that is not found, is not one alone, or is bound
  ///   to a probe, and for a name or an end that cannot be used.
  public func run(project: Project, now: UTCTime = .now) throws -> Attestation {
    guard by.contains(where: \.isLetter), by.utf8.count <= 200, !by.contains(where: \.isNewline) else {
      throw ChecklistError(.invalidInput, "the name of the person is missing", hint: "write --by \"NAME\"")
    }
    guard let end = Attestation.end(until) else {
      throw ChecklistError(
        .invalidInput, "\"\(until)\" is no day",
        hint: "write --until 2026-12-31, a day in UTC that still counts")
    }
    guard now < end else {
      throw ChecklistError(.invalidInput, "\(until) has passed already", hint: "name a day to come")
    }
    let document = try ChecklistFile.read(file)
    let found = try Self.find(item, in: document)
    if let call = found.call, call.name != "attest" {
      throw ChecklistError(
        .invalidInput, "the item on line \(found.line) is bound to \(call.name); nobody's word replaces that",
        location: "\(file):\(found.line):1",
        hint: "tsdb checklist run \(file.shellWord) --phase \(found.phase.rawValue)")
    }
    let attestation = Attestation(item: found, by: by, note: note, time: now, until: end)
    try project.attestations.append(attestation)
    return attestation
  }

  static func find(_ wanted: String, in document: ChecklistDocument) throws(ChecklistError) -> ChecklistItem {
    if let line = Int(wanted) {
      if let item = document.items.first(where: { $0.line == line }) { return item }
      throw ChecklistError(
        .invalidInput, "there is no item on line \(line) of \"\(document.path)\"",
        hint: "tsdb checklist list \(document.path.shellWord)")
    }
    let phrase = Phrase(wanted)
    var found = document.items.filter { Phrase($0.text).matches(phrase) }
    if found.isEmpty, phrase.bare.utf8.count >= 3 {
      found = document.items.filter { Phrase($0.text).bare.contains(phrase.bare) }
    }
    guard let item = found.first, found.count == 1 else {
      throw ChecklistError(
        .invalidInput,
        "\(found.isEmpty ? "no" : "more than one") item of \"\(document.path)\" says \"\(wanted)\"",
        detail: found.isEmpty
          ? nil : "They stand on the lines \(found.map { "\($0.line)" }.joined(separator: ", ")).",
        hint: found.isEmpty ? "tsdb checklist list \(document.path.shellWord)" : "name it by its line")
    }
    return item
  }
}
