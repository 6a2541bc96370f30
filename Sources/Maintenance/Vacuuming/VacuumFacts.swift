/// What is known of a table or materialized view before it is vacuumed or analyzed.
public struct VacuumFacts: Sendable, Equatable {
  public let oid: UInt32
  public let schema: String
  public let name: String
  /// `schema.name`, quoted where SQL needs it.
  public let label: String
  public let owner: String
  /// Whether the role may vacuum it.
  public let mayVacuum: Bool
  /// A partitioned table has no rows of its own: it is analyzed only.
  public let isPartitioned: Bool
  public var liveRows: Int64 = 0
  public var deadRows: Int64 = 0
  /// Of a partitioned table: of its partitions.
  public var changedSinceAnalyze: Int64 = 0
  public var insertedSinceVacuum: Int64 = 0
  /// By hand or by autovacuum; nil where the statistics know of none.
  public var secondsSinceVacuum: Int64?
  public var secondsSinceAnalyze: Int64?
  /// In transactions, of the table and its TOAST table; the older of the two.
  public var transactionAge: Int64 = 0
  public var multixactAge: Int64 = 0

  public init(
    oid: UInt32, schema: String, name: String, label: String, owner: String = "", mayVacuum: Bool = true,
    isPartitioned: Bool = false
  ) {
    self.oid = oid
    self.schema = schema
    self.name = name
    self.label = label
    self.owner = owner
    self.mayVacuum = mayVacuum
    self.isPartitioned = isPartitioned
  }
}

/// What is the same for all relations of a database.
public struct VacuumLimits: Sendable, Equatable {
  /// From this age a VACUUM reads the whole table and freezes its rows.
  public var transactionAge: Int64
  public var multixactAge: Int64
  /// When the statistics were last set back on request; nil where nobody did so, and after a crash, which sets
  /// them back as well.
  public var statisticsReset: String?

  public init(
    transactionAge: Int64 = 150_000_000, multixactAge: Int64 = 150_000_000, statisticsReset: String? = nil
  ) {
    self.transactionAge = transactionAge
    self.multixactAge = multixactAge
    self.statisticsReset = statisticsReset
  }
}
