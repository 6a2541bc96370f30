import CLibpq

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// How the rows of a COPY are read.
package enum CopyOutPath: Sendable, CaseIterable {
  /// From the socket where it is not encrypted.
  case automatic
  /// With `PQgetCopyData`, which holds a row as a whole.
  case library
}

extension Connection {
  /// Runs one `COPY … TO STDOUT` in text format.
  ///
  /// Memory is bounded, whatever the size of a row, unless the connection is encrypted: then libpq holds
  /// one row at a time. A failed COPY leaves the connection usable, except where it is lost.
  /// - Parameters:
  ///   - statement: in the client encoding.
  ///   - body: gets each row with the newline that ends it, in the client encoding, valid during the call.
  ///     A long row (beyond 64 KiB) comes in parts; `endsRow` is true for the last. When it throws, the COPY
  ///     is cancelled.
  /// - Returns: the number of rows as the server counts them, equal to the number that `body` was given.
  /// - Throws: what `body` threw, or a ``PostgresError``.
  public func copyOut(
    _ statement: [UInt8], _ body: (_ bytes: UnsafeRawBufferPointer, _ endsRow: Bool) throws -> Void
  ) throws -> Int64 {
    try copyOut(statement, by: .automatic, body)
  }

  package func copyOut(
    _ statement: [UInt8], by path: CopyOutPath,
    _ body: (_ bytes: UnsafeRawBufferPointer, _ endsRow: Bool) throws -> Void
  ) throws -> Int64 {
    // What came while the connection was idle is parsed now. libpq reads nothing more while it sends,
    // for the answer cannot begin before the statement is complete; whatever else it got hold of it parses
    // when it is read from again.
    guard PQconsumeInput(connection) == 1 else { throw connectionError() }
    _ = PQisBusy(connection)
    try send(statement)
    let isEncrypted = PQsslInUse(connection) == 1 || PQgssEncInUse(connection) == 1
    if path == .library || isEncrypted { return try copyOutByLibrary(body) }
    return try copyOutFromSocket(body)
  }

  private static var isNoCopy: PostgresError {
    PostgresError(origin: .client, message: "the statement does not copy rows to the client as text")
  }

  /// A pause when little is there costs less than waking for each 8 KiB that the server sends.
  private static var pauseMicroseconds: Int { 300 }

  /// When this much came at once there is no pause: the socket holds about 200 KiB, and a server that has
  /// filled it stands still until it is read again.
  private static var pauseThreshold: Int { 64 << 10 }

  /// How long a cancelled COPY may still send rows; then the connection is given up.
  private static var drainLimit: Duration { .seconds(10) }
}

// MARK: - From the socket

extension Connection {
  private func copyOutFromSocket(
    _ body: (UnsafeRawBufferPointer, Bool) throws -> Void
  ) throws -> Int64 {
    let socket = ConnectionSocket(descriptor: PQsocket(connection))
    guard socket.descriptor >= 0 else { throw connectionError() }
    var messages = CopyOutMessages()
    var bodyFailure: (any Error)?
    let isComplete: Bool
    do {
      isComplete = try receive(&messages, from: socket) { bytes, endsRow in
        guard bodyFailure == nil else { return }
        do { try body(bytes, endsRow) } catch { bodyFailure = error }
      } stopping: {
        bodyFailure != nil
      }
    } catch {
      socket.cut()
      drain()
      throw bodyFailure ?? Self.violation(error)
    }
    if isComplete {
      // libpq still waits for the end of its statement; the end of an empty one serves as well. A cancel
      // request that came late ends this one at the most.
      _ = socket.send([UInt8(ascii: "Q"), 0, 0, 0, 5, 0])
      drain()
    }
    if let bodyFailure {
      if !isComplete { abandon(socket) }
      throw bodyFailure
    }
    if isComplete { return try rowCount(messages, socket) }
    throw lost(messages, socket)
  }

  /// Reads to the end of the statement.
  ///
  /// - Returns: false where the connection ended before.
  private func receive(
    _ messages: inout CopyOutMessages, from socket: ConnectionSocket,
    row: (UnsafeRawBufferPointer, Bool) -> Void, stopping isStopped: () -> Bool
  ) throws(CopyOutMessages.Violation) -> Bool {
    var buffer = ReceiveBuffer(capacity: 256 << 10)
    var deadline: ContinuousClock.Instant?
    var received = 0
    while true {
      if let deadline, ContinuousClock.now > deadline { return false }
      let (reception, isFilled) = buffer.receive(from: socket)
      switch reception {
      case .end: return false
      case .nothing: socket.wait(for: Int32(POLLIN), timeout: deadline == nil ? -1 : 100)
      case .bytes(let count):
        buffer.drop(try messages.take(buffer.unread, row: row, aside: { takeAside($0) }))
        if messages.isFinished, buffer.unread.isEmpty { return true }
        if deadline == nil, isStopped() || messages.isText == false {
          // Without the request the rest would have to be read, however long it is.
          guard canceller()?.requestCancellation() == true else { return false }
          deadline = .now + Self.drainLimit
        }
        received += count
        // Answers that fit into one read should not be waited for.
        if !isFilled, count < Self.pauseThreshold, received > 64 << 10 {
          pause(microseconds: Self.pauseMicroseconds)
        }
      }
    }
  }

