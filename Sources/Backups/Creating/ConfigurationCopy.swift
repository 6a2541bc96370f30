import Postgres

/// The backup of the configuration: what a database needs around it and does not hold itself.
struct ConfigurationCopy: Sendable {
  /// A file below `config/`.
  struct File: Sendable, Equatable {
    var name: String
    var text: String
  }

  /// Roles, memberships and tablespaces as `pg_dumpall` writes them, without what may be a secret.
  static func globals(_ text: String) -> File {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
      // ALTER ROLE r SET name TO 'value';
      guard line.hasPrefix("ALTER ROLE"), let set = line.firstRange(of: " SET ") else { return String(line) }
      let name = line[set.upperBound...].prefix { $0 != " " }
      return SecretNames.isSecret(String(name))
        ? "-- left out, may hold a secret: \(line[..<set.lowerBound]) SET \(name)" : String(line)
    }
    return File(name: "globals.sql", text: lines.joined(separator: "\n"))
  }

  /// The server's settings that are not at their defaults, in the form of `postgresql.conf`.
  ///
  /// What only a superuser may see is not among them.
  static func settings(on connection: borrowing Connection) throws(PostgresError) -> File {
    let result = try connection.query(
      """
      select name, setting, coalesce(unit, ''), source, vartype from pg_catalog.pg_settings
      where source not in ('default', 'override', 'client', 'session', 'interactive')
      order by name
      """)
    var lines = ["# Settings of the server that are not at their defaults."]
    for row in 0..<result.rowCount {
      let name = result.text(row, 0)
      if SecretNames.isSecret(name) {
        lines.append("# \(name) is set, and left out because it may hold a secret")
        continue
      }
      let value = quoted(result.text(row, 1))
      let unit = result.text(row, 2)
      let note = "\(result.text(row, 3))\(unit.isEmpty ? "" : ", in units of \(unit)")"
      lines.append("\(name) = \(value)  # \(note)")
    }
    return File(name: "settings.conf", text: lines.joined(separator: "\n") + "\n")
  }

  /// A value as `postgresql.conf` takes it.
  private static func quoted(_ value: String) -> String {
    let escaped = value.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''")
      .split(whereSeparator: \.isNewline).joined(separator: " ")
    return "'\(escaped)'"
  }
}
