import FoundationEssentials
import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A file that is replaced as a whole: a reader sees the old contents or the new, never a part.
public struct ReplacedFile: Sendable, Equatable {
  public let path: FilePath
  /// Of the new file, whatever the umask; nil for what the umask leaves.
  public let mode: UInt16?

  public init(_ path: FilePath, mode: UInt16? = 0o644) {
    self.path = path
    self.mode = mode
  }

  /// Puts `contents` in the file's place; the directory must be there.
  ///
  /// Written beside it under a name that begins with a dot, synced, and renamed over it.
  /// - Throws: ``MaintenanceError`` that names the file; the old contents stay.
  public func write(_ contents: String) throws(MaintenanceError) { try write(Array(contents.utf8)) }

  /// As ``write(_:)``, of bytes in any encoding.
  public func write(_ contents: [UInt8]) throws(MaintenanceError) {
    let directory = path.removingLastComponent()
    guard let name = path.lastComponent?.string else {
      throw MaintenanceError(.invalidInput, "\"\(path)\" is not the name of a file")
    }
    let prefix = ".\(name).tsdb-"
    removeLeftovers(in: directory, prefix: prefix)
    let temporary = directory.appending("\(prefix)\(getpid())-\(UInt32.random(in: 0 ... .max))")
    do {
      let file = try FileDescriptor.open(
        temporary, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec, .noFollow],
        permissions: FilePermissions(rawValue: CModeT(mode ?? 0o666)))
      do {
        try file.closeAfter {
          try file.writeAll(contents)
          if let mode, fchmod(file.rawValue, mode_t(mode)) != 0 { throw Errno(rawValue: errno) }
          guard fsync(file.rawValue) == 0 else { throw Errno(rawValue: errno) }
        }
        guard rename(temporary.string, path.string) == 0 else { throw Errno(rawValue: errno) }
      } catch {
        unlink(temporary.string)
        throw error
      }
    } catch {
      throw Self.failure("write", path, error as? Errno)
    }
    if let handle = try? FileDescriptor.open(directory, .readOnly, options: [.directory, .closeOnExec]) {
      fsync(handle.rawValue)
      try? handle.close()
    }
  }

  static func failure(_ action: String, _ path: FilePath, _ errno: Errno?) -> MaintenanceError {
    let directory = path.removingLastComponent()
    let hint: String? =
      switch errno {
      case .noSuchFileOrDirectory: "make the directory \"\(directory)\", or name another"
      case .permissionDenied, .readOnlyFileSystem:
        "let the account that runs tsdb write into \"\(directory)\", or name another directory"
      default: nil
      }
    return MaintenanceError(
      .failed, "cannot \(action) \"\(path)\": \(errno.map { "\($0)" } ?? "unknown error")", hint: hint)
  }

  /// What a killed process left more than an hour ago.
  private func removeLeftovers(in directory: FilePath, prefix: String) {
    guard let stream = opendir(directory.string.isEmpty ? "." : directory.string) else { return }
    defer { closedir(stream) }
    let now = Date.now
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      guard name.hasPrefix(prefix) else { continue }
      let path = directory.appending(name).string
      guard let attributes = try? FileManager.default.attributesOfItem(atPath: path),
        attributes[.type] as? FileAttributeType == .typeRegular,
        let changed = attributes[.modificationDate] as? Date
      else { continue }
      if now.timeIntervalSince(changed) > 3600 { unlink(path) }
    }
  }
}
