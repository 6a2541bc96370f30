import Archive
import Backups
import Maintenance
import Postgres
import Timekeeping

extension BackupsCheck.Facts {
  /// From the repository, if it is here, and from the records in the database.
  static func read(
    project: Project, settings: Postgres.ConnectionSettings, database: String
  ) async -> BackupsCheck.Facts {
    var facts = BackupsCheck.Facts()
    facts.readRepository(project, database: database)
    await facts.readRecords(project, settings)
    return facts
  }

  private mutating func readRepository(_ project: Project, database: String) {
    let path = project.path(project.configuration.backupRepository)
    let source = "repository \"\(path)\""
    do throws(BackupError) {
      let access = RepositoryAccess(project: project, path: path, settings: nil)
      guard let repository = try access.existing() else {
        sources.append("\(source), which is not there")
        return
      }
      let entries = try repository.entries().filter { $0.database == nil || $0.database == database }
      let whole = entries.filter { $0.isUsable && $0.manifest?.scope.isWholeDatabase == true }
      add(newest: whole.last?.time)
      for proof in whole.flatMap(\.proofs) where proof.kind == .proven { add(proven: UTCTime(proof.time)) }
      damaged += entries.filter { entry in
        guard case .damaged = entry.state else { return false }
        return newest.map { (entry.time ?? $0) >= $0 } ?? true
      }.map(\.id)
      sources.append(source)
    } catch {
      unseen.append(BackupsCheck.Unseen(source, reason: error.message, remedy: error.hint))
    }
  }

  private mutating func readRecords(_ project: Project, _ settings: Postgres.ConnectionSettings) async {
    let schema = project.configuration.historySchema
    let source = "table \(Quoting.identifier(schema, "backups"))"
    let session = Session(settings, applicationName: "tsdb check")
    do {
      // A removed backup still proves that backups restore, but is none to go back to.
      let row = try await session.run { connection -> [String?]? in
        try connection.execute(
          """
          begin read only; set local statement_timeout = '5s'; set local lock_timeout = '200ms';
          set local search_path = pg_catalog
          """)
        defer { if !connection.isBroken { _ = try? connection.execute("rollback") } }
        try RecordsOwner.require(schema: schema, table: "backups", on: connection)
        let sight = try connection.query(
          """
          select current_user, has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select')
          from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
          where n.nspname = $1 and c.relname = 'backups'
          """, [schema])
        guard sight.rowCount > 0 else { return nil }
        guard sight.isTrue(0, 1) else { return [sight.text(0, 0)] }
        return try connection.query(
          """
          select floor(extract(epoch from max(started_at)
              filter (where removed_at is null and state in ('complete', 'verified', 'proven'))))::bigint,
            floor(extract(epoch from max(proven_at)))::bigint
          from \(Quoting.identifier(schema, "backups"))
          where database = pg_catalog.current_database()
          """
        ).rows().first
      }
      func time(_ column: Int) -> UTCTime? {
        row?[column].flatMap { Int64($0) }.map { UTCTime(secondsSince1970: $0) }
      }
      if let row, row.count == 1 {
        let role = Quoting.identifier(row[0] ?? "")
        unseen.append(
          BackupsCheck.Unseen(
            source, reason: "may not be read by this role",
            remedy: "grant usage on schema \(Quoting.identifier(schema)) to \(role); grant select on "
              + "\(Quoting.identifier(schema, "backups")) to \(role);"))
      } else if row != nil {
        add(newest: time(0))
        add(proven: time(1))
        sources.append(source)
      }
    } catch {
      let message = (error as? PostgresError)?.message ?? "\(error)"
      unseen.append(BackupsCheck.Unseen(source, reason: message))
    }
    await session.close()
  }

  private mutating func add(newest time: UTCTime?) {
    if let time { newest = max(newest ?? time, time) }
  }

  private mutating func add(proven time: UTCTime?) {
    if let time { proven = max(proven ?? time, time) }
  }
}
