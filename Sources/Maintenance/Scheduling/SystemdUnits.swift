/// The text of a systemd service and its timer.
public struct SystemdUnits: Sendable, Equatable {
  /// Where the units belong.
  public enum Scope: Sendable, Equatable {
    /// /etc/systemd/system; the account that the service runs under, nil for root.
    case system(user: String?)
    /// A user's own manager, which cannot build most of the sandbox.
    case user
  }

  public let call: ScheduleCall
  public let scope: Scope
  /// Directories that the service may write into, besides temporary ones.
  public let writable: [String]
  /// A file that holds the database's URL, handed to the service as a credential.
  public let credential: String?
  /// The unit to start when a call fails.
  public let onFailure: String?

  /// - Parameter writable: absolute; those that do not exist are left out by systemd.
  public init(
    _ call: ScheduleCall, scope: Scope, writable: [String] = [], credential: String? = nil,
    onFailure: String? = nil
  ) throws(MaintenanceError) {
    let user: String? = if case .system(let user) = scope { user } else { nil }
    for text in writable + [credential, onFailure, user].compactMap({ $0 }) {
      guard !text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) else {
        throw MaintenanceError(.invalidInput, "the text \"\(text)\" cannot stand in a unit")
      }
    }
    self.call = call
    self.scope = scope
    self.writable = writable
    self.credential = credential
    self.onFailure = onFailure
  }

  public var serviceName: String { "tsdb-\(call.name).service" }
  public var timerName: String { "tsdb-\(call.name).timer" }

  /// The first line of files that are ours.
  static func marker(_ name: String) -> String {
    "# tsdb schedule \(name): made by \"tsdb schedule install\"; changes in here are lost."
  }

  /// Whether a unit's text is ours.
  public static func isOurs(_ bytes: [UInt8], name: String) -> Bool {
    bytes.starts(with: Array((marker(name) + "\n").utf8))
  }

  public var timer: String {
    """
    \(Self.marker(call.name))
    [Unit]
    Description=tsdb maintain for \(Self.escaped(call.project)), on time

    [Timer]
    OnCalendar=\(call.times.calendar)
    Persistent=true
    AccuracySec=1s
    RandomizedDelaySec=\(min(30, call.times.every * 6))s
    FixedRandomDelay=true

    [Install]
    WantedBy=timers.target

    """
  }

  public var service: String {
    var lines = [
      Self.marker(call.name), "[Unit]", "Description=tsdb maintain for \(Self.escaped(call.project))",
    ]
    if case .system = scope { lines += ["Wants=network-online.target", "After=network-online.target"] }
    if let onFailure { lines.append("OnFailure=\(Self.escaped(onFailure))") }
    lines += [
      "", "[Service]", "Type=oneshot",
      "ExecStart=" + call.arguments.map { Self.quoted($0, isCommand: true) }.joined(separator: " "),
      "Environment=TSDB_TRIGGER=systemd",
      "Environment=PATH=\(CronEntry.path)",
    ]
    if let file = call.environmentFile { lines.append("EnvironmentFile=\(Self.escaped(file))") }
    if let credential {
      lines += [
        "LoadCredential=database-url:\(Self.escaped(credential))",
        "Environment=TSDB_DATABASE_URL_FILE=%d/database-url",
      ]
    }
    // Longer than the budgets of all jobs: the default of a oneshot is to wait for ever.
    lines += ["TimeoutStartSec=12h", "TimeoutStopSec=60s", "Nice=10", "IOSchedulingClass=idle", "UMask=0027"]
    lines += sandbox
    return lines.joined(separator: "\n") + "\n"
  }

  private var sandbox: [String] {
    guard case .system(let user) = scope else { return ["NoNewPrivileges=true"] }
    var lines: [String] = []
    if let user, user != "root" {
      lines += ["User=\(Self.escaped(user))", "CapabilityBoundingSet="]
    } else {
      // A restore proof's throwaway server does not run as root, so root gives it files and another account.
      lines.append(
        "CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_KILL CAP_SETGID CAP_SETUID")
    }
    lines += [
      "AmbientCapabilities=", "NoNewPrivileges=true", "ProtectSystem=strict", "ProtectHome=read-only",
      "PrivateTmp=true", "PrivateDevices=true", "ProtectClock=true", "ProtectControlGroups=true",
      "ProtectHostname=true", "ProtectKernelLogs=true", "ProtectKernelModules=true",
      "ProtectKernelTunables=true", "ProtectProc=invisible", "RestrictNamespaces=true",
      "RestrictRealtime=true", "RestrictSUIDSGID=true", "LockPersonality=true", "KeyringMode=private",
      "SystemCallArchitectures=native", "SystemCallFilter=@system-service", "SystemCallErrorNumber=EPERM",
      // Sockets of a local server are AF_UNIX.
      "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
    ]
    if user != nil, user != "root" { lines.append("SystemCallFilter=~@privileged @resources") }
    lines += writable.map { "ReadWritePaths=-\(Self.quoted($0, isCommand: false))" }
    return lines
  }

  /// Source: systemd.syntax(7) and systemd.unit(5), "SPECIFIERS".
  static func escaped(_ text: String) -> String { text.replacing("%", with: "%%") }

  /// Source: systemd.syntax(7), "QUOTING"; in a command line `$` begins a variable.
  static func quoted(_ text: String, isCommand: Bool) -> String {
    var result = escaped(text).replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
    if isCommand { result = result.replacing("$", with: "$$") }
    let isPlain = result.utf8.allSatisfy { byte in
      byte > 0x20 && byte < 0x7F && !"\"'\\;".utf8.contains(byte)
    }
    return isPlain && !result.isEmpty ? result : "\"\(result)\""
  }
}
