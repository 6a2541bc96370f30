import Archive
import Postgres

/// The settings under which an archive is restored and read back; only the session is touched.
enum RestoreSettings {
  static func apply(_ script: RestoreScript, on connection: borrowing Connection) throws(PostgresError) {
    try connection.setClientEncoding(script.encoding)
    for statement in script.sessionSettings(serverVersion: connection.serverVersion) {
      try connection.execute(statement)
    }
    var settings = [
      ("default_transaction_read_only", "off"),
      // Measured: 64 MB builds indexes faster than 16, 256 or 1024. What is not flushed at once is before
      // the end.
      ("maintenance_work_mem", "64MB"), ("synchronous_commit", "off"),
      // pg_dump's, so that values read back look as they did when they were dumped.
      ("datestyle", "ISO"), ("intervalstyle", "postgres"), ("extra_float_digits", "3"),
      ("bytea_output", "hex"), ("synchronize_seqscans", "off"),
    ]
    if connection.serverVersion >= 140_000 { settings.append(("idle_session_timeout", "0")) }
    let calls = settings.map { "pg_catalog.set_config('\($0.0)', '\($0.1)', false)" }
    try connection.execute("select " + calls.joined(separator: ", "))
  }
}
