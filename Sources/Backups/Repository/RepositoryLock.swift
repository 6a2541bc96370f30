import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A lock on a file, held by whoever has its descriptor open. The kernel releases it with the process, so
/// a killed one leaves nothing behind.
///
/// Taken with `flock` on a file rather than on the directory: over NFS an exclusive lock needs a
/// descriptor that can write.
final class RepositoryLock: Sendable {
  enum Mode: Sendable {
    case shared
    case exclusive
  }

  static let fileName = ".lock"

  private let descriptor: FileDescriptor

  private init(_ descriptor: FileDescriptor) { self.descriptor = descriptor }

  deinit { try? descriptor.close() }

  /// Takes the lock of a directory, waiting up to `timeout`; blocks the thread.
  ///
  /// - Returns: nil when somebody else held it all the time.
  static func acquire(
    in directory: HeldDirectory, _ mode: Mode, timeout: Duration = .zero
  ) throws(BackupError) -> RepositoryLock? {
    let deadline = ContinuousClock.now + timeout
    let lock = RepositoryLock(try openFile(in: directory, mode))
    while true {
      if flock(lock.descriptor.rawValue, (mode == .shared ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0 { return lock }
      guard errno == EWOULDBLOCK || errno == EINTR else {
        throw .system("lock", directory.path.appending(fileName), errno)
      }
      if ContinuousClock.now >= deadline { return nil }
      usleep(10_000)
    }
  }

  private static func openFile(in directory: HeldDirectory, _ mode: Mode) throws(BackupError)
    -> FileDescriptor
  {
    let parent = directory.descriptor.rawValue
    var file = openat(
      parent, fileName, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0o600)
    // Who may only read may still keep others from deleting.
    if file < 0, mode == .shared, errno == EACCES || errno == EROFS {
      file = openat(parent, fileName, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    }
    guard file >= 0 else { throw .system("open", directory.path.appending(fileName), errno) }
    return FileDescriptor(rawValue: file)
  }

  /// Whether somebody holds the lock of a directory exclusively; makes nothing.
  static func isHeld(in directory: HeldDirectory) -> Bool {
    let file = openat(
      directory.descriptor.rawValue, fileName, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    guard file >= 0 else { return false }
    defer { close(file) }
    return flock(file, LOCK_SH | LOCK_NB) != 0
  }

  /// Lets others share the lock.
  func downgrade() { flock(descriptor.rawValue, LOCK_SH | LOCK_NB) }

  /// Writes who holds the lock, for those who meet it.
  func write(_ text: String) {
    ftruncate(descriptor.rawValue, 0)
    _ = try? descriptor.writeAll(toAbsoluteOffset: 0, text.utf8)
  }
}
