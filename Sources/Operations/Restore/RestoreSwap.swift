import Backups
import Migrations
import Postgres
import Timekeeping

/// The database whose name is at stake, and how to reach its server without being in it.
struct SwapTarget: Sendable {
  let database: String
  /// Of a maintenance database.
  let settings: ConnectionSettings

  /// - Parameter others: further databases that are to be renamed or dropped.
  init(_ access: DatabaseAccess, avoiding others: Set<String> = []) throws {
    database = try access.settings["dbname"] ?? Self.defaultDatabase(access.settings)
    settings = try MaintenanceDatabase.settings(for: access.settings, avoiding: others.union([database]))
  }

  /// The same, for a swap with `other`.
  init(_ target: SwapTarget, avoiding other: String) throws(BackupError) {
    database = target.database
    settings = try MaintenanceDatabase.settings(for: target.settings, avoiding: [target.database, other])
  }

  /// What libpq makes of variables, service file and user's name.
  private static func defaultDatabase(_ settings: ConnectionSettings) throws -> String {
    do {
      return try Connection(settings, applicationName: "tsdb restore").query("select current_database()")
        .text(0, 0)
    } catch {
      throw MigrationError.connecting(error)
    }
  }

  /// A session of the maintenance database.
  func session(_ name: String = "tsdb restore") -> Session { Session(settings, applicationName: name) }

  /// Runs `body` on a session of the maintenance database.
  ///
  /// - Throws: ``BackupError``: what `body` throws, or what the server said.
  func perform<Result: Sendable>(
    _ body: @Sendable (borrowing Connection) throws -> Result
  ) async throws -> Result {
    let session = session()
    do {
      let result = try await session.run(body)
      await session.close()
      return result
    } catch {
      await session.close()
      if Task.isCancelled {
        throw BackupError(.interrupted, "interrupted", hint: "run the same command again")
      }
      if let error = error as? PostgresError { throw BackupError.swapping(error, "the server refused") }
      throw error
    }
  }

  func kept() async throws -> [KeptDatabase] {
    try await perform { [database] in try KeptDatabase.all(of: database, on: $0) }
  }

  /// Runs a swap on two sessions.
  func run(
    _ swap: DatabaseSwap, report: @escaping @Sendable (SwapEvent) -> Void
  ) async throws -> SwapResult {
    let (control, second) = (session(), session("tsdb watch restore"))
    let result = try await swap.run(on: control, beside: second, report: report)
    await control.close()
    await second.close()
    return result
  }
}

/// Gives a restored database the name of the live one.
public struct RestoreSwap: Sendable {
  /// The restored database.
  public let new: String
  public let grace: Duration

  public init(new: String, grace: Duration) {
    self.new = new
    self.grace = grace
  }

  public struct Result: Sendable, Encodable {
    public let database: String
    /// Whether the names had been swapped before.
    public let isAlreadyDone: Bool
    /// The name under which the other database is kept.
    public let kept: String
    /// How long new sessions were held back.
    public let cutoffMilliseconds: Int64?
    public let sessionsEnded: [SwapSession]

    init(_ result: SwapResult) {
      database = result.live
      isAlreadyDone = false
      kept = result.kept
      cutoffMilliseconds = result.cutoffMilliseconds
      sessionsEnded = result.sessionsEnded
    }

    init(alreadyDone database: String, kept: String) {
      self.database = database
      isAlreadyDone = true
      self.kept = kept
      cutoffMilliseconds = nil
      sessionsEnded = []
    }
  }

  /// What would be done.
  public struct Preview: Sendable, Encodable {
    /// The database whose name is taken.
    public let database: String
    public let new: String
    /// What was restored; nil when the new database says nothing of it.
    public let source: String?
    /// Up to when it holds writes: UTC, ISO 8601.
    public let stateTime: String?
    /// Seconds since then.
    public let age: Int64?
  }

