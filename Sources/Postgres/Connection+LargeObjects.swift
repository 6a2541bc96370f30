import CLibpq

/// Large objects, by SQL functions.
///
/// libpq's own `lo_read` lets a hostile server write beyond the caller's buffer (CVE-2026-6477).
extension Connection {
  /// A multiple of the 2 KiB pages that large objects are stored in.
  private static var largeObjectSlice: Int { 256 << 10 }

  /// Gives the content of a large object to `body`, in slices that are valid during the call.
  ///
  /// One statement reads one slice, so only a transaction of isolation level REPEATABLE READ sees the
  /// object as it was at one moment. Holes are read as zeros.
  /// - Returns: the size in bytes.
  /// - Throws: what `body` threw, or a ``PostgresError``: 42704 where there is no such object.
  @discardableResult
  public func readLargeObject(
    _ oid: UInt32, _ body: (UnsafeRawBufferPointer) throws -> Void
  ) throws -> Int64 {
    var offset: Int64 = 0
    while true {
      let parameters = ["\(oid)", "\(offset)", "\(Self.largeObjectSlice)"]
      let isSent = CStrings(parameters).withPointers { values in
        PQsendQueryParams(
          connection,
          "select pg_catalog.lo_get($1::pg_catalog.oid, $2::pg_catalog.int8, $3::pg_catalog.int4)",
          Int32(parameters.count), nil, values, nil, nil, 1)
      }
      guard isSent == 1 else { throw connectionError() }
      let count = try lastResult().withBytes(0, 0) { bytes in
        if !bytes.isEmpty { try body(bytes) }
        return bytes.count
      }
      offset += Int64(count ?? 0)
      if count != Self.largeObjectSlice { return offset }
    }
  }

  /// Writes the content of an existing large object from its beginning.
  ///
  /// One statement writes one slice; outside a transaction block, each is a transaction of its own. What
  /// the object holds beyond the new content stays.
  /// - Parameter produce: calls `send` with pieces of any size.
  /// - Returns: the number of bytes.
  /// - Throws: what `produce` threw, or a ``PostgresError``: 42704 where there is no such object.
  @discardableResult
  public func writeLargeObject(
    _ oid: UInt32, _ produce: (_ send: (UnsafeRawBufferPointer) throws -> Void) throws -> Void
  ) throws -> Int64 {
    var offset: Int64 = 0
    var pending: [UInt8] = []
    pending.reserveCapacity(Self.largeObjectSlice)
    func write() throws(PostgresError) {
      try put(pending, into: oid, at: offset)
      offset += Int64(pending.count)
      pending.removeAll(keepingCapacity: true)
    }
    try produce { bytes in
      var rest = bytes[...]
      while !rest.isEmpty {
        let part = rest.prefix(Self.largeObjectSlice - pending.count)
        pending += UnsafeRawBufferPointer(rebasing: part)
        rest = rest.dropFirst(part.count)
        if pending.count == Self.largeObjectSlice { try write() }
      }
    }
    if !pending.isEmpty || offset == 0 { try write() }
    return offset
  }

  private func put(_ bytes: [UInt8], into oid: UInt32, at offset: Int64) throws(PostgresError) {
    let isSent = CStrings(["\(oid)", "\(offset)"]).withPointers { texts in
      bytes.withUnsafeBytes { bytes in
        // libpq takes a null pointer for a null value.
        withUnsafeBytes(of: UInt8(0)) { empty in
          let value = (bytes.baseAddress ?? empty.baseAddress)?.assumingMemoryBound(to: CChar.self)
          let values: [UnsafePointer<CChar>?] = [texts?[0], texts?[1], value]
          let sql = "select pg_catalog.lo_put($1::pg_catalog.oid, $2::pg_catalog.int8, $3::pg_catalog.bytea)"
          return PQsendQueryParams(
            connection, sql, 3, nil, values, [0, 0, Int32(bytes.count)], [0, 0, 1], 0)
        }
      }
    }
    guard isSent == 1 else { throw connectionError() }
    _ = try lastResult()
  }
}
