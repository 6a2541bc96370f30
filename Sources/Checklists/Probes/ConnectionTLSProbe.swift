import Postgres

/// The encryption of this connection.
public struct ConnectionTLSProbe: Probe {
  public static let name = "connection.tls"
  public static let summary = "protocol and cipher of this very connection, and the server's setting ssl"
  public static let isProvedByEmptyDatabase = true
  public static let defects = [
    ProbeDefect(
      "a connection without TLS where it is required", arguments: ["required": "yes"],
      settings: ["sslmode": "disable"])
  ]

  /// The oldest first.
  static let protocols = ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"]

  /// Whether a unix socket will not do.
  let isRequired: Bool
  /// Whether the client must have checked the server's certificate.
  let isVerified: Bool
  let minimum: String

  public init(arguments: [String: String]) throws(ChecklistError) {
    let arguments = try ProbeArguments(arguments, of: Self.name, known: ["required", "verified", "minimum"])
    isRequired = try arguments.flag("required")
    isVerified = try arguments.flag("verified")
    minimum = arguments["minimum"] ?? "TLSv1.2"
    guard Self.protocols.contains(minimum) else {
      throw arguments.unusable("minimum", hint: "write one of \(Self.protocols.joined(separator: ", "))")
    }
  }

  /// What the server says of the connection.
  struct Facts: Sendable, Equatable {
    var isServerReady: Bool
    var isUnixSocket: Bool
    /// nil where the connection is not encrypted.
    var version: String?
    var cipher = ""
    var bits = ""
    /// As libpq was told; nil where only its own defaults or a service file say.
    var mode: String?
    var isPooled = false
  }

  public func run(_ context: ProbeContext) async -> ProbeAnswer {
    let question = ProbeQuestion("pg_stat_ssl of this connection; the server's setting ssl")
    let mode = context.settings["sslmode"] ?? ConnectionProbes.variable("PGSSLMODE")
    return await question.answer(context.session) { connection in
      let row = try connection.query(
        """
        select current_setting('ssl') = 'on', inet_server_addr() is null, s.ssl, s.version, s.cipher, s.bits,
          pg_backend_pid()
        from pg_stat_ssl as s where s.pid = pg_backend_pid()
        """)
      guard row.rowCount == 1 else { return question.unknown("the server says nothing of this connection") }
      return verdict(
        Facts(
          isServerReady: row.isTrue(0, 0), isUnixSocket: row.isTrue(0, 1),
          version: row.isTrue(0, 2) ? row.text(0, 3) : nil, cipher: row.text(0, 4), bits: row.text(0, 5),
          mode: mode,
          isPooled: row.integer(0, 6) != connection.announcedProcessID),
        question)
    }
  }

  func verdict(_ facts: Facts, _ question: ProbeQuestion) -> ProbeAnswer {
    let server = "the server's ssl is \(facts.isServerReady ? "on" : "off")"
    if facts.isPooled {
      return question.unknown(
        "a pooler stands between: the server sees its connection, not this one; \(server)")
    }
    guard let version = facts.version else {
      if facts.isUnixSocket, !isRequired {
        return question.notApplicable(
          "the connection goes through a unix socket, which needs no TLS; \(server)")
      }
      return question.failed(
        "the connection is not encrypted\(facts.isUnixSocket ? " (a unix socket)" : ""); \(server)",
        remedy: facts.isServerReady
          ? "export PGSSLMODE=verify-full PGSSLROOTCERT=FILE"
          : "alter system set ssl = on; select pg_reload_conf(); export PGSSLMODE=verify-full PGSSLROOTCERT=FILE"
      )
    }
    let isChecked = ["verify-full", "verify-ca"].contains(facts.mode)
    let certificate =
      isChecked
      ? "libpq checked the server's certificate (sslmode=\(facts.mode ?? ""))"
      : "the server's certificate was not checked (\(facts.mode.map { "sslmode=\($0)" } ?? "no sslmode is set"))"
    let observed = "\(version), \(facts.cipher), \(facts.bits) bits; \(server); \(certificate)"
    guard let place = Self.protocols.firstIndex(of: version) else { return question.unknown(observed) }
    guard let least = Self.protocols.firstIndex(of: minimum), place >= least else {
      return question.failed(
        "\(observed); older than \(minimum)",
        remedy: "alter system set ssl_min_protocol_version = '\(minimum)'; select pg_reload_conf()")
    }
    guard isChecked || !isVerified else {
      return question.failed(observed, remedy: "export PGSSLMODE=verify-full PGSSLROOTCERT=FILE")
    }
    return question.proved(observed)
  }
}
