import Postgres

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Whether the server can be reached, how, and who else is there.
public enum ConnectionProbes {
  public static let all: [any Probe.Type] = [
    DatabaseReachableProbe.self, EnvironmentConnectionProbe.self, NetworkReachableProbe.self,
    ConnectionTLSProbe.self, RollbackStoppedProbe.self,
  ]

  /// The name of every session that tsdb opens, alone or before a space.
  static let applicationPrefix = "tsdb"

  /// A directory in which no server can listen.
  static let nowhere = ["host": "/nonexistent/tsdb-selftest", "hostaddr": ""]

  /// A connection that is made for the question and closed after it.
  static func fresh(_ context: ProbeContext) -> Session {
    Session(context.settings, applicationName: "\(applicationPrefix) checklist")
  }

  static func variable(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
  }
}

/// The settings of the connection, and what else the environment must hold.
public struct EnvironmentConnectionProbe: Probe {
  public static let name = "environment.connection"
  public static let summary =
    "the connection's settings resolve to a session of the named role and database; named variables are set"
  public static let isProvedByEmptyDatabase = true
  public static let defects = [
    ProbeDefect("a variable that is not set", arguments: ["requires": "TSDB_SELFTEST_IS_NEVER_SET"]),
    ProbeDefect("settings that lead to no database", settings: ["dbname": "tsdb_selftest_does_not_exist"]),
  ]

  /// Variables that libpq and tsdb read a connection from.
  static let variables = [
    "DATABASE_URL", "PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD", "PGPASSFILE",
    "PGSERVICE",
    "PGSERVICEFILE", "PGSSLMODE", "PGSSLROOTCERT",
  ]

  let required: [String]

  public init(arguments: [String: String]) throws(ChecklistError) {
    let arguments = try ProbeArguments(arguments, of: Self.name, known: ["requires"])
    required = try arguments.list("requires") ?? []
    let letters = { (byte: UInt8) in
      byte == UInt8(ascii: "_") || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
    // A value in place of a name would end up in the evidence.
    guard required.allSatisfy({ $0.utf8.allSatisfy(letters) }) else {
      throw arguments.unusable("requires", hint: "write names of variables, never values")
    }
  }

  public func run(_ context: ProbeContext) async -> ProbeAnswer {
    let question = ProbeQuestion(
      "names of the settings and variables of the connection; connect; role and database of the session"
        + (required.isEmpty ? "" : "; variables \(required.joined(separator: ", "))"))
    let settings = ["host", "hostaddr", "port", "user", "dbname", "service", "sslmode", "passfile"]
      .filter { context.settings[$0].map { !$0.isEmpty } ?? false }
    let variables = Self.variables.filter { ConnectionProbes.variable($0) != nil }
    let missing = required.filter { ConnectionProbes.variable($0) == nil }
    guard missing.isEmpty else { return question.failed("not set: \(missing.joined(separator: ", "))") }
    guard !settings.isEmpty || !variables.isEmpty else {
      return question.failed(
        "no setting and no variable names a server",
        remedy: "export PGHOST=HOST PGUSER=ROLE PGDATABASE=DATABASE")
    }
    let session = ConnectionProbes.fresh(context)
    do {
      try await session.connect()
    } catch let error as PostgresError {
      return question.failed(ProbeQuestion.reason(error))
    } catch {
      return question.unknown("it was interrupted")
    }
    let (user, database) = (context.settings["user"], context.settings["dbname"])
    let required = required
    let answer = await question.answer(session) { connection in
      let names = try connection.query("select session_user, current_database()")
      // A database's name may be a whole connection string to libpq.
      let isMeant =
        (user ?? names.text(0, 0)) == names.text(0, 0)
        && (database.map { $0.contains("=") || $0.contains("://") ? names.text(0, 1) : $0 }
          ?? names.text(0, 1))
          == names.text(0, 1)
      guard isMeant else {
        return question.failed("the session is of another role or database than the settings name")
      }
      let parts = [
        settings.isEmpty ? nil : "settings \(settings.joined(separator: ", "))",
        variables.isEmpty ? nil : "variables \(variables.joined(separator: ", "))",
        required.isEmpty ? nil : "set: \(required.joined(separator: ", "))",
      ].compactMap(\.self)
      return question.proved("\(parts.joined(separator: "; ")); they lead to the role and database they name")
    }
    await session.close()
    return answer
  }
}

/// Whether this host reaches the server over a network.
public struct NetworkReachableProbe: Probe {
  public static let name = "network.reachable"
  public static let summary = "this host reaches the server over the network; nothing is said of other hosts"
  public static let isProvedByEmptyDatabase = true
  public static let defects = [
    ProbeDefect("a server that is not there", settings: ConnectionProbes.nowhere)
  ]

  public init(arguments: [String: String]) throws(ChecklistError) {
    _ = try ProbeArguments(arguments, of: Self.name)
  }

  public func run(_ context: ProbeContext) async -> ProbeAnswer {
    let question = ProbeQuestion("connect anew; both ends of the connection; time of five round trips")
    let session = ConnectionProbes.fresh(context)
    do {
      try await session.connect()
    } catch let error as PostgresError {
      return question.failed(
        ProbeQuestion.reason(error), remedy: "pg_isready -h HOST -p PORT")
    } catch {
      return question.unknown("it was interrupted")
    }
    let answer = await question.answer(session) { connection in
      let ends = try connection.query(
        "select inet_server_addr() is null, host(inet_server_addr()) = host(inet_client_addr())")
      if ends.isTrue(0, 0) {
        return question.notApplicable("the connection goes through a unix socket: no network is crossed")
      }
      if ends.isTrue(0, 1) {
        return question.notApplicable("the server is on this host: no network is crossed")
      }
      let clock = ContinuousClock()
      var spans: [Duration] = []
      for _ in 0..<5 {
        let start = clock.now
        _ = try connection.query("select 1")
        spans.append(clock.now - start)
      }
      let (seconds, attoseconds) = spans.sorted()[2].components
      let microseconds = seconds * 1_000_000 + attoseconds / 1_000_000_000_000
      return question.proved("reached over the network; a round trip takes \(microseconds) µs")
    }
    await session.close()
    return answer
  }
}
