/// One large object of an archive, while it is being read.
///
/// Good for the length of the call that it is given to. An object that is not read is passed over.
public final class LargeObjectReader {
  public let oid: UInt32
  private let source: ((UnsafeRawBufferPointer) throws -> Void) throws -> Void
  private var state = State.unread

  private enum State {
    case unread
    case reading
    case done
  }

  init(oid: UInt32, _ source: @escaping ((UnsafeRawBufferPointer) throws -> Void) throws -> Void) {
    self.oid = oid
    self.source = source
  }

  /// Hands on the object's bytes, decoded, in blocks of at most 256 KiB that are valid during the call.
  /// To be called once.
  ///
  /// - Throws: what `body` throws, and ``ArchiveError`` when the bytes are damaged or cut. Only when
  ///   this has returned is what was handed on the whole object.
  public func read(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    guard state == .unread else { throw ArchiveError(.system, "large object \(oid) cannot be read again") }
    state = .reading
    try source(body)
    state = .done
  }

  /// Ends the object's time.
  ///
  /// - Returns: whether nothing of it was read.
  /// - Throws: ``ArchiveError`` when it was read in part, and so where the next begins is not known.
  func end() throws(ArchiveError) -> Bool {
    defer { state = .done }
    guard state != .reading else { throw ArchiveError(.system, "large object \(oid) was read in part only") }
    return state == .unread
  }
}
