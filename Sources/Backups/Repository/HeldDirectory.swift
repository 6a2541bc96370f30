import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A directory that is held open: what is in it is reached relative to it, without following symbolic
/// links, whatever happens meanwhile to the path it was opened by.
///
/// Safe to use from several threads; closed when it goes out of use.
public final class HeldDirectory: Sendable {
  /// As it was opened; for messages.
  public let path: FilePath
  /// Stays open as long as this value is held.
  public let descriptor: FileDescriptor

  private init(path: FilePath, descriptor: Int32) {
    self.path = path
    self.descriptor = FileDescriptor(rawValue: descriptor)
  }

  deinit { try? descriptor.close() }

  /// Opens a directory that a person named: here alone a symbolic link is followed.
  ///
  /// - Throws: ``BackupError`` when it is missing, no directory or not readable.
  public convenience init(opening path: FilePath) throws(BackupError) {
    let descriptor = open(path.string, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .system("open directory", path, errno) }
    self.init(path: path, descriptor: descriptor)
  }

  /// The directory `name` in this one.
  public func subdirectory(_ name: String) throws(BackupError) -> HeldDirectory {
    let path = path.appending(name)
    let descriptor = openat(
      self.descriptor.rawValue, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard descriptor >= 0 else {
      let failure = errno
      // Linux says ENOTDIR also of a link; whoever reads the message should learn of it.
      if failure == ENOTDIR || failure == ELOOP, (try? attributes(name))?.kind == .symbolicLink {
        throw BackupError(.failed, "\"\(path)\" is a symbolic link", hint: "put the directory itself there")
      }
      throw .system("open directory", path, failure)
    }
    return HeldDirectory(path: path, descriptor: descriptor)
  }

  /// Makes the directory `name` for the caller alone.
  ///
  /// - Returns: whether it was made; false when something has that name already.
  public func makeDirectory(_ name: String) throws(BackupError) -> Bool {
    if mkdirat(descriptor.rawValue, name, 0o700) == 0 { return true }
    guard errno == EEXIST else { throw .system("create directory", path.appending(name), errno) }
    return false
  }

  /// What has the name; nil when nothing has.
  public func attributes(_ name: String) throws(BackupError) -> FileAttributes? {
    var buffer = stat()
    if fstatat(descriptor.rawValue, name, &buffer, AT_SYMLINK_NOFOLLOW) == 0 { return FileAttributes(buffer) }
    guard errno == ENOENT || errno == ENOTDIR else {
      throw .system("look at", path.appending(name), errno)
    }
    return nil
  }

  /// Of the directory itself.
  func ownAttributes() throws(BackupError) -> FileAttributes {
    var buffer = stat()
    guard fstat(descriptor.rawValue, &buffer) == 0 else { throw .system("look at", path, errno) }
    return FileAttributes(buffer)
  }

  /// The names in the directory, in order of their bytes, without `.` and `..`.
  public func names() throws(BackupError) -> [String] {
    // A description of its own, because reading moves its position.
    let listing = openat(descriptor.rawValue, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard listing >= 0 else { throw .system("list directory", path, errno) }
    guard let stream = fdopendir(listing) else {
      let failure = errno
      close(listing)
      throw .system("list directory", path, failure)
    }
    defer { closedir(stream) }
    var names: [String] = []
    errno = 0
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { tuple in
        tuple.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
      errno = 0
    }
    guard errno == 0 else { throw .system("list directory", path, errno) }
    return names.sorted()
  }

  /// Opens the regular file `name` for reading.
  ///
  /// - Throws: ``BackupError`` when it is missing, a link, a directory or anything else.
  public func openFile(_ name: String) throws(BackupError) -> FileDescriptor {
    // Not blocking: opening a FIFO planted under the name would wait for ever.
    let file = openat(descriptor.rawValue, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    guard file >= 0 else { throw .system("open", path.appending(name), errno) }
    var buffer = stat()
    guard fstat(file, &buffer) == 0, FileAttributes(buffer).kind == .regular else {
      close(file)
      throw BackupError(.failed, "\"\(path.appending(name))\" is not a regular file")
    }
    return FileDescriptor(rawValue: file)
  }

  /// Makes the file `name`, which nothing may have, for the caller alone to read and write.
  public func createFile(_ name: String) throws(BackupError) -> FileDescriptor {
    let file = openat(
      descriptor.rawValue, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw .system("create", path.appending(name), errno) }
    return FileDescriptor(rawValue: file)
  }

  /// Adds a line to the regular file `name`, making it where it is missing, and makes it survive a power
  /// loss. A last line that was not written to its end is ended first.
  func append(_ line: [UInt8], to name: String) throws(BackupError) {
    let path = path.appending(name)
    let number = openat(
      descriptor.rawValue, name,
      O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0o600)
    guard number >= 0 else { throw .system("open", path, errno) }
    let file = FileDescriptor(rawValue: number)
    defer { try? file.close() }
    var buffer = stat()
    guard fstat(number, &buffer) == 0, FileAttributes(buffer).kind == .regular else {
      throw BackupError(.failed, "\"\(path)\" is not a regular file")
    }
    do {
      var last: [UInt8] = [UInt8(ascii: "\n")]
      if buffer.st_size > 0 {
        _ = try last.withUnsafeMutableBytes {
          try file.read(fromAbsoluteOffset: Int64(buffer.st_size) - 1, into: $0)
        }
      }
      _ = try file.writeAll(last == [UInt8(ascii: "\n")] ? line : [UInt8(ascii: "\n")] + line)
    } catch {
      throw .system("write", path, (error as? Errno)?.rawValue ?? EIO)
    }
    guard fsync(number) == 0 else { throw .system("sync", path, errno) }
    try sync()
  }

  /// The bytes of the regular file `name`.
  ///
  /// - Throws: ``BackupError`` also for a file of more than `limit` bytes.
  public func read(_ name: String, limit: Int) throws(BackupError) -> [UInt8] {
    let file = try openFile(name)
    defer { try? file.close() }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    do {
      while case let count = try chunk.withUnsafeMutableBytes({ try file.read(into: $0) }), count > 0 {
        bytes += chunk[..<count]
        if bytes.count > limit { break }
      }
    } catch {
      throw .system("read", path.appending(name), (error as? Errno)?.rawValue ?? EIO)
    }
    guard bytes.count <= limit else {
      throw BackupError(.failed, "\"\(path.appending(name))\" is larger than \(limit) bytes")
    }
    return bytes
  }
}

extension HeldDirectory {
  /// Gives the entry `name` another name in the same directory, and makes it survive a power loss.
  func rename(_ name: String, to target: String) throws(BackupError) {
    guard renameat(descriptor.rawValue, name, descriptor.rawValue, target) == 0 else {
      throw .system("rename", path.appending(name), errno)
    }
    try sync()
  }

  /// Makes the names in the directory survive a power loss.
  public func sync() throws(BackupError) {
    guard fsync(descriptor.rawValue) == 0 else { throw .system("sync", path, errno) }
  }

  /// Makes every file and directory below survive a power loss.
  func syncTree() throws(BackupError) {
    for name in try names() {
      switch try attributes(name)?.kind {
      case .directory: try subdirectory(name).syncTree()
      case .regular:
        let file = try openFile(name)
        defer { try? file.close() }
        guard fsync(file.rawValue) == 0 else { throw .system("sync", path.appending(name), errno) }
      case .symbolicLink, .other, nil:
        throw BackupError(.failed, "\"\(path.appending(name))\" is not a regular file")
      }
    }
    try sync()
  }

  /// Removes a file or a directory with all that is below it; nothing there is fine. Links are removed,
  /// never followed, also when the tree is changed meanwhile.
  func removeTree(_ name: String) throws(BackupError) {
    if unlinkat(descriptor.rawValue, name, 0) == 0 || errno == ENOENT { return }
    let failure = errno
    // EISDIR on Linux, EPERM by POSIX.
    guard let kind = try attributes(name)?.kind else { return }
    guard failure == EISDIR || failure == EPERM, kind == .directory else {
      throw .system("remove", path.appending(name), failure)
    }
    let directory: HeldDirectory
    do throws(BackupError) {
      directory = try subdirectory(name)
    } catch {
      if try attributes(name) == nil { return }
      throw error
    }
    for attempt in 1... {
      let entries = try directory.names()
      for entry in entries where entry != RepositoryLock.fileName { try directory.removeTree(entry) }
      // Last, because it shows that somebody is at it.
      if entries.contains(RepositoryLock.fileName) { try directory.removeTree(RepositoryLock.fileName) }
      if unlinkat(descriptor.rawValue, name, AT_REMOVEDIR) == 0 || errno == ENOENT { return }
      // A pg_dump that has outlived its killed caller makes files until it misses its directory.
      guard errno == ENOTEMPTY || errno == EEXIST, attempt < 20 else {
        throw .system("remove", path.appending(name), errno)
      }
      usleep(10_000)
    }
  }

  /// Bytes that the caller may still write to the file system.
  func freeSpace() throws(BackupError) -> Int64 {
    var buffer = statvfs()
    guard fstatvfs(descriptor.rawValue, &buffer) == 0 else { throw .system("look at", path, errno) }
    let (bytes, overflow) = Int64(clamping: buffer.f_bavail)
      .multipliedReportingOverflow(by: Int64(clamping: buffer.f_frsize))
    return overflow ? .max : bytes
  }
}

/// What the file system says of a name.
public struct FileAttributes: Sendable, Equatable {
  public enum Kind: Sendable, Equatable {
    case regular
    case directory
    case symbolicLink
    /// A socket, a FIFO or a device.
    case other
  }

  public let kind: Kind
  /// Bytes.
  public let size: Int64
  /// The permission bits.
  public let mode: UInt32
  /// Device and inode: the same for two names of one file.
  let identity: [UInt64]

  init(_ buffer: stat) {
    kind =
      switch buffer.st_mode & S_IFMT {
      case S_IFREG: .regular
      case S_IFDIR: .directory
      case S_IFLNK: .symbolicLink
      default: .other
      }
    size = Int64(buffer.st_size)
    mode = UInt32(buffer.st_mode & 0o7777)
    identity = [UInt64(truncatingIfNeeded: buffer.st_dev), UInt64(truncatingIfNeeded: buffer.st_ino)]
  }
}

extension BackupError {
  /// For whoever finds the repository full.
  static let diskFullHint =
    "free some space there (tsdb backup prune), or let backup.repository name a larger place"

  /// What the operating system refused.
  static func system(_ action: String, _ path: FilePath, _ code: Int32) -> BackupError {
    let hint: String? =
      switch code {
      case EACCES, EPERM: "check its owner and permissions, or run as the user who owns it"
      case ENOSPC, EDQUOT: diskFullHint
      case EROFS: "the file system is mounted read-only; let backup.repository name another place"
      default: nil
      }
    let reason = String(cString: strerror(code))
    return BackupError(
      code == ENOENT || code == ENOTDIR ? .invalidInput : .failed,
      "cannot \(action) \"\(path)\": \(reason.prefix(1).lowercased() + reason.dropFirst())", hint: hint)
  }
}
