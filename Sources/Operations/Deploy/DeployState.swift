import Deployments
import Postgres

/// In what state a deployment has left the database.
struct DeployState: Sendable {
  /// nil where the server could not be asked, or nothing is applied.
  var head: String?
  /// Applied since the deployment began, in order.
  var applied: [String] = []
  /// Whether a file that is no transaction was begun and not ended.
  var isHalfApplied = false
  var isKnown = false
  /// Whether the schema is what it was before.
  var isUnchanged: Bool { applied.isEmpty && !isHalfApplied }

  /// Whether the database is known to show nothing of the deployment, neither its migrations nor its rows.
  func isUntouched(by record: DeploymentRecord) -> Bool {
    isKnown && isUnchanged && !record.mayHaveSeeded
  }

  static func read(_ record: DeploymentRecord, _ access: DatabaseAccess) async -> DeployState {
    var settings = access.settings
    if settings["connect_timeout"] == nil { settings["connect_timeout"] = "5" }
    let schema = access.project.configuration.historySchema
    let session = Session(settings, applicationName: "tsdb deploy")
    let state = try? await session.run { connection in
      let facts = try DeploymentFacts(on: connection, schema: schema)
      var state = DeployState(head: facts.migrationHead, isKnown: true)
      guard facts.hasHistory else { return state }
      let table = Quoting.identifier(schema, "migrations")
      state.applied = try connection.query(
        """
        select name from \(table) where state = 'applied' and ordinal > coalesce(
          (select ordinal from \(table) where name = $1), 0) order by ordinal
        """, [record.headBefore]
      ).rows().compactMap { $0[0] }
      state.isHalfApplied = try connection.query(
        "select exists (select from \(table) where state <> 'applied')"
      )
      .isTrue(0, 0)
      return state
    }
    await session.close()
    return state ?? DeployState()
  }

  func text(_ record: DeploymentRecord) -> String {
    guard record.hasChangedDatabase else { return "Nothing of the deployment has reached the database." }
    var parts: [String] = []
    if isKnown {
      parts.append(
        applied.isEmpty
          ? "Of this deployment no migration is applied."
          : "Applied by this deployment: \(applied.joined(separator: ", ")).")
      parts.append("The database stands at \(head.map { "\"\($0)\"" } ?? "no migration"), each file whole.")
    } else {
      parts.append("The server could not be asked for the state of the database.")
    }
    if let backup = record.backup {
      parts.append(
        "The backup \(backup.id), \(backup.isProven ? "proven" : "not proven"), holds what was there before "
          + "(\(backup.snapshotTime)).")
    } else {
      parts.append("There is no backup of this deployment to go back to.")
    }
    return parts.joined(separator: " ")
  }
}

extension DeploymentRecord {
  /// With what the summary of a seed begins that inserted nothing.
  static let seededNothing = "up to date"

  /// Whether rows of the initial configuration may have been inserted.
  fileprivate var mayHaveSeeded: Bool {
    guard let seed = step(.seed), seed.outcome != .skipped else { return false }
    return seed.outcome != .done || seed.summary?.hasPrefix(Self.seededNothing) != true
  }
}
