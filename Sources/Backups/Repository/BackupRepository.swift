import SystemPackage
import Timekeeping

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A directory of backups.
///
/// Locks, each released by the kernel with the process that holds it:
/// - `.lock` of the repository, for the moments in which a backup gets or loses its name;
/// - `.lock` of each backup: exclusive while it is written or removed, shared while it is read. So nothing is
///   removed under a reader, and what a killed run left is told from what is being written.
public struct BackupRepository: Sendable {
  public let path: FilePath
  let directory: HeldDirectory

  /// How long to wait for another process to give a backup its name.
  private static let patience = Duration.seconds(10)

  /// Opens the repository, making it for the caller alone where it is missing.
  ///
  /// - Throws: ``BackupError`` when it is no directory or not accessible.
  public init(creating path: FilePath) throws(BackupError) {
    try Self.makeDirectories(path)
    try self.init(opening: path)
  }

  /// Opens a repository that exists.
  ///
  /// - Throws: ``BackupError`` of kind `invalidInput` when it does not exist, else what the system refused.
  public init(opening path: FilePath) throws(BackupError) {
    self.path = path
    directory = try HeldDirectory(opening: path)
  }

  /// The repository at `path`; nil when nothing is there.
  public static func existing(at path: FilePath) throws(BackupError) -> BackupRepository? {
    var buffer = stat()
    if lstat(path.string, &buffer) != 0, errno == ENOENT { return nil }
    return try BackupRepository(opening: path)
  }

  /// Whether others than the owner may list the repository. Each backup in it is closed to them
  /// nevertheless.
  public func isOpenToOthers() throws(BackupError) -> Bool {
    try directory.ownAttributes().mode & 0o077 != 0
  }

  /// Bytes that may still be written there.
  public func freeSpace() throws(BackupError) -> Int64 { try directory.freeSpace() }

  private static func makeDirectories(_ path: FilePath) throws(BackupError) {
    if mkdir(path.string, 0o700) == 0 || errno == EEXIST { return }
    let parent = path.removingLastComponent()
    guard errno == ENOENT, !parent.isEmpty, parent != path else {
      throw .system("create directory", path, errno)
    }
    try makeDirectories(parent)
    guard mkdir(path.string, 0o700) == 0 || errno == EEXIST else {
      throw .system("create directory", path, errno)
    }
  }

  /// The repository's own lock, for a moment.
  func locked<Result>(_ body: () throws(BackupError) -> Result) throws(BackupError) -> Result {
    guard let lock = try RepositoryLock.acquire(in: directory, .exclusive, timeout: Self.patience) else {
      throw BackupError(
        .tryAgain, "the repository \"\(path)\" is locked by another process",
        detail: "It is locked only for moments, so that process hangs or the file system does.")
    }
    defer { withExtendedLifetime(lock) {} }
    return try body()
  }
}

extension BackupRepository {
  /// Begins a backup: makes its directory under a name that ends with `.partial`.
  ///
  /// First removes what killed runs left; ``PartialBackup/removedLeftovers`` names it.
  /// - Parameter time: of the start; part of the backup's name.
  /// - Throws: ``BackupError`` of kind `tryAgain` while another backup of `database` is being written here.
  public func beginBackup(database: String, time: UTCTime = .now) throws(BackupError) -> PartialBackup {
    try locked { () throws(BackupError) in
      var removed: [String] = []
      for leftover in try leftovers() {
        if leftover.isInUse {
          guard leftover.kind == .partial, leftover.database == database else { continue }
          throw BackupError(
            .tryAgain, "another backup of \"\(database)\" is being written",
            detail:
              "It is \"\(leftover.name)\" in \"\(path)\"\(leftover.holder.map { ", by process \($0)" } ?? "").",
            hint: "wait for it to end, or name another repository")
        }
        try directory.removeTree(leftover.name)
        removed.append(leftover.name)
      }
      var number = 1
      while true {
        let id = BackupName.make(database: database, time: time, number: number)
        number += 1
        guard try directory.attributes(id) == nil,
          try directory.attributes(id + BackupName.deletingSuffix) == nil,
          try directory.makeDirectory(id + BackupName.partialSuffix)
        else { continue }
        return try PartialBackup(repository: self, id: id, database: database, removedLeftovers: removed)
      }
    }
  }

  /// A directory under a name that no finished backup has.
  public struct Leftover: Sendable, Equatable {
    public enum Kind: Sendable, Equatable {
      /// A backup that is being written, or was when its process ended.
      case partial
      /// A backup that is being removed, or was when its process ended.
      case deleting
    }

    public let kind: Kind
    /// In the repository.
    public let name: String
    /// Whether its process still runs.
    public let isInUse: Bool
    /// Where known.
    public let database: String?
    /// The process that wrote it, where known.
    public let holder: String?

    /// When the backup began.
    public var time: UTCTime? {
      BackupName.time(of: String(name.prefix { $0 != "." }))
    }
  }

  /// What is not a finished backup, by name.
  public func leftovers() throws(BackupError) -> [Leftover] {
    var result: [Leftover] = []
    for name in try directory.names() {
      let kind: Leftover.Kind
      if BackupName.id(in: name, suffix: BackupName.partialSuffix) != nil {
        kind = .partial
      } else if BackupName.id(in: name, suffix: BackupName.deletingSuffix) != nil {
        kind = .deleting
      } else {
        continue
      }
      guard try directory.attributes(name)?.kind == .directory else { continue }
      // It may be gone by now.
      guard let inner = try? directory.subdirectory(name) else {
        if try directory.attributes(name) != nil {
          result.append(Leftover(kind: kind, name: name, isInUse: false, database: nil, holder: nil))
        }
        continue
      }
      let isInUse = RepositoryLock.isHeld(in: inner)
      let lines = ((try? inner.read(RepositoryLock.fileName, limit: 4096)) ?? [])
        .split(separator: UInt8(ascii: "\n"), maxSplits: 1).map { String(decoding: $0, as: UTF8.self) }
      result.append(
        Leftover(
          kind: kind, name: name, isInUse: isInUse, database: lines.count > 1 ? lines[1] : nil,
          holder: lines.first))
    }
    return result
  }
}
