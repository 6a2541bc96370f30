import Postgres

/// A database that was swapped out and is kept.
public struct KeptDatabase: Sendable, Equatable, Encodable {
  public let name: String
  public let oid: Int
  public let mark: KeptMark
  /// In bytes; nil where the role may not know.
  public let size: Int64?
  /// How long ago it was swapped out, in seconds, by the server's clock.
  public let secondsAgo: Int64
  /// The sessions that are connected to it.
  public let sessions: Int
  /// Whether dropping it was begun and interrupted; such a database can only be dropped.
  public let isHalfDropped: Bool

  public init(
    name: String, oid: Int, mark: KeptMark, size: Int64?, secondsAgo: Int64, sessions: Int,
    isHalfDropped: Bool = false
  ) {
    self.name = name
    self.oid = oid
    self.mark = mark
    self.size = size
    self.secondsAgo = secondsAgo
    self.sessions = sessions
    self.isHalfDropped = isHalfDropped
  }
}

extension KeptDatabase {
  /// The kept databases that had the name `database`, the last swapped out first.
  ///
  /// - Throws: ``BackupError`` when the server refuses.
  public static func all(
    of database: String, on connection: borrowing Connection
  ) throws(BackupError) -> [KeptDatabase] {
    do {
      // -2: "PostgreSQL manual, pg_database": a DROP DATABASE was interrupted.
      let rows = try connection.query(
        """
        select d.oid, d.datname, shobj_description(d.oid, 'pg_database'),
          case when d.datconnlimit <> -2 and (has_database_privilege(d.oid, 'CONNECT')
            or pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')) then pg_database_size(d.oid) end,
          (select count(*) from pg_catalog.pg_stat_activity a where a.datid = d.oid
            and coalesce(a.backend_type, '') not in ('autovacuum worker', 'parallel worker')),
          d.datconnlimit = -2, extract(epoch from clock_timestamp())::bigint
        from pg_catalog.pg_database d
        where shobj_description(d.oid, 'pg_database') like 'kept by tsdb: %'
        """)
      return (0..<rows.rowCount).compactMap { row -> KeptDatabase? in
        let oid = rows.integer(row, 0) ?? 0
        // Somebody may have given the name back by hand.
        guard let mark = KeptMark(comment: rows[row, 2], of: oid), mark.database == database,
          rows.text(row, 1) != database
        else { return nil }
        let since = mark.secondsSinceEpoch.map { Int64(rows.integer(row, 6) ?? 0) - $0 }
        return KeptDatabase(
          name: rows.text(row, 1), oid: oid, mark: mark, size: rows.integer(row, 3).map(Int64.init),
          secondsAgo: max(0, since ?? 0), sessions: rows.integer(row, 4) ?? 0,
          isHalfDropped: rows.isTrue(row, 5))
      }.sorted { ($0.mark.at, $0.oid, $0.name) > ($1.mark.at, $1.oid, $1.name) }
    } catch {
      throw .swapping(error, "the kept databases cannot be listed")
    }
  }

  /// Drops the database.
  ///
  /// - Parameter isForced: ends the sessions that are connected to it.
  /// - Throws: ``BackupError``: `tryAgain` when somebody is connected, `failed` when it is no longer the
  ///   kept database that was listed.
  public func drop(on connection: borrowing Connection, isForced: Bool) throws(BackupError) {
    let current = try Self.all(of: mark.database, on: connection).first { $0.oid == oid }
    guard let current else { return }
    guard current.name == name, current.mark == mark else {
      throw BackupError(
        .failed, "\"\(name)\" is not what it was when it was listed", detail: "It was not dropped.",
        hint: "look again with \"tsdb restore --list-old\"")
    }
    guard current.sessions == 0 || isForced else {
      throw BackupError(
        .tryAgain, "\"\(name)\" is in use by \(current.sessions) session\(current.sessions == 1 ? "" : "s")",
        detail: "It was not dropped.",
        hint: "end them first, or pass --force to have them ended")
    }
    do {
      // A template cannot be dropped, and the name may have been one's.
      let identifier = Quoting.identifier(name)
      let isTemplate = try connection.query(
        "select datistemplate from pg_catalog.pg_database where oid = \(oid)"
      )
      .isTrue(0, 0)
      if isTemplate { try connection.execute("alter database \(identifier) is_template false") }
      try connection.execute("drop database \(identifier)\(isForced ? " with (force)" : "")")
    } catch {
      if error.sqlState == "3D000" { return }
      if error.sqlState == "55006" {
        throw BackupError(
          .tryAgain, "\"\(name)\" cannot be dropped: \(error.message)", detail: error.detail,
          hint: "try again, or pass --force to have its sessions ended", sqlState: error.sqlState)
      }
      throw .swapping(error, "\"\(name)\" cannot be dropped")
    }
  }
}

/// Which swap an undo reverses.
public enum UndoChoice: Sendable, Equatable {
  /// Gives the name back to this database.
  case swap(KeptDatabase)
  /// The last swap of this name was an undo, which left this database.
  case alreadyUndone(KeptDatabase)

  /// Decides among the kept databases of one name.
  ///
  /// The last swap counts, so that an undo that is run again after an interruption does not reach
  /// further back.
  /// - Parameters:
  ///   - kept: as ``KeptDatabase/all(of:on:)`` gives them.
  ///   - name: the kept database that is wanted; nil for the last one.
  /// - Throws: ``BackupError`` of kind `failed` when there is nothing to undo.
  public init(among kept: [KeptDatabase], of database: String, named name: String?) throws(BackupError) {
    let usable = kept.filter { !$0.isHalfDropped }
    if let name {
      guard let chosen = usable.first(where: { $0.name == name }) else {
        throw BackupError(
          .failed, "there is no kept database \"\(name)\" of \"\(database)\"", detail: "Nothing was changed.",
          hint: "see \"tsdb restore --list-old\"")
      }
      self = .swap(chosen)
    } else if let last = usable.first {
      self = last.mark.reason == .undone ? .alreadyUndone(last) : .swap(last)
    } else {
      throw BackupError(
        .failed, "there is nothing to undo: no kept database of \"\(database)\"",
        detail: "Nothing was changed.", hint: "see \"tsdb restore --list-old\" and \"psql -l\"")
    }
  }
}

extension KeptMark {
  /// ``at`` as seconds since 1970; nil where it is no time.
  var secondsSinceEpoch: Int64? {
    let numbers = at.split { !$0.isASCII || !$0.isNumber }.compactMap { Int64($0) }
    guard numbers.count >= 6, (1...12).contains(numbers[1]) else { return nil }
    // Days of the civil calendar; the year begins in March, so that the leap day is its last.
    let year = numbers[1] > 2 ? numbers[0] : numbers[0] - 1
    let month = (numbers[1] + 9) % 12
    let days =
      year * 365 + year / 4 - year / 100 + year / 400 + (month * 306 + 5) / 10 + numbers[2] - 1 - 719_468
    return ((days * 24 + numbers[3]) * 60 + numbers[4]) * 60 + numbers[5]
  }
}
