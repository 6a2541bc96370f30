import Archive
import Postgres

/// The settings under which an archive is restored and read back; only the session is touched.
///
/// What decides how values are written is as it was when they were read: our backups are read in UTC
/// and with `bytea` in hexadecimal, while pg_dump leaves both to the database's own settings, which the
/// new database has by now.
enum RestoreSettings {
  static func apply(
    _ script: RestoreScript, isOurs: Bool, on connection: borrowing Connection
  ) throws(PostgresError) {
    try connection.setClientEncoding(script.encoding)
    for statement in script.sessionSettings(serverVersion: connection.serverVersion) {
      try connection.execute(statement)
    }
    var settings = [
      ("default_transaction_read_only", "off"),
      // Measured: 64 MB builds indexes faster than 16, 256 or 1024. What is not flushed at once is before
      // the end.
      ("maintenance_work_mem", "64MB"), ("synchronous_commit", "off"),
      ("datestyle", "ISO"), ("intervalstyle", "postgres"), ("extra_float_digits", "3"),
      ("synchronize_seqscans", "off"), ("quote_all_identifiers", "off"),
    ]
    if isOurs { settings += [("bytea_output", "hex"), ("timezone", "UTC")] }
    if connection.serverVersion >= 140_000 { settings.append(("idle_session_timeout", "0")) }
    let calls = settings.map { "pg_catalog.set_config('\($0.0)', '\($0.1)', false)" }
    try connection.execute("select " + calls.joined(separator: ", "))
  }
}
