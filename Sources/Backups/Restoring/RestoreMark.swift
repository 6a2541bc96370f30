import Postgres

/// What the comment of a database says that a restore made.
///
/// The comment travels with the database and is all that tells, after a crash, that a database is not
/// finished.
public struct RestoreMark: Sendable, Equatable {
  public enum State: Sendable, Equatable {
    /// Being restored, or was when its process ended.
    case unfinished
    /// A restore failed and was told to keep it.
    case failed
    /// Restored and checked, and not yet in use under another name.
    case finished
  }

  public let state: State
  /// The backup's id, or the name of the archive.
  public let source: String
  /// UTC, ISO 8601: when the restore began, or for a finished one up to when the backup holds writes;
  /// empty where that is not known.
  public let time: String
  /// Who runs it, for people.
  public let runner: String
  /// The database's own object id: a comment that a dump carried elsewhere is no mark.
  public let oid: Int

  public init(state: State, source: String, time: String, runner: String, oid: Int) {
    self.oid = oid
    self.state = state
    self.source = source
    self.time = time
    self.runner = runner
  }

  private static let unfinishedPrefix = "tsdb restore in progress, of "
  private static let failedPrefix = "tsdb restore that failed, of "
  private static let finishedPrefix = "restored by tsdb from "

  /// The mark in a comment; nil where it is none, or that of another database.
  public init?(comment: String?, of oid: Int) {
    let end = "; database \(oid)"
    guard let marked = comment, marked.hasSuffix(end) else { return nil }
    let comment = marked.dropLast(end.count)
    for (state, prefix, between) in [
      (State.unfinished, Self.unfinishedPrefix, "; started "), (.failed, Self.failedPrefix, "; started "),
      (.finished, Self.finishedPrefix, "; state of "),
    ] where comment.hasPrefix(prefix) {
      let rest = comment.dropFirst(prefix.count)
      guard let first = rest.ranges(of: between).last, let second = rest.ranges(of: "; run by ").last,
        first.upperBound <= second.lowerBound
      else { return nil }
      self.init(
        state: state, source: String(rest[..<first.lowerBound]),
        time: String(rest[first.upperBound..<second.lowerBound]), runner: String(rest[second.upperBound...]),
        oid: oid)
      return
    }
    return nil
  }

  public var text: String {
    let (prefix, between) =
      switch state {
      case .unfinished: (Self.unfinishedPrefix, "started")
      case .failed: (Self.failedPrefix, "started")
      case .finished: (Self.finishedPrefix, "state of")
      }
    return "\(prefix)\(source); \(between) \(time); run by \(runner); database \(oid)"
  }
}

/// The names of databases that restores make.
public enum RestoreName {
  /// `NAME_restore_TIME`, at most 63 bytes, with a number where it is taken.
  ///
  /// - Parameter time: as `20261124T084852Z`.
  public static func make(for database: String, time: String, taken: Set<String>) -> String {
    var number = 1
    while true {
      let end = "_restore_" + time + (number == 1 ? "" : "_\(number)")
      var prefix = ""
      for scalar in database.unicodeScalars {
        guard prefix.utf8.count + UTF8.width(scalar) + end.utf8.count <= 63 else { break }
        prefix.unicodeScalars.append(scalar)
      }
      if !taken.contains(prefix + end) { return prefix + end }
      number += 1
    }
  }
}

extension RestoreName {
  /// What a database is called between its making and its marking, when nothing else tells what it is.
  static let newPrefix = "tsdb_unfinished_"

  static func new(time: String, process: Int32, number: Int) -> String {
    "\(newPrefix)\(time)_\(process)_\(number)"
  }
}

/// A session lock on the maintenance database for each database that is being restored.
///
/// The server gives it up with the connection, so it tells what is running from what was left.
enum RestoreLock {
  /// Of all locks of this kind; the second key is the name's hash.
  private static let key = 0x7473_6462

  /// - Returns: false when another session holds it.
  static func take(_ database: String, on connection: borrowing Connection) throws(PostgresError) -> Bool {
    try connection.query(
      "select pg_catalog.pg_try_advisory_lock(\(key), pg_catalog.hashtext($1))", [database]
    ).isTrue(0, 0)
  }

  static func release(_ database: String, on connection: borrowing Connection) throws(PostgresError) {
    _ = try connection.query(
      "select pg_catalog.pg_advisory_unlock(\(key), pg_catalog.hashtext($1))", [database])
  }
}

/// A database that a restore left unfinished.
public struct RestoreLeftover: Sendable, Equatable {
  public let name: String
  /// nil for one that was not even marked yet.
  public let mark: RestoreMark?

  /// Drops the databases that dead runs left, and names them; those of running restores are left alone.
  ///
  /// - Parameter isDryRun: whether they are only named.
  /// - Parameter connection: to the maintenance database.
  public static func removeAll(
    isDryRun: Bool, on connection: borrowing Connection
  ) throws(PostgresError) -> [RestoreLeftover] {
    let rows = try connection.query(
      """
      select datname, pg_catalog.shobj_description(oid, 'pg_database'), oid from pg_catalog.pg_database
      where not datistemplate and pg_catalog.pg_has_role(datdba, 'USAGE') order by datname
      """)
    var removed: [RestoreLeftover] = []
    for row in 0..<rows.rowCount {
      let (name, mark) = (
        rows.text(row, 0), RestoreMark(comment: rows[row, 1], of: rows.integer(row, 2) ?? 0)
      )
      guard isUnfinished(name, mark) else { continue }
      guard try RestoreLock.take(name, on: connection) else { continue }
      // Another run may have finished it between the list and the lock.
      let comment = try connection.query(
        "select pg_catalog.shobj_description(oid, 'pg_database'), oid from pg_catalog.pg_database where datname = $1",
        [name])
      if comment.rowCount == 1,
        isUnfinished(name, RestoreMark(comment: comment[0, 0], of: comment.integer(0, 1) ?? 0))
      {
        if !isDryRun {
          try connection.execute("drop database if exists \(Quoting.identifier(name)) with (force)")
        }
        removed.append(RestoreLeftover(name: name, mark: mark))
      }
      try RestoreLock.release(name, on: connection)
    }
    return removed
  }

  private static func isUnfinished(_ name: String, _ mark: RestoreMark?) -> Bool {
    mark?.state == .unfinished || (mark == nil && name.hasPrefix(RestoreName.newPrefix))
  }
}
