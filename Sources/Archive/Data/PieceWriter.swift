import Compression
import Digests

/// One piece of a data file while it is made. For use by one thread.
///
/// After an error the piece is lost; call ``DataFileWriter/abandon(_:)``, or the other threads wait for
/// it.
public final class PieceWriter {
  private let writer: DataFileWriter
  private let index: Int
  private let compressor: PieceCompressor
  private let hasher = RowHasher()

  private var contents = PieceContents()
  /// Rows of the pieces that are already in `contents`.
  private var rowsBefore: Int64 = 0
  /// Bytes since the last cut of a stream.
  private var pieceBytes: Int64 = 0
  /// Bytes that the writer's counter does not know yet.
  private var uncounted = 0

  private var isWritingThrough = false
  private var chunks: [[UInt8]] = []
  private var buffered = 0

  init(_ writer: DataFileWriter, _ index: Int, _ compressor: PieceCompressor) {
    self.writer = writer
    self.index = index
    self.compressor = compressor
    compressor.reset()
  }

  deinit { if buffered > 0 { writer.allowance.give(buffered) } }

  /// Adds bytes of a row: of its COPY text with the newline at its end.
  ///
  /// May block until the pieces before this one are finished.
  ///
  /// - Parameter endsRow: whether they are the row's last.
  /// - Throws: ``ArchiveError``: what the file was abandoned with, or what the system says.
  @inline(__always)
  public func append(_ bytes: UnsafeRawBufferPointer, endsRow: Bool) throws(ArchiveError) {
    hasher.add(bytes, endsRow: endsRow)
    uncounted += bytes.count
    do {
      try compressor.append(bytes) { try take($0) }
    } catch {
      throw Self.archiveError(error)
    }
    if endsRow, uncounted >= Self.countInterval { try endInterval() }
  }

  /// Ends the piece. It is in the file, or kept for the thread that comes to its place.
  public func finish() throws(ArchiveError) {
    guard !hasher.isRowOpen else {
      throw ArchiveError(.damaged, "the data for file \"\(writer.name)\" ends inside a row")
    }
    count()
    try endPiece()
    contents.fingerprint = hasher.fingerprint
    if !isWritingThrough {
      let piece = FinishedPiece(chunks: chunks, buffered: buffered, contents: contents)
      if try writer.turn.park(piece, index) {
        chunks = []
        buffered = 0
        return
      }
      try writeThrough()
    }
    try writer.endTurn(contents)
  }

  private static let countInterval = 64 << 10

  private func endInterval() throws(ArchiveError) {
    count()
    if writer.pieceCount == nil, pieceBytes >= DataFileWriter.streamPieceSize { try endPiece() }
  }

  private func count() {
    writer.count(taken: Int64(uncounted))
    pieceBytes += Int64(uncounted)
    uncounted = 0
  }

  private func endPiece() throws(ArchiveError) {
    do {
      let compressed = try compressor.finishPiece { try take($0) }
      let rows = hasher.fingerprint.rows
      contents.pieces.append(.init(compressed: compressed, rows: rows - rowsBefore))
      rowsBefore = rows
      pieceBytes = 0
    } catch {
      throw Self.archiveError(error)
    }
  }

  /// Takes compressed bytes.
  private func take(_ output: UnsafeRawBufferPointer) throws(ArchiveError) {
    let isTurn = try writer.turn.has(index)
    if !isWritingThrough {
      if !isTurn {
        if writer.allowance.take(output.count) {
          chunks.append(Array(output))
          buffered += output.count
          return
        }
        try writer.turn.wait(for: index)
      }
      try writeThrough()
    }
    try writer.write(output)
  }

  /// Writes what was kept, now that it is this piece's turn.
  private func writeThrough() throws(ArchiveError) {
    isWritingThrough = true
    let kept = (chunks, buffered)
    chunks = []
    buffered = 0
    try writer.write(kept.0, buffered: kept.1)
  }

  private static func archiveError(_ error: any Error) -> ArchiveError {
    switch error {
    case let error as ArchiveError: error
    case let error as CompressionError: ArchiveError(.system, error.message)
    default: ArchiveError(.system, "\(error)")
    }
  }
}
