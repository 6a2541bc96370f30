import Archive
import Postgres

/// The settings under which an archive is restored and read back.
///
/// The first group is pg_restore's (`_doSetFixedOutputState`), the second pg_dump's, so that values read
/// back look as they did when they were dumped. Only the session is touched.
enum RestoreSession {
  static func prepare(_ connection: borrowing Connection, for toc: TableOfContents) throws(PostgresError) {
    try connection.setClientEncoding(toc.encoding)
    let version = connection.serverVersion
    var settings = [
      ("standard_conforming_strings", toc.hasStandardStrings ? "on" : "off"),
      ("escape_string_warning", "off"), ("check_function_bodies", "off"), ("xmloption", "content"),
      ("client_min_messages", "warning"), ("row_security", "off"), ("search_path", ""),
      ("default_transaction_read_only", "off"), ("default_tablespace", ""), ("statement_timeout", "0"),
      ("lock_timeout", "0"), ("idle_in_transaction_session_timeout", "0"),
      // Measured: 64 MB builds indexes faster than 16, 256 or 1024.
      ("maintenance_work_mem", "64MB"), ("synchronous_commit", "off"),
      ("datestyle", "ISO"), ("intervalstyle", "postgres"), ("extra_float_digits", "3"),
      ("bytea_output", "hex"), ("synchronize_seqscans", "off"), ("quote_all_identifiers", "off"),
    ]
    if version >= 140_000 { settings.append(("idle_session_timeout", "0")) }
    if version >= 170_000 { settings.append(("transaction_timeout", "0")) }
    let calls = settings.map { "pg_catalog.set_config('\($0.0)', '\($0.1)', false)" }
    try connection.execute("select " + calls.joined(separator: ", "))
  }
}
