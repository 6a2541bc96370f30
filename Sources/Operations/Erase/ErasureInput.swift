import Maintenance
import SystemPackage

/// Short texts that are no arguments, because others could see those.
public enum ErasureInput {
  /// The beginning of a file, at most 64 KiB; `-` is standard input. U+FFFD stands for what is no UTF-8.
  public static func text(of path: String) throws(MaintenanceError) -> String {
    do {
      let isInput = path == "-"
      let descriptor =
        isInput ? FileDescriptor.standardInput : try FileDescriptor.open(FilePath(path), .readOnly)
      defer { if !isInput { try? descriptor.close() } }
      var bytes: [UInt8] = []
      var piece = [UInt8](repeating: 0, count: 4096)
      while bytes.count < 65_536 {
        let count = try piece.withUnsafeMutableBytes { try descriptor.read(into: $0) }
        if count == 0 { break }
        bytes += piece[..<count]
      }
      return String(decoding: bytes, as: UTF8.self)
    } catch {
      throw MaintenanceError(
        .invalidInput, "cannot read \"\(path)\": \(error)", detail: "Nothing was changed.")
    }
  }
}
