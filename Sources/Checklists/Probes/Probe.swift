import Postgres
import Timekeeping

/// A question to the database or its surroundings whose answer ticks a box of a checklist.
public protocol Probe: Sendable {
  /// As in a binding: `area.question`, such as `matview.fresh`.
  static var name: String { get }
  /// What it looks at, in one English sentence without its full stop.
  static var summary: String { get }
  /// Ways to break a scratch database so that the probe must turn red, at least one.
  static var defects: [ProbeDefect] { get }
  /// Whether it asks the server or the connection alone, so that an empty database may prove it; false unless said.
  static var isProvedByEmptyDatabase: Bool { get }

  /// - Parameter arguments: of the binding; an unknown or unusable one throws.
  /// - Throws: ``ChecklistError`` of kind `invalidInput`.
  init(arguments: [String: String]) throws(ChecklistError)

  /// Asks. What goes wrong while asking is `unknown`, never `proved`.
  func run(_ context: ProbeContext) async -> ProbeAnswer
}

extension Probe {
  public static var isProvedByEmptyDatabase: Bool { false }
}

/// What a probe works with.
public struct ProbeContext: Sendable {
  /// Of the database that is asked.
  public let settings: ConnectionSettings
  /// A session of the run; a probe leaves no transaction open and no setting changed.
  public let session: Session
  public let now: UTCTime
  /// Of the history's tables.
  public let schema: String
  /// When the deployment began that the checklist belongs to; nil outside one.
  public let deploymentStart: UTCTime?

  public init(
    settings: ConnectionSettings, session: Session, now: UTCTime, schema: String,
    deploymentStart: UTCTime? = nil
  ) {
    self.settings = settings
    self.session = session
    self.now = now
    self.schema = schema
    self.deploymentStart = deploymentStart
  }
}

/// How an item stands.
public enum ProbeState: String, Sendable, Codable, CaseIterable {
  case proved, failed, attested
  case notApplicable = "not-applicable"
  /// It could not be looked at.
  case unknown
  /// Nothing is bound to the item.
  case unbound

  /// For people, such as `not applicable`; programs get the raw value.
  public var words: String { rawValue.replacing("-", with: " ") }
}

/// What a probe saw.
public struct ProbeAnswer: Sendable, Equatable {
  public var state: ProbeState
  /// What was asked, in one line; never a secret, an address or a row of a customer.
  public var asked: String
  /// What was seen, in one line, under the same rule.
  public var observed: String
  /// What to do about it, or what would have to be granted.
  public var remedy: String?

  public init(_ state: ProbeState, asked: String, observed: String, remedy: String? = nil) {
    self.state = state
    self.asked = asked
    self.observed = observed
    self.remedy = remedy
  }
}

/// One way to make a probe turn red: statements that break a scratch database, or, where no statement can,
/// files of its project, other arguments of the binding or other parameters of the connection.
public struct ProbeDefect: Sendable, Equatable {
  /// What is broken, in one line.
  public let summary: String
  /// Statements that break it; the scratch database has the application's migrations and its initial configuration.
  /// The session that runs them stays open while the probe is asked. Empty where the defect lies elsewhere.
  public let sql: String
  /// What happens to the files of the scratch project, in their order.
  public let changes: [ScratchChange]
  /// Of the binding once it is broken; before, the probe has none.
  public let arguments: [String: String]
  /// Parameters of the connection that are replaced to break it, by libpq's keyword.
  public let settings: [String: String]

  public init(
    _ summary: String, sql: String = "", changes: [ScratchChange] = [], arguments: [String: String] = [:],
    settings: [String: String] = [:]
  ) {
    self.summary = summary
    self.sql = sql
    self.changes = changes
    self.arguments = arguments
    self.settings = settings
  }
}

/// A change to the files of a scratch project.
///
/// Paths are relative to the project, which has its migrations in `migrations` and its backups in `backups`. A
/// component that begins with `*` stands for everything in its directory that ends with the rest; nothing is an error.
public enum ScratchChange: Sendable, Equatable {
  /// Removes a file, or a directory with all in it.
  case remove(String)
  /// Writes a file anew.
  case write(String, String)
}
