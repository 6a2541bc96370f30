import Postgres

/// What a swap tells while it goes on.
public enum SwapEvent: Sendable {
  /// Something that a person should know.
  case note(String)
  /// An attempt failed and was rolled back.
  case retrying(attempt: Int, of: Int, reason: String, sessions: [SwapSession])
}

/// What a swap did.
public struct SwapResult: Sendable, Equatable, Encodable {
  /// The name that now belongs to the new database.
  public let live: String
  /// The name under which the old one is kept.
  public let kept: String
  /// How long new sessions were held back, in milliseconds.
  public let cutoffMilliseconds: Int64
  /// The sessions that were ended.
  public let sessionsEnded: [SwapSession]
  /// What differs and was not changed, in sentences.
  public let notes: [String]
}

/// Gives a database the name of another, which is kept under a third name.
///
/// One transaction renames. ALTER DATABASE RENAME takes an ACCESS EXCLUSIVE lock on the database,
/// which holds new sessions back, and then waits up to five seconds for the present ones to leave
/// (`CountOtherDBBackends` in PostgreSQL's `procarray.c`); a second connection ends them. It looks ten times
/// a second, so that new sessions are held back for about 100 ms where no transaction is open, and for the
/// grace period and 100 ms where one is. A session
/// that was held back during a swap is refused with SQLSTATE 3D000 and reaches the new database when
/// it connects again; during an attempt that failed it reaches the old one.
public struct DatabaseSwap: Sendable {
  public let live: String
  public let new: String
  public let reason: KeptMark.Reason
  public let backupID: String?
  public let grace: Duration

  /// How long a session may by default go on with its transaction.
  public static let defaultGrace = Duration.milliseconds(500)
  /// The server waits five seconds for sessions to leave; some of that is needed for them to do so.
  public static let longestGrace = Duration.seconds(4)
  static let attempts = 3

  /// - Parameters:
  ///   - live: the database that is swapped out.
  ///   - new: the one that takes its name.
  ///   - backupID: recorded in the mark of the database that is kept.
  ///   - grace: how long a session may go on with its transaction; 0 to four seconds.
  public init(
    live: String, new: String, reason: KeptMark.Reason = .restored, backupID: String? = nil,
    grace: Duration = DatabaseSwap.defaultGrace
  ) {
    self.live = live
    self.new = new
    self.reason = reason
    self.backupID = backupID
    self.grace = grace
  }

  /// Swaps the names.
  ///
  /// The new database gets what belongs to the name: owner, privileges, settings, connection limit,
  /// comment and whether it is a template or closed. Nothing is changed before all of it is.
  /// - Parameters:
  ///   - control: a session of a database that is neither of the two; see ``MaintenanceDatabase``.
  ///   - second: another one.
  /// - Throws: ``BackupError`` of kind `failed` for what stands in the way, before anything is done;
  ///   `tryAgain` when sessions would not go or the server went away; `interrupted`.
  public func run(
    on control: Session, beside second: Session,
    report: @escaping @Sendable (SwapEvent) -> Void = { _ in }
  ) async throws(BackupError) -> SwapResult {
    guard (.zero...Self.longestGrace).contains(grace) else {
      throw BackupError(.invalidInput, "the grace period must be from 0 to 4 seconds")
    }
    do {
      // The time that the second connection takes to open must not be the application's.
      try await second.connect()
      for attempt in 1... {
        let plan: Plan = try await control.run { connection in try self.plan(on: connection) }
        if attempt == 1 { plan.notes.forEach { report(.note($0)) } }
        if Task.isCancelled { throw CancellationError() }
        switch try await perform(plan, on: control, beside: second) {
        case .done(let result): return result
        case .failed(let error, let outcome):
          let isHopeless = !outcome.refused.isEmpty || attempt == Self.attempts
          if isHopeless { throw refusal(error, outcome) }
          report(
            .retrying(
              attempt: attempt + 1, of: Self.attempts, reason: Self.reason(error, outcome),
              sessions: outcome.remaining))
          try await Task.sleep(for: .milliseconds(500))
        }
      }
    } catch let error as BackupError {
      throw error
    } catch let error as PostgresError {
      if Task.isCancelled { throw Self.interrupted }
      throw .swapping(error, "the names cannot be swapped")
    } catch is CancellationError {
      throw Self.interrupted
    } catch {
      throw BackupError(.failed, "the names cannot be swapped: \(error)")
    }
    throw Self.interrupted
  }

