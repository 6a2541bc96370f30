import CLibpq

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

extension ConnectionSettings {
  /// The environment in which another program of PostgreSQL, such as `pg_dump`, reaches the same server.
  ///
  /// `NAME=value` each, sorted: every libpq parameter that has an environment variable, after libpq has
  /// combined the settings, the service file and this process's own `PG*` variables; and the variables that
  /// lead libpq to its files (`HOME` for `.pgpass` and certificates, Kerberos). The service itself is left
  /// out, because what its file says would win over the variables; so is `PGCLIENTENCODING`, which is about text.
  ///
  /// It may hold a password: it belongs into the environment of one child, never into a log.
  /// - Throws: a ``PostgresError`` of origin `client` where libpq cannot read the settings, such as for
  ///   an unknown service.
  public func childEnvironment() throws(PostgresError) -> [String] {
    var variables: [String: String] = [:]
    for name in Self.inheritedVariables {
      if let value = getenv(name) { variables[name] = String(cString: value) }
    }
    for option in try resolvedOptions() {
      guard let variable = option.variable, !Self.isLeftOut(option.keyword), !option.value.isEmpty else {
        continue
      }
      variables[variable] = option.value
    }
    return variables.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
  }

  /// What has no environment variable, as a `keyword='value'` string for `--dbname`; at least the
  /// database's name, and never a secret.
  ///
  /// `sslpassword` and the other secrets that libpq reads from no environment variable so do not reach a
  /// child.
  /// - Throws: as ``childEnvironment()`` does.
  public func childConnectionString() throws(PostgresError) -> String {
    try resolvedOptions()
      .filter { option in
        option.keyword == "dbname"
          || (option.variable == nil && !option.isSecret && !option.isDefault
            && !Self.isLeftOut(option.keyword) && !option.value.isEmpty)
      }
      .map { "\($0.keyword)=\(Self.quoted($0.value))" }
      .joined(separator: " ")
  }

  private struct Option {
    let keyword: String
    let variable: String?
    let value: String
    let isSecret: Bool
    let isDefault: Bool
  }

  /// Read by libpq besides those that stand for a parameter.
  private static let inheritedVariables = [
    "HOME", "KRB5CCNAME", "KRB5_CONFIG", "PGDATESTYLE", "PGGEQO", "PGLOCALEDIR", "PGSYSCONFDIR", "PGTZ",
  ]

  private static func isLeftOut(_ keyword: String) -> Bool {
    ["service", "servicefile", "client_encoding", "fallback_application_name", "replication"].contains(
      keyword)
  }

  /// The settings as libpq would use them.
  ///
  /// Only an attempt to connect combines all sources. The attempts here fail at a value that libpq
  /// refuses before it looks for the server; two of them, because the refused value hides the real one.
  private func resolvedOptions() throws(PostgresError) -> [Option] {
    let options = try resolvedOptions(refusedAt: "channel_binding")
    let others = try resolvedOptions(refusedAt: "sslmode")
    return options.map { option in
      option.keyword == "channel_binding" ? others.first { $0.keyword == option.keyword } ?? option : option
    }
  }

  private func resolvedOptions(refusedAt keyword: String) throws(PostgresError) -> [Option] {
    var parameters = parameters
    parameters[keyword] = "refused"
    let pairs = parameters.sorted { $0.key < $1.key }
    let attempt = CStrings(pairs.map(\.key), terminated: true).withPointers { keywords in
      CStrings(pairs.map(\.value), terminated: true).withPointers { PQconnectStartParams(keywords, $0, 0) }
    }
    guard let attempt else { throw PostgresError(origin: .client, message: "out of memory") }
    defer { PQfinish(attempt) }
    let reason = PQerrorMessage(attempt).map { String(cString: $0) } ?? ""
    guard reason.contains(keyword), let first = PQconninfo(attempt) else {
      throw PostgresError(origin: .client, message: redacting(Connection.oneLine(reason)))
    }
    defer { PQconninfoFree(first) }
    var options: [Option] = []
    var option = first
    while let keyword = option.pointee.keyword {
      let value = option.pointee.val.map { String(cString: $0) } ?? ""
      options.append(
        Option(
          keyword: String(cString: keyword), variable: option.pointee.envvar.map { String(cString: $0) },
          value: value, isSecret: option.pointee.dispchar.map { String(cString: $0) } == "*",
          isDefault: option.pointee.compiled.map { String(cString: $0) } == value))
      option += 1
    }
    return options
  }

  /// Source: PostgreSQL manual, "Connection Strings".
  private static func quoted(_ value: String) -> String {
    var quoted = "'"
    for character in value.unicodeScalars {
      if character == "'" || character == "\\" { quoted.unicodeScalars.append("\\") }
      quoted.unicodeScalars.append(character)
    }
    return quoted + "'"
  }
}
