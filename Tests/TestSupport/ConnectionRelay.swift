import Foundation
import Synchronization

/// Passes connections on to a server, and cuts them when told.
public final class ConnectionRelay: Sendable {
  private struct State {
    var descriptors: Set<Int32> = []
    var isClosed = false
  }

  private let directory: TemporaryDirectory
  private let listener: Int32
  private let server: String
  private let port: Int
  private let state = Mutex(State())

  public init(to cluster: PostgresCluster) throws {
    directory = try TemporaryDirectory()
    port = cluster.port
    server = "\(cluster.host)/.s.PGSQL.\(cluster.port)"
    listener = socket(AF_UNIX, streamSocket, 0)
    let path = directory.path(".s.PGSQL.\(port)")
    guard listener >= 0, withSocketAddress(path, { bind(listener, $0, $1) }) == 0, listen(listener, 64) == 0
    else { throw TestSupportError("no relay at \(path): \(String(cString: strerror(errno)))") }
    _ = fcntl(listener, F_SETFD, FD_CLOEXEC)
    Thread.detachNewThread { [self] in accept() }
  }

  public func url(database: String, user: String = "postgres") -> String {
    "postgresql://\(user)@\(directory.path.replacingOccurrences(of: "/", with: "%2F")):\(port)/\(database)"
  }

  /// Closes every connection in both directions; new ones are passed on again.
  ///
  /// - Returns: whether there was one.
  @discardableResult
  public func cut() -> Bool {
    state.withLock { state in
      // Only shut down: the threads that read them close them.
      for descriptor in state.descriptors { shutdown(descriptor, Int32(SHUT_RDWR)) }
      return !state.descriptors.isEmpty
    }
  }

  public func close() {
    state.withLock { $0.isClosed = true }
    shutdown(listener, Int32(SHUT_RDWR))
    cut()
  }

  private func accept() {
    defer { _ = Foundation.close(listener) }
    while true {
      let client = Foundation.accept(listener, nil, nil)
      guard client >= 0 else { return }
      let upstream = socket(AF_UNIX, streamSocket, 0)
      for descriptor in [client, upstream] { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
      let isOpen = state.withLock { state in
        guard !state.isClosed, withSocketAddress(server, { connect(upstream, $0, $1) }) == 0 else {
          return false
        }
        state.descriptors.formUnion([client, upstream])
        return true
      }
      guard isOpen else {
        _ = Foundation.close(client)
        _ = Foundation.close(upstream)
        continue
      }
      Thread.detachNewThread { [self] in pass(client, upstream) }
    }
  }

  /// Copies in both directions until either side ends.
  private func pass(_ client: Int32, _ upstream: Int32) {
    var buffer = [UInt8](repeating: 0, count: 65536)
    var waiting = [client, upstream].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    loop: while poll(&waiting, 2, -1) >= 0 || errno == EINTR {
      for (index, other) in [(0, upstream), (1, client)] where waiting[index].revents != 0 {
        let count = read(waiting[index].fd, &buffer, buffer.count)
        guard count > 0, write(buffer[..<count], to: other) else { break loop }
      }
    }
    state.withLock { $0.descriptors.subtract([client, upstream]) }
    _ = Foundation.close(client)
    _ = Foundation.close(upstream)
  }

  private func write(_ bytes: ArraySlice<UInt8>, to descriptor: Int32) -> Bool {
    var rest = bytes
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, noSignal) }
      guard count > 0 else { return false }
      rest = rest.dropFirst(count)
    }
    return true
  }
}

#if os(Linux)
  private let streamSocket = Int32(SOCK_STREAM.rawValue)
  private let noSignal = Int32(MSG_NOSIGNAL)
#else
  private let streamSocket = SOCK_STREAM
  private let noSignal: Int32 = 0
#endif

private func withSocketAddress<Result>(
  _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
) -> Result {
  var address = sockaddr_un()
  address.sun_family = sa_family_t(AF_UNIX)
  withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
  return withUnsafePointer(to: &address) { pointer in
    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
    }
  }
}
