import Postgres

/// A session of a database that is in the way.
public struct SwapSession: Sendable, Equatable, Encodable {
  public let processID: Int
  public let role: String
  public let application: String
  /// As in `pg_stat_activity`; nil where the role may not see it.
  public let state: String?

  public var description: String {
    "process \(processID) of role \"\(role)\""
      + (application.isEmpty ? "" : " (\(application))") + (state.map { ", \($0)" } ?? "")
  }
}

/// What stands between two databases and the swap of their names, as read before anything is done.
struct SwapSituation: Sendable, Equatable {
  struct Database: Sendable, Equatable {
    let oid: Int
    let owner: String
    let tablespace: String
    /// Whether the role has the privileges of the owner.
    let isOurs: Bool
    /// Whether the role may make others' databases the owner's.
    let isOwnerSettable: Bool
  }

  struct Server: Sendable, Equatable {
    var role: String
    var isSuperuser: Bool
    var maySignal: Bool
    var mayCreate: Bool
    var isInRecovery: Bool
    var isPooled: Bool
    /// The server's clock, as `2026-11-24T08:48:52.123Z`.
    var time: String
  }

  /// Something bound to a database, which ALTER DATABASE RENAME refuses or which would go on working
  /// on the wrong one.
  struct Hindrance: Sendable, Equatable {
    enum Kind: String, Sendable {
      case preparedTransaction, replicationSlot, subscription
    }

    let kind: Kind
    let database: String
    let name: String
  }

  var server: Server
  var live: Database?
  var new: Database?
  var hindrances: [Hindrance]
  /// Sessions that this role may not end.
  var protected: [SwapSession]
  /// The names of all databases.
  var names: Set<String>
}

extension SwapSituation {
  init(live: String, new: String, on connection: borrowing Connection) throws(PostgresError) {
    let row = try connection.query(
      """
      select current_user, r.rolsuper, r.rolcreatedb, pg_is_in_recovery(), pg_backend_pid(),
        to_char(clock_timestamp() at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
        pg_has_role(current_user, 'pg_signal_backend', 'USAGE')
      from pg_catalog.pg_roles r where r.rolname = current_user
      """)
    server = Server(
      role: row.text(0, 0), isSuperuser: row.isTrue(0, 1), maySignal: row.isTrue(0, 6),
      mayCreate: row.isTrue(0, 2), isInRecovery: row.isTrue(0, 3),
      isPooled: row.integer(0, 4) != connection.announcedProcessID, time: row.text(0, 5))
    self.live = try Self.database(live, on: connection)
    self.new = try Self.database(new, on: connection)
    hindrances = try Self.hindrances([live, new], on: connection)
    protected = try Self.protectedSessions([live, new], on: connection)
    names = Set(
      try connection.query("select datname from pg_catalog.pg_database").rows().compactMap { $0[0] })
  }

  private static func database(
    _ name: String, on connection: borrowing Connection
  ) throws(PostgresError) -> Database? {
    // Since 16, membership alone does not let a role be set.
    let privilege = connection.serverVersion >= 160_000 ? "SET" : "MEMBER"
    let row = try connection.query(
      """
      select d.oid, pg_get_userbyid(d.datdba), t.spcname, pg_has_role(current_user, d.datdba, 'USAGE'),
        pg_has_role(current_user, d.datdba, '\(privilege)')
      from pg_catalog.pg_database d join pg_catalog.pg_tablespace t on t.oid = d.dattablespace
      where d.datname = $1
      """, [name])
    guard row.rowCount == 1, let oid = row.integer(0, 0) else { return nil }
    return Database(
      oid: oid, owner: row.text(0, 1), tablespace: row.text(0, 2), isOurs: row.isTrue(0, 3),
      isOwnerSettable: row.isTrue(0, 4))
  }

  private static func hindrances(
    _ databases: [String], on connection: borrowing Connection
  ) throws(PostgresError) -> [Hindrance] {
    let rows = try connection.query(
      """
      select 'preparedTransaction', database, gid from pg_catalog.pg_prepared_xacts
      where database = any($1::text[])
      union all
      select 'replicationSlot', database, slot_name from pg_catalog.pg_replication_slots
      where database = any($1::text[])
      union all
      select 'subscription', d.datname, s.subname
      from pg_catalog.pg_subscription s join pg_catalog.pg_database d on d.oid = s.subdbid
      where s.subenabled and d.datname = any($1::text[])
      order by 1, 2, 3
      """, [Quoting.textArray(databases)])
    return (0..<rows.rowCount).compactMap { row in
      Hindrance.Kind(rawValue: rows.text(row, 0)).map {
        Hindrance(kind: $0, database: rows.text(row, 1), name: rows.text(row, 2))
      }
    }
  }

