import CZlib

/// The CRC-32 of gzip and PNG (ITU-T V.42), as zlib computes it.
public enum CRC32 {
  /// The checksum of `bytes`; 0 for no bytes.
  public static func checksum(_ bytes: [UInt8]) -> UInt32 {
    UInt32(
      truncatingIfNeeded: bytes.withUnsafeBufferPointer { buffer in
        crc32_z(0, buffer.baseAddress, buffer.count)
      })
  }
}
