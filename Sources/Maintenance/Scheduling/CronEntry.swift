import Processes

/// The text of an entry in a crontab.
public struct CronEntry: Sendable, Equatable {
  public let call: ScheduleCall

  public init(_ call: ScheduleCall) {
    self.call = call
  }

  /// Programs that jobs start (pg_dump, curl) are looked for here; cron's own PATH is `/usr/bin:/bin`.
  public static let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

  /// For a user's crontab: no variable is set for the lines of others behind it.
  ///
  /// - Throws: ``MaintenanceError`` when the line is longer than cron takes.
  public func block() throws(MaintenanceError) -> CrontabBlock {
    let line = try checked("\(call.times.cronMinutes) * * * * PATH=\(Self.path) \(command)")
    return CrontabBlock(name: call.name, lines: [Self.notice, line])
  }

  /// For a file in /etc/cron.d, whose lines have a user.
  ///
  /// - Parameter mailTo: who gets what is printed; empty for nobody.
  /// - Throws: ``MaintenanceError`` when the line is longer than cron takes, or the user is no user's name.
  public func systemFile(user: String, mailTo: String?) throws(MaintenanceError) -> String {
    for name in [user] + [mailTo].compactMap({ $0 }) {
      guard !name.contains(where: { $0.isWhitespace || $0.isNewline || "\"'%\\#".contains($0) }) else {
        throw MaintenanceError(.invalidInput, "\"\(name)\" cannot stand in a crontab")
      }
    }
    let line = try checked("\(call.times.cronMinutes) * * * * \(user) \(command)")
    let lines = [Self.notice, "SHELL=/bin/sh", "PATH=\(Self.path)", "MAILTO=\"\(mailTo ?? user)\"", line]
    return CrontabBlock(name: call.name, lines: lines).text
  }

  private static let notice =
    "# Made by \"tsdb schedule install\"; \"tsdb schedule remove\" takes it out. Changes in here are lost."

  private var command: String {
    var parts = ["TSDB_TRIGGER=cron"] + call.arguments.map(\.shellWord)
    if let file = call.environmentFile {
      parts = ["set -a; .", file.shellWord, "&& set +a &&"] + parts
    }
    // A percent sign would end the command and begin its input.
    return parts.joined(separator: " ").replacing("%", with: "\\%")
  }

  /// Source: Debian's cron 3.0pl1, MAX_COMMAND in cron.h: 1,000 with the zero at the end.
  private func checked(_ line: String) throws(MaintenanceError) -> String {
    guard line.utf8.count < 998 else {
      throw MaintenanceError(
        .invalidInput, "the entry for cron is longer than the 998 bytes that cron takes",
        hint: "put the project or the executable under a shorter path, such as a symbolic link")
    }
    return line
  }
}

/// Lines between our markers.
public struct CrontabBlock: Sendable, Equatable {
  public let name: String
  public let lines: [String]

  public init(name: String, lines: [String]) {
    self.name = name
    self.lines = lines
  }

  static func begin(_ name: String) -> String { "# tsdb begin \(name)" }
  static func end(_ name: String) -> String { "# tsdb end \(name)" }

  /// With the markers and a line end at the end.
  public var text: String {
    ([Self.begin(name)] + lines + [Self.end(name)]).joined(separator: "\n") + "\n"
  }
}
