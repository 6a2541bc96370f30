/// A part of a deployment, in its order.
public enum ChecklistPhase: String, Sendable, Codable, CaseIterable {
  case pre, deploy, verify, post, rollback
  case firstHour = "first-hour"
  case firstDay = "first-day"
  case firstWeek = "first-week"
}

/// An item of a document.
public struct ChecklistItem: Sendable, Equatable {
  /// Counted from 1.
  public let line: Int
  /// Without box, number, emphasis and comments; as written, also where it was read in the wrong encoding.
  public let text: String
  public let phase: ChecklistPhase
  /// The headings above it, the outermost first.
  public let headings: [String]
  /// Whether it has a box; a numbered step of a rollback plan has none.
  public let hasBox: Bool
  public let isTicked: Bool
  /// From a comment.
  public let binding: ProbeCall?

  public init(
    line: Int, text: String, phase: ChecklistPhase, headings: [String], hasBox: Bool, isTicked: Bool,
    binding: ProbeCall?
  ) {
    self.line = line
    self.text = text
    self.phase = phase
    self.headings = headings
    self.hasBox = hasBox
    self.isTicked = isTicked
    self.binding = binding
  }
}
