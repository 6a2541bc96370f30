#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The socket of a connection, for what is read beside libpq. It stays libpq's: nothing closes it here.
struct ConnectionSocket {
  let descriptor: Int32

  enum Reception: Equatable {
    case bytes(Int)
    /// Nothing has arrived.
    case nothing
    /// The connection is at its end, or lost for the reason of `errno`.
    case end(Int32)
  }

  /// Reads what has arrived, without waiting.
  func receive(into buffer: UnsafeMutableRawBufferPointer) -> Reception {
    while true {
      let count = recv(descriptor, buffer.baseAddress, buffer.count, noWait)
      if count > 0 { return .bytes(count) }
      if count == 0 { return .end(0) }
      switch errno {
      case EINTR: continue
      case EAGAIN, EWOULDBLOCK: return .nothing
      default: return .end(errno)
      }
    }
  }

  /// Waits until one of `events` is there.
  ///
  /// - Parameter timeout: milliseconds; negative for ever.
  /// - Returns: what is there: zero after the timeout, an error or the end as `POLLIN`.
  @discardableResult
  func wait(for events: Int32, timeout: Int32 = -1) -> Int32 {
    var request = pollfd(fd: descriptor, events: Int16(events), revents: 0)
    while poll(&request, 1, timeout) < 0 {
      guard errno == EINTR else { return Int32(POLLIN) }
    }
    let isEnded = request.revents & Int16(POLLERR | POLLHUP | POLLNVAL) != 0
    return Int32(request.revents) & events | (isEnded ? Int32(POLLIN) : 0)
  }

  /// Sends all of `bytes`, waiting where need be.
  func send(_ bytes: [UInt8]) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { systemSend(descriptor, $0.baseAddress, $0.count, noSignal) }
      if count > 0 {
        rest = rest.dropFirst(count)
      } else if errno == EAGAIN || errno == EWOULDBLOCK {
        wait(for: Int32(POLLOUT))
      } else if errno != EINTR {
        return false
      }
    }
    return true
  }

  /// Puts a socket whose other end is closed in the place of this one.
  ///
  /// libpq, which has no way to be told that its connection is of no more use, so finds it at its end,
  /// and sees none of the bytes that are still under way.
  func cut() {
    var pair: [Int32] = [-1, -1]
    guard socketpair(AF_UNIX, streamSocket, 0, &pair) == 0 else {
      shutdown(descriptor, Int32(SHUT_RDWR))
      return
    }
    dup2(pair[0], descriptor)
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
    pair.forEach { close($0) }
  }
}

/// Lets other processes run for about this long.
func pause(microseconds: Int) {
  var time = timespec(tv_sec: 0, tv_nsec: microseconds * 1_000)
  nanosleep(&time, nil)
}

private func systemSend(
  _ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int, _ flags: Int32
) -> Int {
  send(descriptor, bytes, count, flags)
}

#if os(Linux)
  private let streamSocket = Int32(SOCK_STREAM.rawValue)
  private let noSignal = Int32(MSG_NOSIGNAL)
  private let noWait = Int32(MSG_DONTWAIT)
#else
  private let streamSocket = SOCK_STREAM
  private let noSignal: Int32 = 0
  private let noWait = MSG_DONTWAIT
#endif

/// Bytes that have been received and not yet taken.
struct ReceiveBuffer: ~Copyable {
  private let storage: UnsafeMutableRawBufferPointer
  private var start = 0
  private var end = 0

  init(capacity: Int) {
    storage = .allocate(byteCount: capacity, alignment: 16)
  }

  deinit {
    storage.deallocate()
  }

  var unread: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: storage[start..<end]) }

  mutating func drop(_ count: Int) { start += count }

  /// Reads what has arrived, and says whether there may be more.
  mutating func receive(from socket: ConnectionSocket) -> (ConnectionSocket.Reception, isFilled: Bool) {
    if start == end {
      (start, end) = (0, 0)
    } else if storage.count - end < storage.count / 2 {
      storage.copyMemory(from: unread)
      (start, end) = (0, end - start)
    }
    let free = UnsafeMutableRawBufferPointer(rebasing: storage[end...])
    let reception = socket.receive(into: free)
    guard case .bytes(let count) = reception else { return (reception, false) }
    end += count
    return (reception, count == free.count)
  }
}
