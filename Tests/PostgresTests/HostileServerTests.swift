import Foundation
import Postgres
import TestSupport
import Testing

/// Opens a connection like a server, and answers the first statement with what it was given, then with
/// rows without end.
private final class HostileServer: Sendable {
  let settings: ConnectionSettings
  private let directory: TemporaryDirectory
  private let listener: Int32

  init(answer: [UInt8], endsAfterwards: Bool) throws {
    directory = try TemporaryDirectory()
    settings = ConnectionSettings(parameters: ["host": directory.path, "port": "5432", "user": "x"])
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { [directory] in
      $0.copyBytes(from: directory.path(".s.PGSQL.5432").utf8)
    }
    let status = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard status == 0, listen(descriptor, 1) == 0 else { throw TestSupportError("no socket") }
    listener = descriptor
    Thread.detachNewThread { serve(descriptor, answer, endsAfterwards) }
  }

  deinit { shutdown(listener, Int32(SHUT_RDWR)) }
}

private func serve(_ listener: Int32, _ answer: [UInt8], _ endsAfterwards: Bool) {
  let client = accept(listener, nil, nil)
  // Cancel requests seem to be heard.
  Thread.detachNewThread {
    while case let other = accept(listener, nil, nil), other >= 0 { close(other) }
    close(listener)
  }
  defer { close(client) }
  var request = [UInt8](repeating: 0, count: 10_000)
  // AuthenticationOk, BackendKeyData, ReadyForQuery.
  let greeting: [UInt8] = [
    82, 0, 0, 0, 8, 0, 0, 0, 0, 75, 0, 0, 0, 12, 0, 0, 0, 1, 0, 0, 0, 1, 90, 0, 0, 0, 5, 73,
  ]
  guard read(client, &request, request.count) > 0, write(client, greeting),
    read(client, &request, request.count) > 0,
    write(client, answer), !endsAfterwards
  else { return }
  let rows = (0..<1_000).flatMap { _ -> [UInt8] in [100, 0, 0, 0, 6, 120, 10] }
  while write(client, rows) {}
}

private func write(_ descriptor: Int32, _ bytes: [UInt8]) -> Bool {
  send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count
}

@Suite struct `A hostile server` {
  private static let begin: [UInt8] = [72, 0, 0, 0, 7, 0, 0, 0]
  private static let row: [UInt8] = [100, 0, 0, 0, 6, 120, 10]

  private static let nonsense: [[UInt8]] = [
    begin + [100, 255, 255, 255, 255], begin + [100, 0, 0, 0, 5, 65], begin + [88, 0, 0, 0, 4],
    begin + begin, row, [UInt8]("HTTP/1.1 200 OK\r\n".utf8), miscounted,
  ]
  /// Ends properly, and says more rows than there were.
  private static var miscounted: [UInt8] {
    let tag: [UInt8] = [67, 0, 0, 0, 11] + [UInt8]("COPY 2".utf8) + [0]
    return begin + row + [99, 0, 0, 0, 4] + tag + [90, 0, 0, 0, 5, 73]
  }
  private static let unfinished: [[UInt8]] = [
    [], begin, begin + row, begin + [100, 0, 15, 0, 0, 65], begin + [100, 0],
  ]

  @Test(arguments: nonsense)
  func `is given up, whatever it goes on to send`(answer: [UInt8]) async throws {
    let server = try HostileServer(answer: answer, endsAfterwards: false)
    try await Session(server.settings, applicationName: "tsdb tests").run { connection in
      let error = #expect(throws: PostgresError.self) {
        _ = try connection.copyOut([UInt8]("copy t to stdout".utf8)) { _, _ in }
      }
      #expect(error?.origin == .connectionLost && error?.sqlState == "08P01", "\(String(reflecting: error))")
      #expect(Bool(connection.isBroken))
      let later = #expect(throws: PostgresError.self) { try connection.execute("select 1") }
      #expect(later?.origin == .connectionLost)
      _ = connection.takeNotices()
    }
  }

  @Test(arguments: unfinished)
  func `that hangs up is a lost connection`(answer: [UInt8]) async throws {
    let server = try HostileServer(answer: answer, endsAfterwards: true)
    try await Session(server.settings, applicationName: "tsdb tests").run { connection in
      let error = #expect(throws: PostgresError.self) {
        _ = try connection.copyOut([UInt8]("copy t to stdout".utf8)) { _, _ in }
      }
      #expect(error?.origin == .connectionLost && error?.isServerUnavailable == true)
      #expect(Bool(connection.isBroken))
      _ = connection.takeNotices()
    }
  }

  @Test(arguments: CopyOutPath.allCases)
  func `that does not stop when told is given up`(path: CopyOutPath) async throws {
    struct Enough: Error {}
    let server = try HostileServer(answer: Self.begin, endsAfterwards: false)
    try await Session(server.settings, applicationName: "tsdb tests").run { connection in
      #expect(throws: Enough.self) {
        _ = try connection.copyOut([UInt8]("copy t to stdout".utf8), by: path) { _, _ in throw Enough() }
      }
      #expect(Bool(connection.isBroken))
      _ = connection.takeNotices()
    }
  }
}