  private static let interrupted = BackupError(
    .interrupted, "interrupted", detail: "Nothing was changed: no database was renamed.",
    hint: "run the same command again")
}

extension DatabaseSwap {
  /// What one attempt does.
  private struct Plan: Sendable {
    let kept: String
    let script: SwapScript
    /// The session that renames, and when it began: process ids are used again.
    let renamer: Int
    let renamerStart: String
    let notes: [String]
  }

  private enum Attempt: Sendable {
    case done(SwapResult)
    case failed(PostgresError, SessionEviction.Outcome)
  }

  /// Reads the situation, and tries out what can be tried without touching the live database.
  private func plan(on connection: borrowing Connection) throws -> Plan {
    let situation = try SwapSituation(live: live, new: new, on: connection)
    if let refusal = situation.refusal(live: live, new: new) { throw refusal }
    guard let old = situation.live, let replacement = situation.new,
      var wanted = try NameProperties(of: old.oid, on: connection),
      let present = try NameProperties(of: replacement.oid, on: connection)
    else { throw BackupError(.tryAgain, "the databases changed meanwhile", detail: "Nothing was changed.") }
    let restored = RestoreMark(comment: present.comment, of: replacement.oid)
    guard restored?.state != .unfinished, restored?.state != .failed else {
      throw BackupError(
        .failed, "the restore into \"\(new)\" is not finished", detail: "Nothing was changed.",
        hint: "restore again; what is left of an interrupted restore is removed by the next")
    }
    let comment = wanted.comment
    wanted.comment = Self.ofName(comment, oid: old.oid)
    let time = situation.server.time
    let kept = KeptMark.keptName(
      for: live, reason: reason, time: time, taken: situation.names)
    let mark = KeptMark(
      database: live, oid: old.oid, reason: reason, at: time, backup: backupID ?? restored?.source,
      replacedBy: new, comment: comment)
    let script = SwapScript(
      live: .init(name: live, oid: old.oid), new: .init(name: new, oid: replacement.oid), kept: kept,
      mark: try mark.text(), wanted: wanted, present: present, grace: grace)
    do {
      try connection.execute(script.rehearsal)
    } catch {
      try connection.execute("rollback")
      throw refusal(ofProperties: error)
    }
    // The backend notices within this time that its client died and stops holding others back. Not
    // every operating system lets it.
    _ = try? connection.execute("set client_connection_check_interval = '100ms'")
    var notes: [String] = []
    if old.tablespace != replacement.tablespace {
      notes.append(
        "\"\(live)\" moves from the tablespace \"\(old.tablespace)\" to \"\(replacement.tablespace)\".")
    }
    if !wanted.allowsConnections { notes.append("\"\(live)\" does not allow connections, and will not.") }
    let renamerStart = try connection.query(
      "select backend_start from pg_catalog.pg_stat_activity where pid = pg_backend_pid()")
    return Plan(
      kept: kept, script: script, renamer: connection.announcedProcessID,
      renamerStart: renamerStart.text(0, 0), notes: notes)
  }

  /// A comment without the marks of restores and swaps, which tell of a content and not of a name; they are
  /// in the live database when somebody renamed it by hand.
  private static func ofName(_ comment: String?, oid: Int) -> String? {
    if let kept = KeptMark(comment: comment, of: oid) { return kept.comment }
    return RestoreMark(comment: comment, of: oid) == nil ? comment : nil
  }

  private func perform(
    _ plan: Plan, on control: Session, beside second: Session
  ) async throws -> Attempt {
    let eviction = SessionEviction(renamer: plan.renamer, live: plan.script.live.oid, grace: grace)
    // Not a child task: a cancel request of ours may only reach the statement that renames.
    let evicting = Task.detached { await eviction.run(on: second) }
    defer { eviction.finish() }
    let start = ContinuousClock.now
    do {
      try await control.run { connection in
        do {
          try connection.execute(plan.script.text)
        } catch {
          if connection.isInTransaction { _ = try? connection.execute("rollback") }
          throw error
        }
      }
      let end = ContinuousClock.now
      eviction.finish()
      let outcome = await evicting.value
      return .done(result(plan, outcome, since: outcome.closedSince ?? start, to: end))
    } catch let error as PostgresError {
      let end = ContinuousClock.now
      eviction.finish()
      let outcome = await evicting.value
      if error.origin == .connectionLost || error.sqlState.hasPrefix("57P0") {
        guard try await isDone(plan, after: error, on: second) else { throw lost(error) }
        return .done(result(plan, outcome, since: outcome.closedSince ?? start, to: end))
      }
      if Task.isCancelled { throw Self.interrupted }
      // Sessions that would not go, a lock, a change that came in between.
      guard
        error.sqlState == "55006" || error.isLockTimeout || error.isRetryableConflict
          || error.isCancellation || error.sqlState == SwapScript.guardState
      else { throw error }
      return .failed(error, outcome)
    }
  }

