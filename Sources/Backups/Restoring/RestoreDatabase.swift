import Archive
import Postgres
import Synchronization
import Timekeeping

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The new database of one restore: made, marked, and in the end finished or dropped.
///
/// All of it happens on the maintenance connection, which holds the lock that tells a running restore
/// from one that died.
struct RestoreDatabase: Sendable {
  let name: String
  /// Of the maintenance database.
  let control: Session
  let mark: RestoreMark

  /// A database that could not be made may be there nevertheless: a server goes on with what a lost client
  /// asked for.
  struct Left: Error {
    /// It has one of these.
    let names: [String]
    let after: any Error
  }

  /// Of databases that this process has made.
  private static let count = Atomic<Int>(0)

  /// Makes and marks it.
  ///
  /// It gets its name and its mark in one transaction. What it is called before says by itself that it
  /// is not finished.
  /// - Throws: ``BackupError`` of kind `tryAgain` when another restore makes a database of this name.
  static func make(
    _ name: String, like wanted: RestoredDatabase, source: String, on control: Session
  ) async throws -> RestoreDatabase {
    return try await control.run { connection in
      guard try RestoreLock.take(name, on: connection) else {
        throw BackupError(
          .tryAgain, "another restore is making \"\(name)\"", detail: "Nothing was changed.",
          hint: "wait for it to end, or name another database")
      }
      let number = count.add(1, ordering: .relaxed).newValue
      let first = RestoreName.new(time: UTCTime.now.compact, process: getpid(), number: number)
      _ = try RestoreLock.take(first, on: connection)
      let made: RestoreDatabase
      do {
        try connection.execute(wanted.createStatement(first, serverVersion: connection.serverVersion))
        let oid = try connection.query("select oid from pg_catalog.pg_database where datname = $1", [first])
        let mark = RestoreMark(
          state: .unfinished, source: source, time: UTCTime.now.description, runner: runner,
          oid: oid.integer(0, 0) ?? 0)
        try connection.execute(
          """
          begin; comment on database \(Quoting.identifier(first)) is \(Quoting.literal(mark.text));
          alter database \(Quoting.identifier(first)) rename to \(Quoting.identifier(name)); commit
          """)
        made = RestoreDatabase(name: name, control: control, mark: mark)
      } catch {
        _ = try? connection.execute("rollback")
        do {
          try connection.execute("drop database if exists \(Quoting.identifier(first))")
        } catch _ {
          throw Left(names: [first, name], after: error)
        }
        throw error
      }
      try RestoreLock.release(first, on: connection)
      return made
    }
  }

  private static var runner: String {
    var host = [CChar](repeating: 0, count: 256)
    gethostname(&host, host.count - 1)
    let text = host.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
    return "process \(getpid()) on \(text)"
  }

  /// Runs statements about the database, each by itself.
  ///
  /// - Returns: what the server refused; a setting that only a superuser may make should not cost the
  ///   restore.
  func run(_ statements: [[UInt8]], encoding: String) async throws -> [String] {
    try await control.run { connection in
      try connection.setClientEncoding(encoding)
      defer { _ = try? connection.setClientEncoding("UTF8") }
      return try statements.compactMap { statement in
        do {
          try connection.execute(statement)
          return nil
        } catch let error as PostgresError
          where error.origin == .server && !error.isCancellation && !error.isServerUnavailable
        {
          let text = String(decoding: statement, as: UTF8.self).split(whereSeparator: \.isNewline)
          return "\(text.joined(separator: " ")): \(error.message)"
        }
      }
    }
  }

  /// Gives the database its owner, its properties and its last comment, and lets go of it.
  ///
  /// The mark goes last, in a transaction that is flushed with all that was written before.
  /// - Parameter comment: what the new comment is in place of the properties' one.
  /// - Returns: what the server refused.
  func finish(
    owner: [UInt8]?, _ properties: [[UInt8]], encoding: String, comment: String?
  ) async throws -> [String] {
    let isComment = { (statement: [UInt8]) in
      SQLWords.statements(in: statement).first?.words.first?.isKeyword("COMMENT") ?? false
    }
    var refused = try await run(
      (owner.map { [$0] } ?? []) + properties.filter { !isComment($0) }, encoding: encoding)
    // Privileges may have been granted in another role's name.
    _ = try await run([Array("reset session authorization".utf8)], encoding: encoding)
    let identifier = Quoting.identifier(name)
    let unmark = comment.map { "comment on database \(identifier) is \(Quoting.literal($0))" }
    let last =
      unmark.map { Array($0.utf8) } ?? properties.last(where: isComment)
      ?? Array("comment on database \(identifier) is null".utf8)
    refused += try await control.run { connection in
      try connection.execute("begin; set local synchronous_commit to on")
      try connection.setClientEncoding(comment == nil ? encoding : "UTF8")
      do {
        try connection.execute(last)
        try connection.execute("commit")
      } catch {
        _ = try? connection.execute("rollback")
        throw error
      }
      try connection.setClientEncoding("UTF8")
      try RestoreLock.release(name, on: connection)
      return [String]()
    }
    return refused
  }

  /// Drops it, or marks it as kept; says which.
  func abandon(keeping isKept: Bool) async -> String {
    let identifier = Quoting.identifier(name)
    let kept = RestoreMark(
      state: .failed, source: mark.source, time: mark.time, runner: mark.runner, oid: mark.oid)
    do {
      return try await control.run { connection in
        let found = try connection.query(
          "select from pg_catalog.pg_database where datname = $1 and oid = $2::pg_catalog.oid",
          [name, String(mark.oid)])
        guard found.rowCount == 1 else { return "The new database is gone; nothing else was changed." }
        // The answer to the last commit may have been lost: the mark goes back before anything else, so that
        // a drop that is interrupted leaves what the next restore knows.
        let last = isKept ? kept : mark
        try connection.execute("comment on database \(identifier) is \(Quoting.literal(last.text))")
        if isKept {
          return "The unfinished database \"\(name)\" was kept; drop it when it is not needed."
        }
        try connection.execute("drop database if exists \(identifier) with (force)")
        return "The new database was dropped; nothing else was changed."
      }
    } catch {
      return "The unfinished database \"\(name)\" is still there; the next restore on this server drops it."
    }
  }
}
