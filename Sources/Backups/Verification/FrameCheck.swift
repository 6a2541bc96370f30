import Archive
import Compression
import SystemPackage

/// Looks at what stands around the pieces of a table's file, as plain pg_restore will read it.
struct FrameCheck {
  let table: BackupManifest.Table

  /// The end marker and the trailer are far smaller.
  private static let maximumTail: Int64 = 1024

  /// What is wrong; nil when nothing is.
  func difference(in file: FileDescriptor) throws -> String? {
    let isCompressed = table.file.hasSuffix(DataFileSuffix.gzip.rawValue)
    let header = isCompressed ? GzipFrame.header : []
    let start = table.pieces.first?.offset ?? Int64(header.count)
    let end = table.pieces.last.map { $0.offset + $0.length } ?? Int64(header.count)
    guard start == Int64(header.count) else { return "its first piece does not begin after the header" }
    if try Self.read(file, at: 0, count: header.count) != header { return "its header is not that of gzip" }
    let size = try file.seek(offset: 0, from: .end)
    guard size >= end, size - end <= Self.maximumTail else { return "it does not end after its last piece" }
    let tail = try Self.read(file, at: end, count: Int(size - end))
    return isCompressed ? try gzipDifference(tail) : Self.markerDifference(tail)
  }

  private func gzipDifference(_ tail: [UInt8]) throws -> String? {
    guard tail.count > GzipFrame.trailerLength else { return "its end is missing" }
    let decoder = try StreamDecoder(.rawDeflate)
    var marker: [UInt8] = []
    do {
      try tail.dropLast(GzipFrame.trailerLength).withUnsafeBytes { bytes in
        try decoder.decode(bytes) { marker += Array($0) }
      }
      try decoder.finish()
    } catch let error as CompressionError {
      return "its end cannot be decoded: \(error.message)"
    }
    if let difference = Self.markerDifference(marker) { return difference }
    var crc = table.pieces.reduce(UInt32(0)) { CRC32.combine($0, $1.crc, secondLength: $1.bytes) }
    crc = CRC32.combine(crc, CRC32.checksum(marker), secondLength: Int64(marker.count))
    let trailer = GzipFrame.trailer(crc: crc, length: table.bytes + Int64(marker.count))
    return tail.suffix(GzipFrame.trailerLength).elementsEqual(trailer)
      ? nil : "the checksum or length at its end is not that of its rows"
  }

  private static func markerDifference(_ marker: [UInt8]) -> String? {
    marker == EndMarkerFilter.marker ? nil : "it does not end with the end marker"
  }

  private static func read(_ file: FileDescriptor, at offset: Int64, count: Int) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    let got = try bytes.withUnsafeMutableBytes { try file.read(fromAbsoluteOffset: offset, into: $0) }
    return Array(bytes[..<got])
  }
}
