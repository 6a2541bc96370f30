import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A regular file that was opened for reading, closed when it goes out of use.
///
/// All reads name their place, so one file serves several readers at a time.
public final class ArchiveFile: Sendable {
  /// For messages: the name in the archive's directory, or a path.
  public let name: String
  /// Bytes when it was opened.
  public let size: Int64
  /// Open as long as this object is.
  public let descriptor: FileDescriptor

  /// Opens a file by its path, following links: the person named it.
  public convenience init(path: String) throws(ArchiveError) {
    // Not blocking: a FIFO without a writer would wait for ever.
    try self.init(
      descriptor: open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), openError: errno, name: path)
  }

  /// Takes over `descriptor`, which is negative where opening failed with `openError`.
  init(descriptor: Int32, openError: Int32, name: String) throws(ArchiveError) {
    let shown = ArchiveFileName.printable(Array(name.utf8))
    guard descriptor >= 0 else {
      switch openError {
      case ENOENT: throw ArchiveError(.missing, "file \"\(shown)\" does not exist")
      // Of O_NOFOLLOW: Linux, and FreeBSD's way.
      case ELOOP, EMLINK: throw .notRegular(shown)
      default: throw .system("open", shown, openError)
      }
    }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw .notRegular(shown)
    }
    self.descriptor = FileDescriptor(rawValue: descriptor)
    self.name = name
    size = Int64(status.st_size)
  }

  deinit { try? descriptor.close() }

  /// Reads at `offset` until `buffer` is full or the file ends.
  ///
  /// - Returns: the number of bytes read.
  public func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(ArchiveError) -> Int {
    var count = 0
    while count < buffer.count {
      let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[count...])
      let read: Int
      do {
        read = try descriptor.read(fromAbsoluteOffset: offset + Int64(count), into: rest)
      } catch {
        throw .system("read", ArchiveFileName.printable(Array(name.utf8)), (error as? Errno)?.rawValue ?? EIO)
      }
      if read == 0 { break }
      count += read
    }
    return count
  }

  /// The whole file.
  ///
  /// - Parameter limit: bytes; a larger file is refused before anything is read.
  public func bytes(limit: Int64) throws(ArchiveError) -> [UInt8] {
    guard size <= limit else {
      throw ArchiveError(
        .damaged, "file \"\(ArchiveFileName.printable(Array(name.utf8)))\" is too large",
        detail: "It has \(size) bytes; at most \(limit) are read.")
    }
    return try start(count: Int(size))
  }

  /// The first `count` bytes, fewer when the file ends before.
  func start(count wanted: Int) throws(ArchiveError) -> [UInt8] {
    var failure: ArchiveError?
    let bytes = [UInt8](unsafeUninitializedCapacity: wanted) { buffer, count in
      do throws(ArchiveError) {
        count = try read(at: 0, into: UnsafeMutableRawBufferPointer(buffer))
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return bytes
  }

  /// Calls `body` with the bytes from `offset` to the end, a block at a time; they are valid during
  /// the call.
  public func forEachBlock(
    from offset: Int64 = 0, size: Int = 256 << 10, _ body: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 64)
    defer { buffer.deallocate() }
    var offset = offset
    while true {
      let count = try read(at: offset, into: buffer)
      if count == 0 { return }
      try body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
      offset += Int64(count)
    }
  }
}

extension ArchiveError {
  static func system(_ action: String, _ name: String, _ code: Int32) -> ArchiveError {
    let kind: Kind = code == ENOSPC || code == EDQUOT ? .diskFull : .system
    return ArchiveError(kind, "cannot \(action) \"\(name)\": \(Errno(rawValue: code))")
  }

  fileprivate static func notRegular(_ name: String) -> ArchiveError {
    ArchiveError(
      .damaged, "\"\(name)\" is not a regular file",
      detail: "Links, pipes and devices are not followed in an archive.")
  }
}
