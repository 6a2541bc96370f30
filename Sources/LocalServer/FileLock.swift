import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// An exclusive lock on a file, held by whoever has its file descriptor open. The kernel releases
/// it with the last such process, so a killed one leaves nothing behind.
public struct FileLock: ~Copyable, Sendable {
  let descriptor: FileDescriptor

  private init(descriptor: FileDescriptor) { self.descriptor = descriptor }

  deinit { try? descriptor.close() }

  /// Takes the lock, waiting up to `timeout`; makes the file, for its owner alone, but no directory.
  ///
  /// - Returns: nil when somebody else held it all the time.
  public static func acquire(_ path: FilePath, timeout: Duration) throws(LocalServerError) -> FileLock? {
    let deadline = ContinuousClock.now + timeout
    while true {
      let lock = FileLock(descriptor: try openFile(path))
      if flock(lock.descriptor.rawValue, LOCK_EX | LOCK_NB) == 0 {
        // The file may have been removed by its last holder while we waited: then this lock
        // excludes nobody, and the next round makes a new file.
        if lock.isStill(path) { return lock }
        continue
      }
      let failure = errno
      guard failure == EWOULDBLOCK || failure == EINTR else { throw .system("lock", path, failure) }
      if ContinuousClock.now >= deadline { return nil }
      usleep(5000)
    }
  }

  private static func openFile(_ path: FilePath) throws(LocalServerError) -> FileDescriptor {
    let descriptor = open(path.string, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw .system("open", path, errno) }
    return FileDescriptor(rawValue: descriptor)
  }

  private func isStill(_ path: FilePath) -> Bool {
    var held = stat()
    var named = stat()
    return fstat(descriptor.rawValue, &held) == 0 && lstat(path.string, &named) == 0
      && held.st_ino == named.st_ino && held.st_dev == named.st_dev
  }
}