  /// - Throws: ``BackupError`` when the server refuses to say.
  public func preview(_ access: DatabaseAccess) async throws -> Preview {
    let target = try SwapTarget(access, avoiding: [new])
    let mark = try await target.perform { [new] connection in
      let row = try connection.query(
        """
        select pg_catalog.shobj_description(oid, 'pg_database'), oid from pg_catalog.pg_database
        where datname = $1
        """, [new])
      return RestoreMark(comment: row[0, 0], of: row.integer(0, 1) ?? 0)
    }
    let time = mark.flatMap { $0.time.isEmpty ? nil : $0.time }
    return Preview(
      database: target.database, new: new, source: mark?.source, stateTime: time,
      age: time.flatMap { UTCTime($0) }.map { UTCTime.now - $0 })
  }

  /// - Throws: ``BackupError``; see ``DatabaseSwap/run(on:beside:report:)``.
  public func run(
    _ access: DatabaseAccess, report: @escaping @Sendable (SwapEvent) -> Void
  ) async throws -> Result {
    let target = try SwapTarget(access, avoiding: [new])
    guard target.database != new else {
      throw BackupError(.invalidInput, "\"\(new)\" has that name already", detail: "Nothing was changed.")
    }
    // Run again after an interruption, it may find everything done.
    if let done = try await done(target) { return done }
    let swap = DatabaseSwap(live: target.database, new: new, grace: grace)
    do {
      return Result(try await target.run(swap, report: report))
    } catch let error as BackupError where error.sqlState == "3D000" {
      // Another run was faster.
      guard let done = try await done(target) else { throw error }
      return done
    }
  }

  private func done(_ target: SwapTarget) async throws -> Result? {
    guard let last = try await target.kept().first, last.mark.reason == .restored,
      last.mark.replacedBy == new,
      try await !target.exists(new)
    else { return nil }
    return Result(alreadyDone: target.database, kept: last.name)
  }
}

extension SwapTarget {
  fileprivate func exists(_ name: String) async throws -> Bool {
    try await perform {
      try $0.query("select from pg_catalog.pg_database where datname = $1", [name]).rowCount > 0
    }
  }
}

/// Gives the name back to the database that was swapped out last.
public struct RestoreUndo: Sendable {
  /// The kept database; nil for the one that was swapped out last.
  public let kept: String?
  public let grace: Duration

  public init(kept: String?, grace: Duration) {
    self.kept = kept
    self.grace = grace
  }

  /// What would be done.
  public struct Preview: Sendable, Encodable {
    public let database: String
    public let isAlreadyDone: Bool
    /// The database that gets the name, or, where the undo is done, the one that lost it.
    public let kept: KeptDatabase
  }

  public func preview(_ access: DatabaseAccess) async throws -> Preview {
    let target = try SwapTarget(access, avoiding: kept.map { [$0] } ?? [])
    let choice = try UndoChoice(among: try await target.kept(), of: target.database, named: kept)
    return switch choice {
    case .swap(let kept): Preview(database: target.database, isAlreadyDone: false, kept: kept)
    case .alreadyUndone(let kept): Preview(database: target.database, isAlreadyDone: true, kept: kept)
    }
  }

  /// - Parameter expected: what was confirmed; anything else is refused.
  public func run(
    _ access: DatabaseAccess, expected: Preview, report: @escaping @Sendable (SwapEvent) -> Void
  ) async throws -> RestoreSwap.Result {
    if expected.isAlreadyDone {
      return RestoreSwap.Result(alreadyDone: expected.database, kept: expected.kept.name)
    }
    let target = try SwapTarget(access, avoiding: [expected.kept.name])
    let choice = try UndoChoice(among: try await target.kept(), of: target.database, named: kept)
    guard case .swap(let kept) = choice, kept.oid == expected.kept.oid, kept.mark == expected.kept.mark else {
      throw BackupError(
        .tryAgain, "the kept databases changed while this was being confirmed",
        detail: "Nothing was changed.", hint: "look at \"tsdb restore --list-old\" and run it again")
    }
    let swap = DatabaseSwap(live: target.database, new: kept.name, reason: .undone, grace: grace)
    do {
      return RestoreSwap.Result(try await target.run(swap, report: report))
    } catch let error as BackupError where error.sqlState == "3D000" {
      // Another run was faster.
      guard let last = try await target.kept().first, last.mark.reason == .undone,
        last.mark.replacedBy == kept.name
      else { throw error }
      return RestoreSwap.Result(alreadyDone: target.database, kept: last.name)
    }
  }
}
