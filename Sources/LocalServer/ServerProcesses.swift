import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The server processes of one data directory, recognised without trusting a process number.
///
/// Every server process works in its data directory, so its current directory (by device and
/// inode), its program and its user identify it: a number that was given to another process, or a
/// copied `postmaster.pid`, does not.
struct ServerProcesses: Sendable {
  let data: PrivateFiles.Attributes

  /// Nil when the data directory does not exist.
  init?(dataDirectory: FilePath) {
    guard let found = PrivateFiles.attributes(dataDirectory), found.isDirectory else { return nil }
    data = found
  }

  /// Whether the process lives, is a PostgreSQL server process and belongs to this data directory.
  ///
  /// Without `/proc` (macOS) only the process number and the user are checked.
  func contains(_ pid: pid_t) -> Bool {
    guard pid > 1 else { return false }
    #if os(Linux)
      let directory = FilePath("/proc/\(pid)")
      // A zombie has no current directory any more, and counts as ended.
      guard let current = PrivateFiles.attributes(directory.appending("cwd"), following: true),
        current.device == data.device, current.inode == data.inode,
        PrivateFiles.attributes(directory)?.owner == data.owner,
        let program = Self.target(of: directory.appending("exe"))
      else { return false }
      return program.lastComponent?.string.contains("postgres") == true
    #else
      return kill(pid, 0) == 0
    #endif
  }

  /// All of them, the postmaster included, in no particular order. Empty without `/proc`.
  func all() -> [pid_t] {
    ((try? PrivateFiles.names(in: "/proc")) ?? []).compactMap { pid_t($0) }.filter { contains($0) }
  }

  private static func target(of link: FilePath) -> FilePath? {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 4097) { buffer in
      guard let base = buffer.baseAddress else { return nil }
      let count = readlink(link.string, base, 4096)
      guard count > 0 else { return nil }
      base[count] = 0
      return FilePath(String(cString: base))
    }
  }
}
