import SystemPackage

/// The contents of `postmaster.pid`. Source: `miscadmin.h` and `pidfile.h` of PostgreSQL.
struct PostmasterFile: Sendable, Equatable {
  enum Status: String, Sendable {
    case starting, stopping, ready, standby
  }

  /// The postmaster's process number.
  let pid: Int32
  /// Written by a `postgres --single`, which is no server.
  let isStandalone: Bool
  let dataDirectory: FilePath?
  /// Seconds since 1970, UTC.
  let startTime: Int64?
  let port: Int?
  /// Absent while the server is starting.
  let socketDirectory: FilePath?
  /// Absent until the postmaster has reached the point of writing it.
  let status: Status?

  /// Nil when there is no process number in the first line: an empty or torn file.
  init?(text: String) {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    guard let first = lines.first, let number = Int32(first), number != 0, number != .min else { return nil }
    func line(_ number: Int) -> Substring? {
      guard lines.indices.contains(number - 1), !lines[number - 1].isEmpty else { return nil }
      return lines[number - 1]
    }
    pid = abs(number)
    isStandalone = number < 0
    dataDirectory = line(2).map { FilePath(String($0)) }
    startTime = line(3).flatMap { Int64($0) }
    port = line(4).flatMap { Int($0) }
    socketDirectory = line(5).map { FilePath(String($0)) }
    // Padded with blanks to a fixed width, so that it can be overwritten in place.
    status = line(8).flatMap { text in Status(rawValue: String(text.prefix { $0 != " " })) }
  }
}
