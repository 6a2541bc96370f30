/// Which materialized views are refreshed, in which order and how.
public struct RefreshPlan: Sendable, Equatable {
  public struct Step: Sendable, Equatable {
    public let view: MaterializedView
    public let mode: Mode
    /// Why it is not refreshed concurrently; nil where it is.
    public let reason: String?
    /// What is worth changing in the view, one sentence each.
    public let notes: [String]
  }

  public enum Mode: Sendable, Equatable {
    /// By this unique index.
    case concurrently(index: String)
    case plainly

    /// The lock on the view and whom it keeps waiting.
    public var lock: String {
      switch self {
      case .concurrently: "EXCLUSIVE: readers go on, another refresh waits"
      case .plainly: "ACCESS EXCLUSIVE: a reader that waits makes it give way"
      }
    }
  }

  /// A view comes after those that it reads.
  public let steps: [Step]
  /// Views that are asked for and cannot be refreshed: `failed` where named, `skipped` where only a pattern
  /// matches.
  public let refused: [JobObject]
  /// Whether views are meant, and the role may refresh none of them.
  public let hasOnlyForeign: Bool
  /// About the whole plan, one sentence each.
  public let notes: [String]

  /// - Parameter views: all of the database.
  public init(_ selection: RelationSelection, of views: [MaterializedView]) {
    let selected = views.filter { selection.selects(schema: $0.schema, name: $0.name) }
    var notes: [String] = []
    var refused = selection.unmatched(among: views.map { $0.schema + "." + $0.name }).map {
      Self.missing($0)
    }
    let foreign = selected.filter { !$0.mayRefresh }
    hasOnlyForeign = !foreign.isEmpty && foreign.count == selected.count
    if selection.include.isEmpty, !foreign.isEmpty {
      notes.append(
        "not refreshed, for they belong to other roles: "
          + foreign.map(\.label).sorted().joined(separator: ", "))
    } else {
      refused += foreign.map { view in
        JobObject(
          view.label, selection.isNamed(schema: view.schema, name: view.name) ? "failed" : "skipped",
          detail: "it belongs to \"\(view.owner)\", and only the owner may refresh it", sqlState: "42501")
      }
    }
    let (ordered, circular) = Self.ordered(selected.filter(\.mayRefresh))
    steps = ordered.map { Self.step($0, isCircular: circular.contains($0.oid)) }
    self.refused = refused
    self.notes = notes
  }

  private static func missing(_ pattern: String) -> JobObject {
    if pattern.contains("*") {
      return JobObject(pattern, "skipped", detail: "no materialized view matches it")
    }
    let hint = pattern.contains(".") ? "" : "; names are written with their schema"
    return JobObject(
      pattern, "failed", detail: "there is no such materialized view\(hint)", sqlState: "42P01")
  }

  /// Those first that read none of the rest; by name where the order is free.
  ///
  /// An ordinary view may be replaced so that views read one another in a circle; the circle is entered by name.
  private static func ordered(_ views: [MaterializedView]) -> ([MaterializedView], circular: Set<UInt32>) {
    var rest = views.sorted { ($0.schema, $0.name) < ($1.schema, $1.name) }
    var left = Set(rest.map(\.oid))
    var ordered: [MaterializedView] = []
    var circular: Set<UInt32> = []
    while !rest.isEmpty {
      let free = rest.firstIndex { view in left.isDisjoint(with: view.reads.subtracting([view.oid])) }
      let view = rest.remove(at: free ?? 0)
      if free == nil || view.reads.contains(view.oid) { circular.insert(view.oid) }
      left.remove(view.oid)
      ordered.append(view)
    }
    return (ordered, circular)
  }

  private static func step(_ view: MaterializedView, isCircular: Bool) -> Step {
    var notes: [String] = []
    if !view.changingFunctions.isEmpty {
      notes.append(
        "its rows change with every refresh, for its columns use "
          + view.changingFunctions.map { $0 + "()" }.joined(separator: ", "))
    }
    if isCircular { notes.append("it reads itself through other views, so its content depends on the order") }
    let usable = view.indexes.filter { $0.refusal == nil }.map(\.name).min()
    if !view.isPopulated {
      return Step(view: view, mode: .plainly, reason: "it is not populated yet", notes: notes)
    }
    if let usable {
      return Step(view: view, mode: .concurrently(index: usable), reason: nil, notes: notes)
    }
    let unique = view.indexes.filter(\.isUnique)
    let refusals = unique.sorted { $0.name < $1.name }.map { "\"\($0.name)\" \($0.refusal ?? "")" }
    let reason =
      refusals.isEmpty
      ? "it has no unique index" : "no unique index can be used: " + refusals.joined(separator: ", ")
    return Step(view: view, mode: .plainly, reason: reason, notes: notes)
  }
}
