import SystemPackage

/// A finished backup that is held for reading: nobody removes it meanwhile.
public final class HeldBackup: Sendable {
  /// The directory's name, the backup's id in its repository.
  public let id: String
  public let directory: HeldDirectory
  public var path: FilePath { directory.path }
  /// nil on a read-only file system, where nobody can remove it either.
  private let lock: RepositoryLock?

  private init(id: String, directory: HeldDirectory, lock: RepositoryLock?) {
    self.id = id
    self.directory = directory
    self.lock = lock
  }

  /// Holds a backup by its path, also one outside a repository.
  ///
  /// - Throws: ``BackupError`` when nothing is there, or it is being written or removed.
  public static func open(_ path: FilePath) throws(BackupError) -> HeldBackup {
    let directory = try HeldDirectory(opening: path)
    let name = path.lastComponent?.string ?? ""
    let unfinished = [BackupName.partialSuffix, BackupName.deletingSuffix].contains(where: name.hasSuffix)
    guard !unfinished else { throw unusable(path) }
    return HeldBackup(id: name, directory: directory, lock: try lock(directory))
  }

  fileprivate static func open(_ id: String, in parent: HeldDirectory) throws(BackupError) -> HeldBackup {
    let directory = try parent.subdirectory(id)
    let lock = try lock(directory)
    // It may have lost its name between the opening and the lock.
    guard try parent.attributes(id)?.identity == directory.ownAttributes().identity else {
      throw unusable(directory.path)
    }
    return HeldBackup(id: id, directory: directory, lock: lock)
  }

  /// - Returns: nil where there is no lock file and no right to make one: then there is nothing to hold, and
  ///   nothing to fear from those who have no more rights.
  private static func lock(_ directory: HeldDirectory) throws(BackupError) -> RepositoryLock? {
    do throws(BackupError) {
      guard let lock = try RepositoryLock.acquire(in: directory, .shared) else {
        throw unusable(directory.path)
      }
      return lock
    } catch {
      if try directory.attributes(RepositoryLock.fileName) == nil { return nil }
      throw error
    }
  }

  private static func unusable(_ path: FilePath) -> BackupError {
    BackupError(
      .tryAgain, "the backup \"\(path)\" is being written or removed by another process",
      hint: "see \"tsdb backup list\"")
  }
}

extension BackupRepository {
  /// Holds the backup `id` for reading.
  ///
  /// - Throws: ``BackupError`` when it does not exist, or is being removed.
  public func open(_ id: String) throws(BackupError) -> HeldBackup {
    guard BackupName.isPossible(id) else {
      throw BackupError(.invalidInput, "\"\(id)\" cannot be the name of a backup")
    }
    return try HeldBackup.open(id, in: directory)
  }

  /// What ``remove(_:)`` did.
  public enum Removal: Sendable, Equatable {
    case removed
    /// Somebody reads it.
    case inUse
    /// It is gone already.
    case absent
  }

  /// Removes a finished backup, unless it is being read.
  ///
  /// It first loses its name, so that a kill leaves no half of a backup that looks whole.
  public func remove(_ id: String) throws(BackupError) -> Removal {
    let doomed = id + BackupName.deletingSuffix
    let claim = try locked { () throws(BackupError) -> Claim in
      guard BackupName.isPossible(id), try directory.attributes(id)?.kind == .directory else {
        return .absent
      }
      let inner = try directory.subdirectory(id)
      guard let lock = try RepositoryLock.acquire(in: inner, .exclusive) else { return .inUse }
      try directory.rename(id, to: doomed)
      return .taken(lock)
    }
    switch claim {
    case .absent: return .absent
    case .inUse: return .inUse
    case .taken(let lock):
      defer { withExtendedLifetime(lock) {} }
      try directory.removeTree(doomed)
      return .removed
    }
  }

  private enum Claim {
    case taken(RepositoryLock)
    case inUse
    case absent
  }

  /// Removes what killed runs left, or says what would be removed.
  ///
  /// - Returns: the names.
  public func removeLeftovers(isDryRun: Bool = false) throws(BackupError) -> [String] {
    try locked { () throws(BackupError) in
      let abandoned = try leftovers().filter { !$0.isInUse }.map(\.name)
      if !isDryRun {
        for name in abandoned { try directory.removeTree(name) }
      }
      return abandoned
    }
  }
}
