/// How an archive is restored.
public struct RestoreOptions: Sendable {
  /// Where it goes.
  public enum Target: Sendable, Equatable {
    /// A new database of this name.
    case new(String)
    /// A new database beside the live one, called `NAME_restore_TIME`.
    case beside(String)
  }

  /// Whether the new database will be swapped in; what would stand in the way of that is found before.
  public var willSwap = false

  /// What a database beside the live one is called; nil for a name with the time in it.
  public var newName: String?

  public var target: Target
  public var selection: RestoreSelection
  /// Connections that restore.
  public var jobs: Int
  public var check: RestoreCheck
  public var analyzes: Bool
  /// Whether the files are compared with the manifest first; not needed by a caller that has just done it.
  public var verifiesFiles = true
  /// Gets all that a preflight or a comparison found, before the error that names the first of it.
  public var findings: @Sendable ([RestoreFinding]) -> Void = { _ in }
  /// Makes roles that do not exist, without the right to log in.
  public var createsMissingRoles: Bool
  /// Restores on a server that is older than the archive's.
  public var acceptsOlderServer: Bool
  /// Keeps the new database when the restore fails.
  public var keepsFailed: Bool
  /// Looks and makes nothing.
  public var isDryRun: Bool
  /// The schema with tsdb's own tables.
  public var historySchema: String

  public init(
    target: Target, selection: RestoreSelection = RestoreSelection(), jobs: Int, historySchema: String
  ) {
    self.target = target
    self.selection = selection
    self.jobs = jobs
    self.historySchema = historySchema
    check = .content
    analyzes = true
    createsMissingRoles = false
    acceptsOlderServer = false
    keepsFailed = false
    isDryRun = false
  }

  /// Whether the new database will be a copy of the whole, which alone can be compared as a whole.
  var isWhole: Bool {
    selection.contents == .everything && selection.tables.isEmpty
  }
}
