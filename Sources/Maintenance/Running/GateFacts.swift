import Postgres
import Timekeeping

/// What a server shows of the reasons to wait.
struct GateFacts: Sendable, Equatable {
  struct Replica: Sendable, Equatable {
    /// Its `application_name`.
    var name: String
    /// nil where it has caught up, or does not replay.
    var lag: Duration?
    /// WAL it has not replayed, in bytes; nil where it does not replay.
    var bytes: Int64?
  }

  enum Archive: Sendable, Equatable {
    /// Nothing is archived.
    case off
    /// Neither the files nor the name of the last archived one are to be seen.
    case unseen
    /// How many files wait.
    case waiting(Int)
  }

  /// The role that looks.
  var role: String
  var replicas: [Replica] = []
  /// Replicas whose state the role may not see.
  var hiddenReplicas = 0
  var archive = Archive.off
  /// The process that vacuums or analyzes the relation.
  var vacuum: Int?

  /// Whether work may go on.
  func sight(_ limits: GateLimits) -> Gates.Sight {
    var sight = Gates.Sight(closed: nil, unseen: [])
    let grant = "grant pg_monitor to \(Quoting.identifier(role))"
    if hiddenReplicas > 0 {
      sight.unseen.append(
        "the lag of \(hiddenReplicas) replica\(hiddenReplicas == 1 ? "" : "s") is not visible to this role and not waited for; \(grant)"
      )
    }
    if archive == .unseen {
      sight.unseen.append(
        "the backlog of WAL archiving is not visible to this role and not waited for; \(grant)")
    }
    sight.closed = closed(limits)
    return sight
  }

  private func closed(_ limits: GateLimits) -> String? {
    for replica in replicas {
      if let lag = replica.lag, lag > limits.replicaLag {
        return
          "replica \"\(replica.name)\" is \(lag.wholeSeconds) s behind (limit \(limits.replicaLag.wholeSeconds) s)"
      }
      if let bytes = replica.bytes, bytes > limits.replicaBytes {
        return
          "replica \"\(replica.name)\" is \(bytes >> 20) MiB of WAL behind (limit \(limits.replicaBytes >> 20) MiB)"
      }
    }
    if case .waiting(let count) = archive, count > limits.archiveBacklog {
      return "\(count) WAL files wait to be archived (limit \(limits.archiveBacklog))"
    }
    return vacuum.map { "process \($0) vacuums or analyzes the same table" }
  }
}

extension GateFacts {
  /// - Parameter relation: an oid; nil where no relation is worked on.
  static func read(relation: UInt32?, on connection: borrowing Connection) throws -> GateFacts {
    let result = try connection.query(general)
    var facts = GateFacts(role: result.text(0, 0))
    if result.isTrue(0, 1) { facts.archive = archive(result.integer(0, 2)) }
    facts.hiddenReplicas = result.integer(0, 3) ?? 0
    if result.integer(0, 4) ?? 0 > 0 {
      let rows = try connection.query(replication)
      facts.replicas = (0..<rows.rowCount).map { row in
        Replica(
          name: rows.text(row, 0), lag: rows.integer(row, 1).map { .milliseconds($0) },
          bytes: rows.integer(row, 2).map { Int64($0) })
      }
    }
    if facts.archive != .off, result.isTrue(0, 5) {
      // Only who may list the directory knows the exact number.
      facts.archive = .waiting(
        try connection.query(
          "select count(*) from pg_catalog.pg_ls_archive_statusdir() where name like '%.ready'"
        ).integer(0, 0) ?? 0)
    }
    if let relation {
      let rows = try connection.query(vacuuming, ["\(relation)"])
      facts.vacuum = rows.rowCount > 0 ? rows.integer(0, 0) : nil
    }
    return facts
  }

  private static func archive(_ segments: Int?) -> Archive {
    segments.map { .waiting(max(0, $0)) } ?? .unseen
  }

  /// Column 2 is how many segments lie between the one being written and the last archived one, by their names, on one
  /// timeline; other files than segments are archived as well, and tell nothing.
  private static let general = """
    select
      current_user,
      pg_catalog.current_setting('archive_mode') <> 'off',
      (select
         pg_catalog.floor(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), '0/0') / s.size)::bigint
         - (('x' || pg_catalog.substr(a.last_archived_wal, 9, 8))::bit(32)::bigint * (4294967296 / s.size)
           + ('x' || pg_catalog.substr(a.last_archived_wal, 17, 8))::bit(32)::bigint) - 1
       from pg_catalog.pg_stat_archiver as a
       cross join (
         select setting::bigint as size from pg_catalog.pg_settings where name = 'wal_segment_size') as s
       where a.last_archived_wal ~ '^[0-9A-F]{24}$'),
      (select count(*) from pg_catalog.pg_stat_replication where state is null),
      (select count(*) from pg_catalog.pg_stat_replication where state is not null),
      pg_catalog.has_function_privilege('pg_catalog.pg_ls_archive_statusdir()', 'execute')
    """

  /// What does not replay (a base backup, `pg_receivewal`) has no `replay_lsn`.
  private static let replication = """
    select
      coalesce(nullif(application_name, ''), pid::text),
      pg_catalog.floor(extract(epoch from replay_lag) * 1000)::bigint,
      pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), replay_lsn)::bigint
    from pg_catalog.pg_stat_replication
    where state is not null
    order by 2 desc nulls last, 1
    """

  /// A worker of autovacuum has no role, and every role may see its locks; what it does, monitors only may see. Other
  /// sessions' `VACUUM` is seen where `pg_stat_progress_vacuum` shows it.
  private static let vacuuming = """
    with recursive tree as (
      select $1::oid as relation
      union
      select i.inhrelid from tree join pg_catalog.pg_inherits as i on i.inhparent = tree.relation
    ), relation as (
      select relation from tree
      union
      select c.reltoastrelid from tree join pg_catalog.pg_class as c on c.oid = tree.relation
      where c.reltoastrelid <> 0
    )
    select l.pid
    from pg_catalog.pg_locks as l
    join relation as r on r.relation = l.relation
    join pg_catalog.pg_stat_activity as a on a.pid = l.pid
    where l.locktype = 'relation' and l.granted and l.mode = 'ShareUpdateExclusiveLock'
      and a.usesysid is null
      and l.database = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())
    union all
    select p.pid from pg_catalog.pg_stat_progress_vacuum as p join relation as r on r.relation = p.relid
    where p.datname = pg_catalog.current_database() and p.pid <> pg_catalog.pg_backend_pid()
    limit 1
    """
}
