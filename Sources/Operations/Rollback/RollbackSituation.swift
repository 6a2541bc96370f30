import Backups
import Deployments
import Postgres

/// How far a rollback has come, as the databases themselves say.
///
/// A kill may fall between what was done and its record. A database keeps its object id when it gets another name,
/// and its mark is written in the transaction that finishes it.
enum RollbackSituation: Sendable, Equatable {
  /// Nothing of it is there.
  case untouched
  /// The backup is restored in this database, and not swapped in.
  case restored(name: String, objectID: Int)
  /// The restored database has the live name; the failed one is kept, unless it was dropped.
  case swapped(kept: String?)

  /// A database that may be the restored one.
  struct Candidate: Sendable, Equatable {
    let name: String
    let objectID: Int
    let mark: RestoreMark?
  }

  /// - Parameters:
  ///   - candidates: the databases with the recorded name or the recorded object id.
  ///   - kept: of the live name, the last swapped out first.
  init(_ record: DeploymentRecord, candidates: [Candidate], kept: [KeptDatabase]) {
    self = .untouched
    guard let backup = record.backup, let rollback = record.rollback, let name = rollback.restoredDatabase
    else { return }
    if let objectID = rollback.restoredOid,
      candidates.contains(where: { $0.objectID == objectID && $0.name == record.database })
    {
      let own = kept.first { $0.mark.reason == .restored && $0.mark.replacedBy == name }
      self = .swapped(kept: own?.name ?? rollback.keptDatabase)
    } else if let found = candidates.first(where: { $0.name == name }), let mark = found.mark,
      mark.state == .finished, mark.source == backup.id
    {
      self = .restored(name: name, objectID: found.objectID)
    }
  }

  static func read(_ record: DeploymentRecord, _ target: SwapTarget) async throws -> RollbackSituation {
    guard let name = record.rollback?.restoredDatabase else { return .untouched }
    let objectID = record.rollback?.restoredOid ?? 0
    let candidates = try await target.perform { connection in
      let rows = try connection.query(
        """
        select datname, oid, pg_catalog.shobj_description(oid, 'pg_database') from pg_catalog.pg_database
        where datname = $1 or oid = $2::oid
        """, [name, String(objectID)])
      return (0..<rows.rowCount).map { row in
        let objectID = rows.integer(row, 1) ?? 0
        return Candidate(
          name: rows.text(row, 0), objectID: objectID, mark: RestoreMark(comment: rows[row, 2], of: objectID))
      }
    }
    return RollbackSituation(record, candidates: candidates, kept: try await target.kept())
  }
}
