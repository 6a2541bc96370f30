import Compression
import Digests
import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Reads the data files of one archive, and believes nothing that is not checked.
///
/// Names are those of files in the directory itself; links are not followed, and what is not a regular
/// file is not opened. Memory is fixed whatever the size of a row. For use by one thread.
public final class DataFileReader {
  /// What was read.
  public struct Contents: Sendable, Equatable {
    /// Lines of the data, which are the rows of COPY text.
    public let rows: Int64
    /// Decoded, without an end marker.
    public let bytes: Int64
  }

  public enum EndMarker: Sendable {
    /// Of table data: it is taken off, and its absence is an error.
    case required
    /// Of large objects: every byte is data.
    case none
  }

  private let directory: FileDescriptor
  private let buffer = UnsafeMutableRawBufferPointer.allocate(
    byteCount: StreamDecoder.outputSize, alignment: 64)
  private var pieceDecoder: StreamDecoder?

  /// - Parameter directory: of the archive; stays the caller's.
  public init(directory: FileDescriptor) { self.directory = directory }

  deinit { buffer.deallocate() }

  /// Finds the file of an entry as pg_restore does: the plain name first, then with `.gz`, `.lz4` and
  /// `.zst`.
  ///
  /// - Throws: ``ArchiveError`` of kind `missing` when there is none.
  public func find(_ name: String) throws(ArchiveError) -> (name: String, format: StreamFormat) {
    try ArchiveError.checkFileName(name)
    let forms: [(String, StreamFormat)] = [("", .none), (".gz", .gzip), (".lz4", .lz4), (".zst", .zstd)]
    for (suffix, format) in forms {
      var status = stat()
      if fstatat(directory.rawValue, name + suffix, &status, AT_SYMLINK_NOFOLLOW) == 0 {
        return (name + suffix, format)
      }
      guard errno == ENOENT else { throw .refused("open", name + suffix, errno) }
    }
    throw ArchiveError(.missing, "there is no file \"\(name)\", compressed or not")
  }

  /// Reads one piece of a table's data.
  ///
  /// - Parameter body: gets rows in parts of at most 256 KiB, valid during its call. They are proven
  ///   right only when this method has returned.
  /// - Throws: what `body` throws, and ``ArchiveError`` when anything differs from what `piece` says.
  public func readPiece(
    _ piece: BackupManifest.Piece, of name: String, isCompressed: Bool,
    _ body: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    let file = try DataFile(directory: directory, name: name)
    guard piece.offset >= 0, piece.length >= 0, piece.length <= file.size - min(piece.offset, file.size)
    else { throw Self.damaged(name, piece, "It ends at \(file.size) bytes, before the end of the piece.") }
    let decoder = try decoder(isCompressed)
    var check = PieceCheck()
    do {
      try readBytes(of: file, from: piece.offset, count: piece.length) { bytes in
        try decoder.decode(bytes) { block in
          check.take(block)
          // What is too much is not handed on.
          guard check.bytes <= piece.bytes else {
            throw Self.damaged(name, piece, "There are more than \(piece.bytes) bytes of rows.")
          }
          try body(block)
        }
      }
      try decoder.finish()
    } catch let error as CompressionError {
      throw Self.damaged(name, piece, "It cannot be decoded: \(error.message).")
    }
    if let difference = check.difference(from: piece) { throw Self.damaged(name, piece, difference) }
  }

