import SystemPackage

/// Whole files.
public enum FileBytes {
  /// The contents of a file.
  ///
  /// - Parameter limit: in bytes; a longer file is refused with `EFBIG`.
  public static func read(_ path: FilePath, limit: Int) throws(Errno) -> [UInt8] {
    do {
      let file = try FileDescriptor.open(path, .readOnly, options: [.closeOnExec])
      return try file.closeAfter {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
          let count = try buffer.withUnsafeMutableBytes { try file.read(into: $0) }
          guard count > 0 else { return bytes }
          bytes += buffer[..<count]
          guard bytes.count <= limit else { throw Errno.fileTooLarge }
        }
      }
    } catch {
      throw error as? Errno ?? .ioError
    }
  }
}
