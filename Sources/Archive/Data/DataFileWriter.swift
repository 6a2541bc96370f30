import Compression
import Digests
import Synchronization
import SystemPackage

/// What has been written to a data file.
public struct DataFileSummary: Sendable, Equatable {
  /// Of the file, bytes.
  public let size: Int64
  /// Of the file, lower-case hexadecimal.
  public let sha256: String
  public let rows: Int64
  /// Of the rows before compression, without the end marker.
  public let bytes: Int64
  public let fingerprint: ContentFingerprint
  /// In file order; none for an empty table. The end marker belongs to no piece.
  public let pieces: [BackupManifest.Piece]
}

/// Writes one table's data file from pieces that several threads make at the same time.
///
/// Pieces get into the file in the order of their indexes, whenever they are ready. The one whose turn
/// it is writes straight through; the others keep their compressed data in memory as far as the
/// allowance goes, and then wait. Nobody waits for ever as long as indexes are handed out in order and
/// every thread finishes a piece before it takes another, or calls ``abandon(_:)``.
public final class DataFileWriter: Sendable {
  public let name: String
  public let compression: DataCompression
  /// nil for one stream that is cut into pieces here.
  public let pieceCount: Int?

  let turn = PieceTurn()
  let allowance: BufferAllowance
  private let output: Mutex<DataFileOutput>
  private let taken = Atomic<Int64>(0)
  private let written = Atomic<Int64>(0)

  /// How long a piece of a stream gets before it ends at the next end of a row, in bytes before
  /// compression.
  public static let streamPieceSize: Int64 = 32 << 20

  /// Creates the file, readable by its owner alone.
  ///
  /// - Parameter pieceCount: how many pieces there will be, 0 for an empty table; nil when the rows
  ///   come in one stream through `piece(0)`, which is then cut into pieces of about
  ///   ``streamPieceSize`` at ends of rows.
  /// - Parameter allowance: shared with the other files being written.
  /// - Throws: ``ArchiveError`` when the file exists or cannot be made.
  public init(
    directory: FileDescriptor, name: String, compression: DataCompression, pieceCount: Int?,
    allowance: BufferAllowance = BufferAllowance(bytes: 32 << 20)
  ) throws(ArchiveError) {
    var output = try DataFileOutput(
      directory: directory, name: name, isCompressed: compression != .none)
    try output.begin()
    self.output = Mutex(output)
    self.name = name
    self.compression = compression
    self.pieceCount = pieceCount
    self.allowance = allowance
  }

  /// Bytes of rows taken in so far, before compression; may be read at any time.
  public var bytesTaken: Int64 { taken.load(ordering: .relaxed) }
  /// Bytes of the file written so far, without its frame; may be read at any time.
  public var bytesWritten: Int64 { written.load(ordering: .relaxed) }

  /// Begins a piece, for use by one thread.
  ///
  /// - Parameter index: from 0; each is begun once.
  /// - Parameter compressor: of this writer's compression; a thread uses the same for all its pieces.
  public func piece(_ index: Int, _ compressor: PieceCompressor) -> PieceWriter {
    PieceWriter(self, index, compressor)
  }

  /// Makes all calls for this file, also those that wait in other threads, throw `error`. The first
  /// error stays. The file is left as it is.
  public func abandon(_ error: ArchiveError) {
    allowance.give(turn.abandon(error))
  }

  /// Ends the file when all pieces are finished, and makes its contents durable; its name is the
  /// directory's to sync.
  ///
  /// - Throws: ``ArchiveError``: a piece is missing, the file was abandoned, or the system refuses.
  public func finish() throws(ArchiveError) -> DataFileSummary {
    let finished = try turn.number()
    guard finished == pieceCount ?? 1 else {
      throw ArchiveError(
        .system, "file \"\(name)\" has \(finished) of \(pieceCount ?? 1) pieces")
    }
    return try output.withLock { output throws(ArchiveError) in try output.finish() }
  }

  func count(taken bytes: Int64) { taken.add(bytes, ordering: .relaxed) }

  /// Writes bytes of the piece whose turn it is.
  func write(_ bytes: UnsafeRawBufferPointer) throws(ArchiveError) {
    do {
      try output.withLock { output throws(ArchiveError) in try output.write(bytes) }
    } catch {
      abandon(error)
      throw error
    }
    written.add(Int64(bytes.count), ordering: .relaxed)
  }

  /// Ends the piece whose turn it is and was written, and writes those after it that wait complete.
  func endTurn(_ contents: PieceContents) throws(ArchiveError) {
    output.withLock { $0.record(contents) }
    while let piece = try turn.next() {
      try write(piece.chunks, buffered: piece.buffered)
      output.withLock { $0.record(piece.contents) }
    }
  }

  /// Writes what a piece had kept in memory and gives back its share of the allowance.
  func write(_ chunks: [[UInt8]], buffered: Int) throws(ArchiveError) {
    defer { allowance.give(buffered) }
    for chunk in chunks {
      do {
        try output.withLock { output throws(ArchiveError) in try output.write(chunk) }
      } catch {
        abandon(error)
        throw error
      }
      written.add(Int64(chunk.count), ordering: .relaxed)
    }
  }
}
