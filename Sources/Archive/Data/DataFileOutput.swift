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

/// What one index of a data file holds: its pieces, and the fingerprint of their rows.
struct PieceContents: Sendable {
  struct Piece: Sendable {
    let compressed: CompressedPiece
    let rows: Int64
  }

  var pieces: [Piece] = []
  var fingerprint = ContentFingerprint()
}

/// The file that is written, front to back, with what is known of it so far.
struct DataFileOutput: ~Copyable, Sendable {
  private let descriptor: Int32
  private let name: String
  private let isCompressed: Bool

  private var sha256 = SHA256Digest()
  private var size: Int64 = 0
  /// Where the next piece begins.
  private var offset: Int64
  private var crc: UInt32 = 0
  private var bytes: Int64 = 0
  private var fingerprint = ContentFingerprint()
  private var pieces: [BackupManifest.Piece] = []

  /// Creates the file, which must not exist yet, for its owner alone.
  init(directory: FileDescriptor, name: String, isCompressed: Bool) throws(ArchiveError) {
    descriptor = try Self.create(name, in: directory)
    self.name = name
    self.isCompressed = isCompressed
    offset = isCompressed ? Int64(GzipFrame.header.count) : 0
  }

  private static func create(_ name: String, in directory: FileDescriptor) throws(ArchiveError) -> Int32 {
    try ArchiveError.checkFileName(name)
    let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
    let descriptor = openat(directory.rawValue, name, flags, 0o600)
    guard descriptor >= 0 else { throw .refused("create", name, errno) }
    return descriptor
  }

  /// Writes what comes before the first piece.
  mutating func begin() throws(ArchiveError) {
    if isCompressed { try write(GzipFrame.header) }
  }

  deinit { close(descriptor) }

  mutating func write(_ bytes: [UInt8]) throws(ArchiveError) {
    let status = bytes.withUnsafeBytes { append($0) }
    guard status == 0 else { throw .refused("write", name, status) }
  }

  mutating func write(_ bytes: UnsafeRawBufferPointer) throws(ArchiveError) {
    let status = append(bytes)
    guard status == 0 else { throw .refused("write", name, status) }
  }

  /// Returns an error number, or 0.
  private mutating func append(_ bytes: UnsafeRawBufferPointer) -> Int32 {
    var rest = bytes[...]
    while !rest.isEmpty {
      let chunk = UnsafeRawBufferPointer(rebasing: rest)
      let count = systemWrite(descriptor, chunk.baseAddress, chunk.count)
      if count < 0 {
        if errno == EINTR { continue }
        return errno
      }
      rest = rest.dropFirst(count)
    }
    sha256.update(bytes)
    size += Int64(bytes.count)
    return 0
  }

  /// Takes note of pieces whose compressed bytes have all been written.
  mutating func record(_ contents: PieceContents) {
    for piece in contents.pieces where piece.compressed.bytes > 0 {
      let compressed = piece.compressed
      pieces.append(
        BackupManifest.Piece(
          offset: offset, length: compressed.length, rows: piece.rows, bytes: compressed.bytes,
          crc: compressed.crc))
      offset += compressed.length
      bytes += compressed.bytes
      crc = CRC32.combine(crc, compressed.crc, secondLength: compressed.bytes)
    }
    fingerprint.add(contents.fingerprint)
  }

  /// Writes the end marker and, around compressed data, the end of the gzip member; then makes the
  /// file durable, but not its name.
  mutating func finish() throws(ArchiveError) -> DataFileSummary {
    let marker = EndMarkerFilter.marker
    if isCompressed {
      let whole = CRC32.combine(crc, CRC32.checksum(marker), secondLength: Int64(marker.count))
      try write(GzipFrame.lastBlock(marker))
      try write(GzipFrame.trailer(crc: whole, length: bytes + Int64(marker.count)))
    } else {
      try write(marker)
    }
    while fsync(descriptor) != 0 {
      if errno != EINTR { throw .refused("sync", name, errno) }
    }
    return DataFileSummary(
      size: size, sha256: sha256.finish(), rows: fingerprint.rows, bytes: bytes,
      fingerprint: fingerprint, pieces: pieces)
  }
}

private func systemWrite(_ descriptor: Int32, _ start: UnsafeRawPointer?, _ count: Int) -> Int {
  write(descriptor, start, count)
}

extension ArchiveError {
  /// What the operating system refused to do with a file.
  static func refused(_ action: String, _ name: String, _ number: Int32) -> ArchiveError {
    let isFull = number == ENOSPC || number == EDQUOT
    return ArchiveError(
      isFull ? .diskFull : number == ENOENT ? .missing : .system,
      "cannot \(action) file \"\(name)\": \(Errno(rawValue: number))")
  }

  /// Throws unless `name` is that of a file in its directory itself.
  static func checkFileName(_ name: String) throws(ArchiveError) {
    guard !name.isEmpty, name != ".", name != "..", !name.utf8.contains(0), !name.utf8.contains(0x2f)
    else { throw ArchiveError(.damaged, "\"\(name)\" is not the name of a file in an archive") }
  }
}
