/// What is known of a materialized view before it is refreshed.
public struct MaterializedView: Sendable, Equatable {
  public let oid: UInt32
  public let schema: String
  public let name: String
  /// `schema.name`, quoted where SQL needs it.
  public let label: String
  public let owner: String
  /// Whether the role owns it or, from PostgreSQL 17, has MAINTAIN on it.
  public let mayRefresh: Bool
  public let isPopulated: Bool
  /// As the last VACUUM or ANALYZE estimated; nil where none did.
  public let estimatedRows: Int64?
  public let deadRows: Int64
  public var indexes: [Index] = []
  /// The materialized views that it reads, directly or through others and ordinary views.
  public var reads: Set<UInt32> = []
  /// Functions whose result differs between two refreshes although no table has changed.
  public var changingFunctions: [String] = []

  public init(
    oid: UInt32, schema: String, name: String, label: String, owner: String = "", mayRefresh: Bool = true,
    isPopulated: Bool = true, estimatedRows: Int64? = nil, deadRows: Int64 = 0
  ) {
    self.oid = oid
    self.schema = schema
    self.name = name
    self.label = label
    self.owner = owner
    self.mayRefresh = mayRefresh
    self.isPopulated = isPopulated
    self.estimatedRows = estimatedRows
    self.deadRows = deadRows
  }

  /// An index of the view.
  public struct Index: Sendable, Equatable {
    public let name: String
    public var isUnique = true
    public var isValid = true
    public var isPartial = false
    public var hasExpressions = false
    /// Checked by each row, not by a deferrable constraint.
    public var isImmediate = true

    public init(name: String) {
      self.name = name
    }

    /// Why CONCURRENTLY cannot use it; nil where it can.
    ///
    /// Source: PostgreSQL, `is_usable_unique_index` in matview.c.
    public var refusal: String? {
      if !isUnique { return "is not unique" }
      if !isValid { return "is invalid" }
      if isPartial { return "is partial" }
      if hasExpressions { return "has an expression" }
      if !isImmediate { return "is deferrable" }
      return nil
    }
  }
}