  private func result(
    _ plan: Plan, _ outcome: SessionEviction.Outcome, since: ContinuousClock.Instant,
    to end: ContinuousClock.Instant
  ) -> SwapResult {
    // The watch looks now and then, and may see the lock only when all is over.
    SwapResult(
      live: live, kept: plan.kept,
      cutoffMilliseconds: max(0, Int64((end - since) / .milliseconds(1))),
      sessionsEnded: outcome.ended, notes: plan.notes)
  }

  /// Whether the transaction was committed whose answer was lost.
  ///
  /// Asked once the session that ran it is gone, since until then it may still commit. A server that
  /// lost a backend needs a moment to come up again.
  private func isDone(_ plan: Plan, after error: PostgresError, on second: Session) async throws -> Bool {
    let deadline = ContinuousClock.now + .seconds(5)
    while ContinuousClock.now < deadline {
      let answer: Bool? = try? await second.run { connection in
        let ended = try connection.query(
          """
          select pg_terminate_backend(pid) from pg_catalog.pg_stat_activity
          where pid = $1::int and backend_start = $2::timestamptz
          """, [String(plan.renamer), plan.renamerStart])
        return ended.rowCount > 0 ? nil : try connection.query(plan.script.isDoneQuery).isTrue(0, 0)
      }
      if let answer { return answer }
      if Task.isCancelled { break }
      try? await Task.sleep(for: .milliseconds(50))
    }
    throw BackupError(
      .tryAgain, "the connection was lost while the names were swapped: \(error.message)",
      detail: "Either both names were swapped or none was; which, could not be asked.",
      hint: "run the same command again: it does the rest or says that all is done")
  }

  private func lost(_ error: PostgresError) -> BackupError {
    BackupError(
      .tryAgain, "the connection was lost while the names were swapped: \(error.message)",
      detail: "Nothing was changed: no database was renamed.", hint: "run the same command again",
      sqlState: error.sqlState.isEmpty ? nil : error.sqlState)
  }

  /// What the server says of a statement that took too long does not say why.
  private static func reason(_ error: PostgresError, _ outcome: SessionEviction.Outcome) -> String {
    guard error.isCancellation || error.sqlState == "55006", !outcome.remaining.isEmpty else {
      return error.sqlState == SwapScript.guardState ? "the databases changed meanwhile" : error.message
    }
    return outcome.remaining.count == 1
      ? "a session did not leave" : "\(outcome.remaining.count) sessions did not leave"
  }

  private func refusal(_ error: PostgresError, _ outcome: SessionEviction.Outcome) -> BackupError {
    let sessions = outcome.remaining.map { session in
      "\(session.description)" + (outcome.refused[session.processID].map { ": \($0)" } ?? "")
    }
    return BackupError(
      .tryAgain, "the names cannot be swapped: \(Self.reason(error, outcome))",
      detail: (sessions + ["Nothing was changed: no database was renamed."]).joined(separator: "\n"),
      hint: outcome.refused.isEmpty
        ? "run the same command again" : "end these sessions, or run the same command as a superuser",
      sqlState: error.sqlState.isEmpty ? nil : error.sqlState)
  }

  private func refusal(ofProperties error: PostgresError) -> any Error {
    if error.isServerUnavailable || error.isLockTimeout || error.isRetryableConflict || error.isCancellation {
      return error
    }
    return BackupError(
      .failed,
      "\"\(new)\" cannot be given the owner, privileges and settings of \"\(live)\": \(error.message)",
      detail: [error.detail, "Nothing was changed."].compactMap { $0 }.joined(separator: "\n"),
      hint: "run the same command as a superuser, or give both databases the same by hand",
      sqlState: error.sqlState.isEmpty ? nil : error.sqlState)
  }
}
