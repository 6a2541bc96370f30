import Postgres

/// A job of pg_cron.
public struct PgCronJob: Sendable, Equatable, Encodable {
  public let name: String
  /// Five fields, in pg_cron's time zone.
  public let schedule: String
  /// One statement.
  public let command: String
  public let isActive: Bool

  public init(name: String, schedule: String, command: String, isActive: Bool = true) {
    self.name = name
    self.schedule = schedule
    self.command = command
    self.isActive = isActive
  }

  /// For people and for comparing, with a line end at the end.
  public var text: String {
    "\(name)\n  \(schedule)\(isActive ? "" : "  (inactive)")\n  \(command.replacing("\n", with: "\n  "))\n"
  }
}

extension PgCronJob {
  /// Makes the role's jobs `new` out of `old`, in the transaction that is open; others are not touched.
  ///
  /// A name and a role have one job: of a name that is there already, the schedule and the statement are changed.
  public static func replace(
    _ old: [PgCronJob], with new: [PgCronJob], on connection: borrowing Connection
  ) throws(PostgresError) {
    // Ordinary roles may not call cron.alter_job(), so one that was switched off is made anew.
    let kept = Set(new.map(\.name)).subtracting(old.filter { !$0.isActive }.map(\.name))
    for job in old where !kept.contains(job.name) {
      _ = try connection.query(
        "select cron.unschedule(j.jobid) from cron.job as j where j.jobname = $1 and j.username = current_user",
        [job.name])
    }
    for job in new where !old.contains(job) {
      _ = try connection.query(
        "select cron.schedule($1, $2, $3)", [job.name, job.schedule, job.command])
    }
  }
}

/// What is known of pg_cron on a server.
///
/// Settings are taken from `pg_settings`, not from SHOW: SHOW also prints what somebody has set for an extension that
/// does not know it.
public struct PgCronFacts: Sendable, Equatable {
  public var database: String
  public var role: String
  /// nil where the database does not have the extension.
  public var version: String?
  /// Whether the server could make the extension.
  public var isAvailable = true
  /// `cron.database_name`; nil where it is not set or the role may not see it.
  public var cronDatabase: String?
  /// `cron.timezone`; nil before version 1.5, which runs in GMT, and where the role may not see it.
  public var timezone: String?
  /// Whether the role sees the extension's settings.
  public var seesSettings = true
  public var mayUse = true
  public var isStandby = false
  /// Of this role, with our prefix.
  public var jobs: [PgCronJob] = []
  /// Names with our prefix that other roles have, as far as they can be seen.
  public var foreignJobs: [String] = []

  public init(database: String, role: String, version: String?) {
    self.database = database
    self.role = role
    self.version = version
  }

  /// Reads them.
  ///
  /// - Parameter prefix: of the names of our jobs.
  public static func read(
    prefix: String, on connection: borrowing Connection
  ) throws(PostgresError) -> PgCronFacts {
    let result = try connection.query(
      """
      select current_database(), current_user,
        (select extversion from pg_catalog.pg_extension where extname = 'pg_cron'),
        exists (select from pg_catalog.pg_available_extensions where name = 'pg_cron'),
        (select setting from pg_catalog.pg_settings where name = 'cron.database_name'),
        (select setting from pg_catalog.pg_settings where name = 'cron.timezone'),
        pg_catalog.pg_has_role('pg_read_all_settings', 'USAGE'), pg_catalog.pg_is_in_recovery(),
        coalesce(pg_catalog.has_schema_privilege(pg_catalog.to_regnamespace('cron')::oid, 'USAGE'), false)
      """)
    var facts = PgCronFacts(database: result.text(0, 0), role: result.text(0, 1), version: result[0, 2])
    facts.isAvailable = result.isTrue(0, 3)
    facts.cronDatabase = result[0, 4]
    facts.timezone = result[0, 5]
    facts.seesSettings = result.isTrue(0, 6)
    facts.isStandby = result.isTrue(0, 7)
    facts.mayUse = result.isTrue(0, 8)
    guard facts.version != nil, facts.mayUse else { return facts }
    let jobs = try connection.query(
      """
      select jobname, schedule, command, active, username = current_user from cron.job
      where pg_catalog.left(jobname, $2::int) = $1 order by jobname collate "C"
      """, [prefix, "\(prefix.unicodeScalars.count)"])
    for row in 0..<jobs.rowCount {
      if jobs.isTrue(row, 4) {
        facts.jobs.append(
          PgCronJob(
            name: jobs.text(row, 0), schedule: jobs.text(row, 1), command: jobs.text(row, 2),
            isActive: jobs.isTrue(row, 3)))
      } else {
        facts.foreignJobs.append(jobs.text(row, 0))
      }
    }
    return facts
  }

  /// - Throws: ``MaintenanceError`` where no job can be made here, with what would help.
  public func requireUsable() throws(MaintenanceError) {
    if isStandby {
      throw MaintenanceError(
        .failed, "the server is a standby, on which pg_cron runs nothing", hint: "connect to the primary")
    }
    guard version != nil else {
      if let cronDatabase, cronDatabase != database {
        throw MaintenanceError(
          .failed, "pg_cron works in the database \"\(cronDatabase)\" only, not in \"\(database)\"",
          hint: "set cron.database_name = '\(database)' and restart the server, or use --cron or --systemd")
      }
      throw MaintenanceError(
        .failed, "the database \"\(database)\" does not have the extension pg_cron",
        detail: cronDatabase == nil ? "The server does not seem to have loaded it either." : nil,
        hint: isAvailable
          ? "set shared_preload_libraries = 'pg_cron' and cron.database_name = '\(database)', restart, and "
            + "run: create extension pg_cron"
          : "install it on the server (Debian: postgresql-NN-cron), or use --cron or --systemd")
    }
    if let cronDatabase, cronDatabase != database {
      throw MaintenanceError(
        .failed, "pg_cron works in the database \"\(cronDatabase)\", not in \"\(database)\"",
        hint: "set cron.database_name = '\(database)' and restart the server")
    }
    guard mayUse else {
      throw MaintenanceError(
        .failed, "the role \"\(role)\" may not use pg_cron",
        hint: "grant usage on schema cron to \(Quoting.identifier(role))", sqlState: "42501")
    }
  }
}