  private func takeAside(_ aside: CopyOutMessages.Aside) {
    switch aside {
    case .notice(let notice): notices.append(notice)
    case .parameter(let name, let value):
      reported.record(name, value, known: PQparameterStatus(connection, name).map { String(cString: $0) })
    }
  }

  /// What a COPY that was read to its end returns.
  private func rowCount(_ messages: CopyOutMessages, _ socket: ConnectionSocket) throws(PostgresError)
    -> Int64
  {
    if messages.isText == false { throw Self.isNoCopy }
    if let failure = messages.failure { throw failure.error(isConnectionLost: isBroken) }
    guard let count = messages.taggedCount else { throw Self.isNoCopy }
    guard count == messages.rowCount else {
      abandon(socket)
      throw Self.violation(.init(reason: "\(messages.rowCount) rows came, the server counted \(count)"))
    }
    return count
  }

  /// The connection ended: what the server said last, here or into libpq's buffer.
  private func lost(_ messages: CopyOutMessages, _ socket: ConnectionSocket) -> PostgresError {
    if messages.isText == false {
      abandon(socket)
      return Self.isNoCopy
    }
    let last = drain()
    abandon(socket)
    if let failure = messages.failure { return failure.error(isConnectionLost: true) }
    return last ?? connectionError()
  }

  private static func violation(_ violation: CopyOutMessages.Violation) -> PostgresError {
    PostgresError(
      origin: .connectionLost, sqlState: "08P01", severity: "FATAL",
      message: "the server does not keep to the protocol: \(violation.reason)")
  }

  /// Makes libpq see the connection as lost.
  private func abandon(_ socket: ConnectionSocket) {
    guard !isBroken else { return }
    socket.cut()
    drain()
    // libpq looks at an idle connection only when told.
    _ = PQconsumeInput(connection)
  }

  /// Reads what libpq still expects.
  ///
  /// - Returns: the first failure.
  @discardableResult
  func drain() -> PostgresError? {
    do {
      try readResults { PQclear($0) }
      return nil
    } catch {
      return error
    }
  }
}

// MARK: - By libpq

extension Connection {
  private func copyOutByLibrary(_ body: (UnsafeRawBufferPointer, Bool) throws -> Void) throws -> Int64 {
    guard let first = PQgetResult(connection) else { throw connectionError() }
    let isCopy = PQresultStatus(first) == PGRES_COPY_OUT
    let isText = PQbinaryTuples(first) == 0
    guard isCopy, isText else {
      let result = QueryResult(first)
      let error = result.isFailure ? failure(result) : nil
      if isCopy { canceller()?.requestCancellation() }
      let later = drain()
      throw error ?? (isBroken ? later : nil) ?? Self.isNoCopy
    }
    PQclear(first)
    let rowCount: Int64
    do {
      rowCount = try readRows(body)
    } catch {
      if let socket = cancelAndSkip() { abandon(socket) }
      throw error
    }
    let count = try Int64(lastResult().commandTag.split(separator: " ").last ?? "")
    guard count == rowCount else {
      abandon(ConnectionSocket(descriptor: PQsocket(connection)))
      throw Self.violation(.init(reason: "\(rowCount) rows came, the server counted \(count ?? 0)"))
    }
    return rowCount
  }

  /// Gives the rows to `body` until there is none; why, the next result tells.
  private func readRows(_ body: (UnsafeRawBufferPointer, Bool) throws -> Void) throws -> Int64 {
    var count: Int64 = 0
    while true {
      var row: UnsafeMutablePointer<CChar>?
      let length = nextRow(&row, mayPause: count > 1_000)
      guard length > 0 else { return count }
      defer { PQfreemem(row) }
      let bytes = UnsafeRawBufferPointer(start: row, count: Int(length))
      guard bytes[bytes.count - 1] == UInt8(ascii: "\n") else {
        throw Self.violation(.init(reason: "a row does not end with a newline"))
      }
      count += 1
      try body(bytes, true)
    }
  }

  /// The length of the next row, or a negative number after the last.
  private func nextRow(_ row: inout UnsafeMutablePointer<CChar>?, mayPause: Bool) -> Int32 {
    for attempt in 0..<3 where mayPause {
      let length = PQgetCopyData(connection, &row, 1)
      if length != 0 { return length }
      // libpq reads no more than its buffer holds, so there may be more at once.
      if attempt == 1 { pause(microseconds: Self.pauseMicroseconds) }
      _ = PQconsumeInput(connection)
    }
    // Waiting is left to libpq, which knows what the TLS library holds.
    return PQgetCopyData(connection, &row, 0)
  }

  /// Ends a COPY whose rows nobody wants.
  ///
  /// - Returns: the socket to cut where the server could not be told.
  private func cancelAndSkip() -> ConnectionSocket? {
    guard canceller()?.requestCancellation() == true else {
      return ConnectionSocket(descriptor: PQsocket(connection))
    }
    let socket = ConnectionSocket(descriptor: PQsocket(connection))
    let deadline = ContinuousClock.now + Self.drainLimit
    while ContinuousClock.now < deadline {
      var row: UnsafeMutablePointer<CChar>?
      let length = PQgetCopyData(connection, &row, 1)
      PQfreemem(row)
      if length < 0 {
        drain()
        return nil
      }
      if length == 0, PQconsumeInput(connection) == 1 { socket.wait(for: Int32(POLLIN), timeout: 10) }
    }
    return socket
  }
}
