import Archive
import Postgres

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

  /// Makes and marks it.
  ///
  /// It gets its name and its mark in one transaction. What it is called before says by itself that it
  /// is not finished.
  /// - Throws: ``BackupError`` of kind `tryAgain` when another restore makes a database of this name.
  static func make(
    _ name: String, like wanted: RestoredDatabase, source: String, on control: Session
  ) async throws -> RestoreDatabase {
    let mark = RestoreMark(
      state: .unfinished, source: source, time: UTCTime.now.description, runner: runner)
    return try await control.run { connection in
      guard try RestoreLock.take(name, on: connection) else {
        throw BackupError(
          .tryAgain, "another restore is making \"\(name)\"", detail: "Nothing was changed.",
          hint: "wait for it to end, or name another database")
      }
      let first = RestoreName.new(time: UTCTime.now.compact, process: getpid())
      _ = try RestoreLock.take(first, on: connection)
      do {
        try connection.execute(wanted.createStatement(first, serverVersion: connection.serverVersion))
        try connection.execute(
          """
          begin; comment on database \(Quoting.identifier(first)) is \(Quoting.literal(mark.text));
          alter database \(Quoting.identifier(first)) rename to \(Quoting.identifier(name)); commit
          """)
      } catch {
        _ = try? connection.execute("rollback")
        _ = try? connection.execute("drop database if exists \(Quoting.identifier(first))")
        throw error
      }
      try RestoreLock.release(first, on: connection)
      return RestoreDatabase(name: name, control: control, mark: mark)
    }
  }

  private static var runner: String {
    var host = [CChar](repeating: 0, count: 256)
    gethostname(&host, host.count - 1)
    let text = host.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
    return "process \(getpid()) on \(text)"
  }

  /// Runs the statements about the database itself and writes its last comment, in one transaction that
  /// is flushed with all that was written before.
  ///
  /// - Parameter comment: nil for what the statements say.
  func finish(_ statements: [[UInt8]], encoding: String, comment: String?) async throws {
    let name = Quoting.identifier(name)
    try await control.run { connection in
      try connection.setClientEncoding(encoding)
      try connection.execute("begin; set local synchronous_commit to on; comment on database \(name) is null")
      do {
        for statement in statements { try connection.execute(statement) }
        try connection.setClientEncoding("UTF8")
        if let comment {
          try connection.execute("comment on database \(name) is \(Quoting.literal(comment))")
        }
        try connection.execute("commit")
      } catch {
        _ = try? connection.execute("rollback")
        _ = try? connection.setClientEncoding("UTF8")
        throw error
      }
      try RestoreLock.release(self.name, on: connection)
    }
  }

  /// Drops it, or marks it as kept; says which.
  func abandon(keeping isKept: Bool) async -> String {
    let identifier = Quoting.identifier(name)
    let kept = RestoreMark(state: .failed, source: mark.source, time: mark.time, runner: mark.runner)
    do {
      return try await control.run { connection in
        if isKept {
          try connection.execute("comment on database \(identifier) is \(Quoting.literal(kept.text))")
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
