/// How a run ended.
public enum JobOutcome: String, Sendable, Equatable, Codable, CaseIterable {
  /// Not ended, or its process is gone.
  case running
  case ok
  /// Out of time, or in somebody's way too often; the rest is recorded as backlog.
  case partial
  case skipped
  case failed

  /// Whether the slot is done.
  public var isSuccess: Bool { self == .ok || self == .partial }
}

/// What a run did.
public struct JobResult: Sendable, Equatable {
  public var outcome: JobOutcome
  /// Why it is not `ok`, or what is worth knowing; one line.
  public var reason: String?
  public var hint: String?
  public var sqlState: String?
  public var rows: Int64 = 0
  public var bytes: Int64 = 0
  /// How often a lock was waited for in vain, or a gate was closed.
  public var waits = 0
  /// How often work was given up because somebody waited behind it.
  public var yields = 0
  /// Units (rows, relations) known to be left; nil where nobody counted.
  public var backlog: Int64?
  public var objects: [JobObject] = []

  public init(_ outcome: JobOutcome, reason: String? = nil, hint: String? = nil, sqlState: String? = nil) {
    self.outcome = outcome
    self.reason = reason
    self.hint = hint
    self.sqlState = sqlState
  }
}

/// What was done to one object.
public struct JobObject: Sendable, Equatable, Codable {
  /// `schema.name`, quoted where SQL needs it.
  public var name: String
  /// Such as `refreshed concurrently`, `deleted`, `created`, `dropped`, `rebuilt`, `skipped`, `failed`.
  public var action: String
  public var detail: String?
  public var rows: Int64?
  public var bytes: Int64?
  public var milliseconds: Int64?
  public var sqlState: String?

  public init(
    _ name: String, _ action: String, detail: String? = nil, rows: Int64? = nil, bytes: Int64? = nil,
    milliseconds: Int64? = nil, sqlState: String? = nil
  ) {
    self.name = name
    self.action = action
    self.detail = detail
    self.rows = rows
    self.bytes = bytes
    self.milliseconds = milliseconds
    self.sqlState = sqlState
  }
}
