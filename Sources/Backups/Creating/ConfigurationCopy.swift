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
    var lines: [String] = []
    // A value may go on over several lines, up to its closing quote.
    var isLeavingOut = false
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      let endsOpen = line.count { $0 == "'" } % 2 == 1
      if isLeavingOut {
        if endsOpen { isLeavingOut = false }
        continue
      }
      guard let (subject, name, value) = setting(in: line), SecretNames.isSecret("\(name)=\(value)") else {
        lines.append(String(line))
        continue
      }
      lines.append("-- left out, may hold a secret: \(subject) SET \(name)")
      isLeavingOut = endsOpen
    }
    return File(name: "globals.sql", text: lines.joined(separator: "\n"))
  }

  /// The parts of `ALTER ROLE r SET name TO 'value';`, whatever the role is called.
  private static func setting(in line: Substring) -> (subject: Substring, name: Substring, value: Substring)?
  {
    guard line.hasPrefix("ALTER ROLE ") else { return nil }
    var isQuoted = false
    var end = line.index(line.startIndex, offsetBy: 11)
    while end < line.endIndex, isQuoted || line[end] != " " {
      if line[end] == "\"" { isQuoted.toggle() }
      end = line.index(after: end)
    }
    guard line[end...].hasPrefix(" SET "), let to = line[end...].firstRange(of: " TO ") else { return nil }
    let name = line[line.index(end, offsetBy: 5)..<to.lowerBound]
    return (line[..<end], name, line[to.upperBound...])
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
      if SecretNames.isSecret("\(name)=\(result.text(row, 1))") {
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
