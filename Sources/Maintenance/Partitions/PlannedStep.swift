/// One thing that a run would do, for `--plan`.
public struct PlannedStep: Sendable, Equatable {
  /// `schema.name`, quoted where SQL needs it.
  public var object: String
  /// As in ``JobObject/action``, such as `create` or `drop`; `refuse` for what would fail.
  public var action: String
  public var detail: String?
  /// Each with its relation, such as `ACCESS EXCLUSIVE on public.t (briefly)`, in the order they are taken.
  public var locks: [String]

  public init(_ object: String, _ action: String, detail: String? = nil, locks: [String] = []) {
    self.object = object
    self.action = action
    self.detail = detail
    self.locks = locks
  }
}