  /// Reads a whole file as one stream, of our own or of another's archive.
  ///
  /// - Parameter expected: when given, the file's size and SHA-256 are compared too. Only this finds a
  ///   changed byte in a header that decodes to the same rows.
  /// - Parameter body: gets decoded bytes in parts of at most 256 KiB, valid during its call. They are
  ///   proven right only when this method has returned.
  /// - Throws: what `body` throws, and ``ArchiveError`` when the file is damaged or cut.
  public func readStream(
    _ name: String, format: StreamFormat, endMarker: EndMarker, expected: BackupManifest.File? = nil,
    _ body: (UnsafeRawBufferPointer) throws -> Void
  ) throws -> Contents {
    let file = try DataFile(directory: directory, name: name)
    if let expected, expected.size != file.size {
      throw ArchiveError(
        .damaged, "file \"\(name)\" is damaged",
        detail: "It has \(file.size) bytes instead of \(expected.size).")
    }
    var sha256 = SHA256Digest()
    var filter = EndMarkerFilter()
    var plain = PieceCheck()
    do {
      let decoder = try StreamDecoder(format, acceptsConcatenatedMembers: expected == nil)
      try readBytes(of: file, from: 0, count: file.size) { bytes in
        if expected != nil { sha256.update(bytes) }
        try decoder.decode(bytes) { block in
          switch endMarker {
          case .required: try filter.take(block, body)
          case .none:
            plain.take(block)
            try body(block)
          }
        }
      }
      try decoder.finish()
      if endMarker == .required { try filter.finish() }
    } catch let error as CompressionError {
      throw ArchiveError(.damaged, "file \"\(name)\" is damaged", detail: "Reason: \(error.message).")
    } catch let error as ArchiveError where error.kind == .damaged && error.detail == nil {
      throw ArchiveError(.damaged, "file \"\(name)\" is damaged", detail: "Reason: \(error.message).")
    }
    if let expected, sha256.finish() != expected.sha256 {
      throw ArchiveError(.damaged, "file \"\(name)\" is damaged", detail: "Its SHA-256 differs.")
    }
    return endMarker == .required
      ? Contents(rows: filter.rows, bytes: filter.bytes) : Contents(rows: plain.rows, bytes: plain.bytes)
  }

  private func decoder(_ isCompressed: Bool) throws -> StreamDecoder {
    guard isCompressed else { return try StreamDecoder(.none) }
    if let pieceDecoder {
      pieceDecoder.reset()
      return pieceDecoder
    }
    let decoder = try StreamDecoder(.rawDeflate)
    pieceDecoder = decoder
    return decoder
  }

  private func readBytes(
    of file: borrowing DataFile, from offset: Int64, count: Int64,
    _ body: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    var position = offset
    while position < offset + count {
      let wanted = Int(min(Int64(buffer.count), offset + count - position))
      let got = try file.read(at: position, into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted]))
      guard got > 0 else {
        throw ArchiveError(.damaged, "file \"\(file.name)\" became shorter while it was read")
      }
      position += Int64(got)
      try body(UnsafeRawBufferPointer(rebasing: buffer[..<got]))
    }
  }

  private static func damaged(
    _ name: String, _ piece: BackupManifest.Piece, _ detail: String
  ) -> ArchiveError {
    ArchiveError(
      .damaged, "file \"\(name)\" is damaged in the piece at byte \(piece.offset)", detail: detail)
  }
}

/// What of a piece is compared with the manifest.
private struct PieceCheck {
  var crc: UInt32 = 0
  var bytes: Int64 = 0
  var rows: Int64 = 0
  private var endsInNewline = true

  mutating func take(_ block: UnsafeRawBufferPointer) {
    guard let last = block.last else { return }
    crc = CRC32.checksum(crc, block)
    bytes += Int64(block.count)
    rows += Int64(lineCount(block))
    endsInNewline = last == UInt8(ascii: "\n")
  }

  func difference(from piece: BackupManifest.Piece) -> String? {
    if bytes != piece.bytes { return "There are \(bytes) bytes of rows instead of \(piece.bytes)." }
    if crc != piece.crc { return "The checksum of its rows differs." }
    if rows != piece.rows { return "There are \(rows) rows instead of \(piece.rows)." }
    return endsInNewline ? nil : "It ends inside a row."
  }
}

/// An open data file.
private struct DataFile: ~Copyable {
  let name: String
  let size: Int64
  private let descriptor: Int32

  init(directory: FileDescriptor, name: String) throws(ArchiveError) {
    (descriptor, size) = try Self.open(name, in: directory)
    self.name = name
  }

  private static func open(
    _ name: String, in directory: FileDescriptor
  ) throws(ArchiveError) -> (descriptor: Int32, size: Int64) {
    try ArchiveError.checkFileName(name)
    // O_NONBLOCK: a pipe in a file's place must not block.
    let flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK
    let descriptor = openat(directory.rawValue, name, flags)
    if descriptor < 0, errno != ELOOP { throw .refused("open", name, errno) }
    var status = stat()
    if descriptor >= 0, fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG {
      return (descriptor, Int64(status.st_size))
    }
    if descriptor >= 0 { close(descriptor) }
    throw ArchiveError(.missing, "\"\(name)\" in the archive is not a regular file")
  }

  deinit { close(descriptor) }

  func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(ArchiveError) -> Int {
    while true {
      let count = pread(descriptor, buffer.baseAddress, buffer.count, off_t(offset))
      if count >= 0 { return count }
      if errno != EINTR { throw .refused("read", name, errno) }
    }
  }
}
