/// What stands around raw deflate data to make it one gzip member (RFC 1952).
public enum GzipFrame {
  /// No name, modification time 0, unknown system: equal data makes equal files.
  public static let header: [UInt8] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]
  public static let trailerLength = 8

  /// The end of the deflate data: a stored block, marked as the last, that holds `bytes`.
  ///
  /// - Parameter bytes: at most 65,535.
  public static func lastBlock(_ bytes: [UInt8]) -> [UInt8] {
    let length = UInt16(truncatingIfNeeded: bytes.count)
    return [1] + littleEndian(UInt32(length) | UInt32(~length) << 16) + bytes
  }

  /// The checksum and the length modulo 2^32 of everything that was compressed.
  public static func trailer(crc: UInt32, length: Int64) -> [UInt8] {
    littleEndian(crc) + littleEndian(UInt32(truncatingIfNeeded: length))
  }

  private static func littleEndian(_ value: UInt32) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }
}