  private static func protectedSessions(
    _ databases: [String], on connection: borrowing Connection
  ) throws(PostgresError) -> [SwapSession] {
    // Autovacuum is ended by ALTER DATABASE itself, a parallel worker goes with its leader. What kind a session
    // of another role is, the server may not tell; autovacuum has no role.
    let rows = try connection.query(
      """
      select a.pid, coalesce(a.usename, ''), coalesce(a.application_name, ''), a.state
      from pg_catalog.pg_stat_activity a
        join pg_catalog.pg_roles r on r.oid = a.usesysid
        cross join (select rolsuper from pg_catalog.pg_roles where rolname = current_user) me
      where a.datname = any($1::text[])
        and coalesce(a.backend_type, '') not in ('autovacuum worker', 'parallel worker')
        and not me.rolsuper and r.oid is not null
        and (r.rolsuper
          or not (pg_has_role(current_user, r.oid, 'USAGE')
            or pg_has_role(current_user, 'pg_signal_backend', 'USAGE')))
      order by a.pid
      """, [Quoting.textArray(databases)])
    return (0..<rows.rowCount).map {
      SwapSession(
        processID: rows.integer($0, 0) ?? 0, role: rows.text($0, 1), application: rows.text($0, 2),
        state: rows[$0, 3])
    }
  }
}

extension SwapSituation {
  /// Why the names cannot be swapped; nil when they can.
  func refusal(live liveName: String, new newName: String) -> BackupError? {
    if server.isPooled {
      return BackupError(
        .invalidInput, "databases cannot be swapped through a connection pooler",
        detail: "The pooler would use its own sessions of the databases. Nothing was changed.",
        hint: "give the URL of the server itself")
    }
    if server.isInRecovery {
      return BackupError(
        .failed, "the server is a read-only standby", detail: "Nothing was changed.",
        hint: "connect to the primary")
    }
    guard let live else { return Self.absent(liveName) }
    guard let new else { return Self.absent(newName) }
    let obstacles =
      privilegeObstacles([(liveName, live), (newName, new)]) + hindrances.map(\.obstacle)
      + protected.map(obstacle)
    guard !obstacles.isEmpty else { return nil }
    var remedies: [String] = []
    for obstacle in obstacles where !remedies.contains(obstacle.remedy) { remedies.append(obstacle.remedy) }
    return BackupError(
      .failed, "\"\(newName)\" cannot take the name \"\(liveName)\"",
      detail: (obstacles.map(\.fact) + ["Nothing was changed."]).joined(separator: "\n"),
      hint: remedies.joined(separator: "\n"))
  }

  private static func absent(_ name: String) -> BackupError {
    BackupError(
      .failed, "there is no database \"\(name)\"", detail: "Nothing was changed.",
      hint: "see the databases with \"psql -l\" and what is kept with \"tsdb restore --list-old\"",
      sqlState: "3D000")
  }

  private func privilegeObstacles(_ databases: [(name: String, database: Database)]) -> [Obstacle] {
    if server.isSuperuser { return [] }
    let role = Quoting.identifier(server.role)
    var obstacles: [Obstacle] = []
    if !server.mayCreate {
      obstacles.append(
        Obstacle(
          fact: "The role \(role) may not rename databases: it lacks CREATEDB.",
          remedy: "alter role \(role) createdb"))
    }
    for (name, database) in databases where !database.isOurs {
      obstacles.append(
        Obstacle(
          fact: "The database \"\(name)\" belongs to \"\(database.owner)\".",
          remedy: "grant \(Quoting.identifier(database.owner)) to \(role)"))
    }
    if let live, let new, live.owner != new.owner, live.isOurs, !live.isOwnerSettable {
      obstacles.append(
        Obstacle(
          fact: "The role \(role) may not make \"\(live.owner)\" the owner of a database.",
          remedy: "grant \(Quoting.identifier(live.owner)) to \(role) with set true"))
    }
    return obstacles
  }

  private func obstacle(_ session: SwapSession) -> Obstacle {
    Obstacle(
      fact: "Role \"\(server.role)\" may not end \(session.description).",
      remedy: server.maySignal || session.role.isEmpty
        ? "end the sessions of superusers, or connect as one"
        : "grant pg_signal_backend to \(Quoting.identifier(server.role))")
  }
}

/// One reason not to act, and what removes it.
struct Obstacle: Sendable, Equatable {
  let fact: String
  let remedy: String
}

extension SwapSituation.Hindrance {
  var obstacle: Obstacle {
    switch kind {
    case .preparedTransaction:
      Obstacle(
        fact: "The prepared transaction \"\(name)\" is open in \"\(database)\".",
        remedy: "in \"\(database)\": commit prepared or rollback prepared \(Quoting.literal(name))")
    case .replicationSlot:
      Obstacle(
        fact:
          "The replication slot \"\(name)\" reads \"\(database)\" and would stay with it under its new name.",
        remedy: "stop its consumer and drop it: select pg_drop_replication_slot(\(Quoting.literal(name)))")
    case .subscription:
      Obstacle(
        fact: "The subscription \"\(name)\" writes into \"\(database)\" and would go on under its new name.",
        remedy: "in \"\(database)\": alter subscription \(Quoting.identifier(name)) disable")
    }
  }
}
