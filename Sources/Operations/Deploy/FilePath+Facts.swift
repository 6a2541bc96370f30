import FoundationEssentials
import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

extension SystemPackage.FilePath {
  /// Whether anything has the name.
  var isThere: Bool { FileManager.default.fileExists(atPath: string) }

  var isDirectory: Bool {
    var isDirectory = false
    return FileManager.default.fileExists(atPath: string, isDirectory: &isDirectory) && isDirectory
  }

  /// The path, or the nearest above it that is a directory.
  var nearestDirectory: SystemPackage.FilePath? {
    var path = self
    while !path.isDirectory {
      guard path.removeLastComponent() else { return nil }
    }
    return path
  }

  /// Bytes that can be written there.
  var freeSpace: Int64? {
    var status = statvfs()
    guard statvfs(string, &status) == 0 else { return nil }
    return Int64(clamping: UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize)).0)
  }
}
