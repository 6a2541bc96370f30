import Checklists
import Timekeeping

/// The items of a checklist and what they are bound to; asks nothing.
public struct ChecklistList: Sendable {
  public let file: String

  public init(file: String) {
    self.file = file
  }

  public struct Item: Sendable, Encodable {
    public let line: Int
    public let item: String
    public let phase: ChecklistPhase
    public let section: String
    /// nil where it is unbound.
    public let call: ProbeCall?
    /// `comment` or `phrase`.
    public let boundBy: String?
    /// Whether a probe has the name; true for commands, addresses and persons' words.
    public let isKnown: Bool
    public let attestation: Attestation?
  }

  public struct Result: Sendable, Encodable {
    public let document: String
    public let items: [Item]
    public var unbound: Int { items.count { $0.call == nil } }
  }

  /// - Throws: ``ChecklistError`` for a file that cannot be read and a comment that is no binding.
  public func run(project: Project) throws -> Result {
    let document = try ChecklistFile.read(file)
    let attestations = try project.attestations.newest()
    let known = Set(ProbeRegistry.all.map { $0.name } + ["command", "url", "attest"])
    return Result(
      document: file,
      items: document.items.map { item in
        Item(
          line: item.line, item: item.text, phase: item.phase, section: item.headings.last ?? "",
          call: item.call, boundBy: item.call == nil ? nil : item.binding == nil ? "phrase" : "comment",
          isKnown: item.call.map { known.contains($0.name) } ?? false,
          attestation: attestations[AttestationKey(item)])
      })
  }

  public struct Description: Sendable, Encodable {
    public let name: String
    public let summary: String
  }

  /// The probes there are, by name.
  public static var probes: [Description] {
    ProbeRegistry.all.map { Description(name: $0.name, summary: $0.summary) }.sorted { $0.name < $1.name }
  }
}
