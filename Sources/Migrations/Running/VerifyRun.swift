import Catalog
import Postgres
import SQLSyntax

/// What became of one migration's verify script.
public enum VerifyOutcome: Sendable, Equatable {
  case passed
  /// There is no NAME.verify.sql; that proves nothing, so it is not called passed (sqitch#799).
  case noScript
  case failed(MigrationError)
}

extension MigrationRunner {
  /// Runs a verify script in a read-only transaction that is rolled back.
  ///
  /// Takes no lock beyond what the script's queries take, and works on a standby.
  /// - Throws: only when the connection is lost; everything else is an outcome.
  public func verify(_ file: MigrationFile, on connection: borrowing Connection) throws -> VerifyOutcome {
    let prepared: PreparedScript
    do {
      prepared = try PreparedScript(file)
    } catch {
      return .failed(error)
    }
    try connection.execute(session(of: file).beginReadOnly)
    defer { if !connection.isBroken { _ = try? connection.execute("rollback") } }
    do {
      for (index, statement) in prepared.statements.enumerated() {
        try run(statement, index: index, of: prepared, on: connection)
      }
    } catch let refusal as StatementRefusal {
      if refusal.error.origin == .connectionLost {
        throw MigrationError(refusal.error, during: "\"\(file.name)\" could not be verified")
      }
      if Task.isCancelled { throw MigrationError.interrupted() }
      return .failed(refusal.migrationError(prepared, kept: "Nothing was changed."))
    }
    return .passed
  }

  /// How the live catalogue differs from what the migrations left, and its fingerprint; no
  /// differences where nothing was recorded.
  public func catalogComparison(
    on connection: borrowing Connection
  ) throws -> (difference: CatalogDifference, liveFingerprint: String?) {
    (try settled(on: connection) { try catalog.drift(on: $0) }, catalog.fingerprint)
  }

  /// Records the live catalogue as what the migrations left.
  ///
  /// Call inside ``exclusively(on:_:)``.
  public func acceptCatalog(reason: String?, on connection: borrowing Connection) throws -> Int {
    try ensureHistory(on: connection)
    try connection.execute("begin isolation level repeatable read read write")
    defer { if !connection.isBroken, connection.isInTransaction { _ = try? connection.execute("rollback") } }
    let drift = try catalog.drift(on: connection)
    guard !drift.isEmpty else { return 0 }
    try connection.execute(
      catalog.recording(drift)
        + """
        update \(history.schema.table("migrations"))
        set catalog_fingerprint = \(Quoting.literal(catalog.fingerprint))
        where ordinal = (select max(ordinal) from \(history.schema.table("migrations")));

        """
        + history.logging(.accepted, name: "catalogue", checksum: catalog.fingerprint, reason: reason)
        + "commit")
    return drift.count
  }

  /// Records the checksum of an edited file as the applied one.
  ///
  /// Call inside ``exclusively(on:_:)``.
  public func accept(_ file: MigrationFile, reason: String?, on connection: borrowing Connection) throws {
    let prepared = try PreparedScript(file)
    try connection.execute(
      """
      begin;
      update \(history.schema.table("migrations")) set checksum = \(Quoting.literal(file.checksum.description)),
        token_checksum = \(Quoting.literal(prepared.tokenChecksum.description)),
        version = \(Quoting.literal(file.directives.version)),
        requires = \(Quoting.literal(Quoting.textArray(file.directives.requirements.map(\.name))))::text[],
        creates = \(Quoting.literal(Quoting.textArray(prepared.createdObjects)))::text[]
      where name = \(Quoting.literal(file.name));
      \(history.logging(.accepted, name: file.name, checksum: file.checksum.description, reason: reason))
      commit
      """)
  }

  /// Forgets an applied migration whose file is gone; the objects it made stay.
  ///
  /// Call inside ``exclusively(on:_:)``.
  public func acceptMissing(_ name: String, reason: String?, on connection: borrowing Connection) throws {
    try connection.execute(
      "begin; \(history.deletion(name))"
        + history.logging(.accepted, name: name, checksum: nil, reason: reason ?? "file gone") + "commit")
  }
}
