import CLibpq

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

extension Connection {
  /// Runs one `COPY … FROM STDIN`.
  ///
  /// Memory is bounded: `send` waits until the server has taken nearly all of what it is given. A failed
  /// COPY leaves the connection usable, except where it is lost.
  /// - Parameters:
  ///   - statement: in the client encoding.
  ///   - produce: calls `send` with pieces of the rows, cut anywhere. `send` throws when the server has
  ///     given up or the connection is lost, and `produce` should let that error pass; the error of the
  ///     server is then thrown in its place.
  /// - Returns: the number of rows as the server counts them.
  /// - Throws: what `produce` threw, in which case no row has been stored, or a ``PostgresError``. Its
  ///   context names the line.
  public func copyIn(
    _ statement: [UInt8], _ produce: (_ send: (UnsafeRawBufferPointer) throws -> Void) throws -> Void
  ) throws -> Int64 {
    try send(statement)
    try beginCopyIn()
    var sendFailure: PostgresError?
    var producerFailure: (any Error)?
    PQsetnonblocking(connection, 1)
    do {
      try produce { bytes in
        if let sendFailure { throw sendFailure }
        do {
          try sendRows(bytes)
        } catch let error as PostgresError {
          sendFailure = error
          throw error
        }
      }
    } catch {
      producerFailure = error
    }
    let isGivenUp = producerFailure != nil || sendFailure != nil
    if PQputCopyEnd(connection, isGivenUp ? "given up by the client" : nil) == 1 { try? flush() }
    PQsetnonblocking(connection, 0)
    let tag: String
    do {
      tag = try lastResult().commandTag
    } catch {
      // The error that the server answers to giving up says nothing new.
      throw sendFailure == nil ? producerFailure ?? error : error
    }
    if let failure = producerFailure ?? sendFailure { throw failure }
    return tag.split(separator: " ").last.flatMap { Int64($0) } ?? 0
  }

  /// Waits until the server asks for rows.
  private func beginCopyIn() throws(PostgresError) {
    guard let first = PQgetResult(connection) else { throw connectionError() }
    let result = QueryResult(first)
    if result.status == PGRES_COPY_IN { return }
    let failure = result.isFailure ? self.failure(result) : nil
    let later = drain()
    throw failure ?? (isBroken ? later : nil)
      ?? PostgresError(origin: .client, message: "the statement does not copy rows from the client")
  }

  private func sendRows(_ bytes: UnsafeRawBufferPointer) throws(PostgresError) {
    let pieceSize = 64 << 10
    var offset = 0
    while offset < bytes.count {
      let piece = UnsafeRawBufferPointer(rebasing: bytes[offset..<min(bytes.count, offset + pieceSize)])
      try refuseAfterAnswer()
      guard PQputCopyData(connection, piece.bindMemory(to: CChar.self).baseAddress, Int32(piece.count)) == 1
      else { throw connectionError() }
      try flush()
      offset += piece.count
    }
  }

  /// Sends what libpq holds, waiting where need be.
  private func flush() throws(PostgresError) {
    while true {
      let isPending = PQflush(connection)
      if isPending == 0 { return }
      guard isPending == 1 else { throw connectionError() }
      let socket = ConnectionSocket(descriptor: PQsocket(connection))
      guard socket.descriptor >= 0 else { throw connectionError() }
      if socket.wait(for: Int32(POLLIN | POLLOUT)) & Int32(POLLIN) != 0 { try refuseAfterAnswer() }
    }
  }

  /// Ends the sending once the server has given up.
  ///
  /// libpq says nothing of an error before the end of the data, however much data that is. While it takes
  /// rows, a server sends notices and nothing else but the error, so what arrives and is no notice is that.
  private func refuseAfterAnswer() throws(PostgresError) {
    let socket = ConnectionSocket(descriptor: PQsocket(connection))
    guard socket.descriptor >= 0 else { throw connectionError() }
    var timeout: Int32 = 0
    while socket.wait(for: Int32(POLLIN), timeout: timeout) != 0 {
      let known = notices.received
      guard PQconsumeInput(connection) == 1 else { throw connectionError() }
      _ = PQisBusy(connection)
      // A long notice comes in several pieces.
      timeout = notices.received > known ? 0 : 100
      if timeout == 0 { continue }
      guard socket.wait(for: Int32(POLLIN), timeout: timeout) == 0 else { continue }
      throw PostgresError(origin: .server, message: "the server has ended the COPY")
    }
  }
}
