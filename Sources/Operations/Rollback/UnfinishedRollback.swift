import Deployments
import Migrations
import Postgres

/// A rollback that was begun and has not come to its end.
enum UnfinishedRollback {
  /// The deployment that is being taken back; nil where none is, or the records cannot be read.
  static func find(in project: Project, database: String, systemIdentifier: String?) -> DeploymentRecord? {
    let records = try? DeploymentStore(project: project)
      .records(of: database, systemIdentifier: systemIdentifier)
    return records?.last { $0.state == .rollingBack }
  }

  /// What is applied meanwhile is thrown away by the swap, or stands in the way of the comparison after it.
  static func refuse(in project: Project, on connection: borrowing Connection) throws {
    let facts = try DeploymentFacts(on: connection, schema: project.configuration.historySchema)
    guard
      let record = find(in: project, database: facts.database, systemIdentifier: facts.systemIdentifier)
    else { return }
    throw MigrationError(
      .failed, "the way back from the deployment \(record.id) has begun and has to be finished first",
      detail: "Nothing was applied.", hint: "tsdb rollback")
  }
}
