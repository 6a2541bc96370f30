/// A part of a deployment, in the order in which they run.
public enum DeploymentStep: String, Sendable, Codable, CaseIterable {
  /// Looks whether everything can go on, and changes nothing.
  case preflight
  /// Takes a backup of the database as it is before.
  case backup
  /// Restores that backup on a server that is thrown away, and compares.
  case prove
  case migrate
  case seed
  /// Refreshes the materialized views.
  case refresh
  /// Compares the database with what the migrations left, and runs their verify scripts.
  case verify
  /// Runs the application's own statements, and rolls them back.
  case smoke
  /// Makes maintenance run by itself.
  case schedule
  /// Runs the checklist, and writes what was proved.
  case report

  /// Whether the database may differ from the backup once the step has begun.
  public var changesDatabase: Bool { self >= .migrate }
  /// Whether a deployment without it is still one.
  public var canBeSkipped: Bool { self != .preflight && self != .migrate }
}

extension DeploymentStep: Comparable {
  private var position: Int { Self.allCases.firstIndex(of: self) ?? 0 }
  public static func < (first: Self, second: Self) -> Bool { first.position < second.position }
}

/// A part of the way back, in the order in which they run.
public enum RollbackStep: String, Sendable, Codable, CaseIterable, Comparable {
  /// Restores the deployment's backup into a database beside the live one, and compares it.
  case restore
  /// Ends the application's sessions and swaps the names; the failed database is kept.
  case swap
  /// Compares the live database with the backup's description.
  case verify
  case report
}

extension RollbackStep {
  private var position: Int { Self.allCases.firstIndex(of: self) ?? 0 }
  public static func < (first: Self, second: Self) -> Bool { first.position < second.position }
}
