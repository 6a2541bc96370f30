import Synchronization
import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A backup that is being written. As long as this value is held, no other process takes it for a leftover;
/// when it is dropped without ``complete()`` or ``discard()``, or the process ends, the next backup removes it.
public final class PartialBackup: Sendable {
  /// Where the files go; open, and closed to everybody but the caller.
  public let directory: HeldDirectory
  /// The name that the backup will have.
  public let id: String
  /// The path that it will have.
  public let finalPath: FilePath
  /// What killed runs had left in the repository, by name; removed.
  public let removedLeftovers: [String]

  private let repository: BackupRepository
  private let lock: RepositoryLock
  private let isEnded = Mutex(false)

  /// The name that it has now.
  public var partialName: String { id + BackupName.partialSuffix }
  /// The path that it has now, for programs that need one.
  public var path: FilePath { directory.path }

  init(repository: BackupRepository, id: String, database: String, removedLeftovers: [String])
    throws(BackupError)
  {
    self.repository = repository
    self.id = id
    self.removedLeftovers = removedLeftovers
    finalPath = repository.path.appending(id)
    directory = try repository.directory.subdirectory(id + BackupName.partialSuffix)
    // Whoever lists the repository looks at the lock for a moment.
    guard let lock = try RepositoryLock.acquire(in: directory, .exclusive, timeout: .seconds(5)) else {
      throw BackupError(.tryAgain, "\"\(directory.path)\" is locked by another process")
    }
    lock.write("\(getpid())\n\(database)")
    self.lock = lock
  }

  /// Makes the backup survive a power loss and gives it its name; from then on it counts.
  ///
  /// - Throws: ``BackupError``; the directory then keeps its partial name.
  public func complete() throws(BackupError) {
    for name in ["manifest.json", "toc.dat"] {
      guard try directory.attributes(name)?.kind == .regular else {
        throw BackupError(.failed, "the backup cannot be completed: \"\(name)\" is missing")
      }
    }
    lock.write("")
    try directory.syncTree()
    try repository.locked { () throws(BackupError) in
      guard try repository.directory.attributes(id) == nil else {
        throw BackupError(.failed, "the backup cannot get its name: \"\(finalPath)\" exists")
      }
      try repository.directory.rename(partialName, to: id)
      isEnded.withLock { $0 = true }
    }
    lock.downgrade()
  }

  /// Removes what was written.
  public func discard() throws(BackupError) {
    let wasEnded = isEnded.withLock { ended in
      defer { ended = true }
      return ended
    }
    guard !wasEnded else { return }
    try repository.directory.removeTree(partialName)
  }
}
