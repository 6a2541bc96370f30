import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// File operations that never follow a symbolic link in the last component: directories of the
/// server account are handled by root here.
enum PrivateFiles {
  struct Attributes: Sendable {
    let kind: mode_t
    let mode: UInt32
    let owner: uid_t
    let group: gid_t
    let device: UInt64
    let inode: UInt64
    /// Nanoseconds since 1970.
    let modificationTime: Int64

    var isDirectory: Bool { kind == S_IFDIR }
    var isSocket: Bool { kind == S_IFSOCK }
    var isRegular: Bool { kind == S_IFREG }
  }

  /// What is at the path; nil when nothing is, or it cannot be looked at.
  static func attributes(_ path: FilePath, following: Bool = false) -> Attributes? {
    var buffer = stat()
    let result = following ? stat(path.string, &buffer) : lstat(path.string, &buffer)
    return result == 0 ? Attributes(buffer) : nil
  }

  static func realPath(_ path: FilePath) -> FilePath? {
    guard let resolved = realpath(path.string, nil) else { return nil }
    defer { free(resolved) }
    return FilePath(String(cString: resolved))
  }

  /// Makes the directory, or checks that an existing one is a real directory of `owner`; then sets
  /// its mode. One that root made for another account is handed over, now or after a crash.
  static func ensureDirectory(_ path: FilePath, mode: mode_t, owner: uid_t, group: gid_t)
    throws(LocalServerError)
  {
    if mkdir(path.string, 0o700) != 0, errno != EEXIST { throw .system("create directory", path, errno) }
    if owner != geteuid(), let made = attributes(path), made.isDirectory, made.owner == geteuid(),
      lchown(path.string, owner, group) != 0
    {
      throw .system("give away directory", path, errno)
    }
    guard let found = attributes(path) else { throw .system("open directory", path, ENOENT) }
    guard found.isDirectory else {
      throw LocalServerError(
        .notOurs, "\"\(path)\" is not a directory", hint: "move it away and run the same command again")
    }
    guard found.owner == owner else {
      throw .foreignOwner(
        path, owner: ServerAccount.displayName(found.owner), caller: ServerAccount.displayName(owner))
    }
    if found.mode != UInt32(mode), chmod(path.string, mode) != 0 {
      throw .system("set the mode of", path, errno)
    }
  }

  /// Makes the missing ancestors of `path`. Those of root let the server's account pass, whatever
  /// the umask.
  static func makeParents(of path: FilePath) throws(LocalServerError) {
    let parent = path.removingLastComponent()
    guard parent != path, attributes(parent, following: true) == nil else { return }
    try makeParents(of: parent)
    if mkdir(parent.string, 0o755) == 0 {
      if geteuid() == 0 { chmod(parent.string, 0o755) }
    } else if errno != EEXIST {
      throw .system("create directory", parent, errno)
    }
  }

  /// The names in a directory, sorted, without `.` and `..`.
  static func names(in directory: FilePath) throws(LocalServerError) -> [String] {
    let descriptor = open(directory.string, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .system("open directory", directory, errno) }
    return entries(of: descriptor).sorted()
  }

  /// The text of a small regular file; nil when there is none. At most `limit` bytes from its end.
  static func text(of path: FilePath, limit: Int = 65536) -> String? {
    // Not blocking: opening a FIFO planted under the name would wait for ever.
    let options: FileDescriptor.OpenOptions = [.noFollow, .closeOnExec, .nonBlocking]
    guard let file = try? FileDescriptor.open(path, .readOnly, options: options) else { return nil }
    defer { try? file.close() }
    var status = stat()
    guard fstat(file.rawValue, &status) == 0, Attributes(status).isRegular else { return nil }
    let start = max(0, Int64(status.st_size) - Int64(limit))
    var bytes = [UInt8](repeating: 0, count: limit)
    guard
      let count = try? bytes.withUnsafeMutableBytes({ try file.read(fromAbsoluteOffset: start, into: $0) })
    else { return nil }
    return String(decoding: bytes[..<count], as: UTF8.self)
  }

  /// Replaces a file of the caller's own so that a reader, and a crash, sees the old or the new.
  static func write(_ text: String, to path: FilePath, mode: FilePermissions) throws(LocalServerError) {
    let partial = path.removingLastComponent().appending((path.lastComponent?.string ?? "") + ".partial")
    unlink(partial.string)
    do {
      let file = try FileDescriptor.open(
        partial, .writeOnly, options: [.create, .exclusiveCreate, .noFollow, .closeOnExec],
        permissions: mode)
      try file.closeAfter {
        _ = fchmod(file.rawValue, mode.rawValue)
        try file.writeAll(text.utf8)
        guard fsync(file.rawValue) == 0 else { throw Errno(rawValue: errno) }
      }
    } catch {
      throw .system("write", partial, (error as? Errno)?.rawValue ?? EIO)
    }
    try move(partial, to: path)
  }

  /// Renames, and makes the new name survive a power loss.
  static func move(_ path: FilePath, to target: FilePath) throws(LocalServerError) {
    guard rename(path.string, target.string) == 0 else { throw .system("rename", path, errno) }
    let descriptor = open(target.removingLastComponent().string, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    fsync(descriptor)
    close(descriptor)
  }

  /// Removes a file or a whole directory tree; nothing there is fine. Symbolic links in it are
  /// removed, never followed, also when the tree is changed meanwhile.
  static func removeTree(_ path: FilePath) throws(LocalServerError) {
    try remove(path.string, in: AT_FDCWD, shown: path)
  }

  private static func remove(_ name: String, in parent: Int32, shown: FilePath) throws(LocalServerError) {
    if unlinkat(parent, name, 0) == 0 || errno == ENOENT { return }
    let notAFile = errno
    // EISDIR on Linux, EPERM by POSIX.
    guard notAFile == EISDIR || notAFile == EPERM else { throw .system("remove", shown, notAFile) }
    let directory = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard directory >= 0 else { throw .system("remove", shown, errno == ENOTDIR ? notAFile : errno) }
    let listing = dup(directory)
    defer { close(directory) }
    for entry in listing < 0 ? [] : entries(of: listing) {
      try remove(entry, in: directory, shown: shown.appending(entry))
    }
    if unlinkat(parent, name, AT_REMOVEDIR) != 0, errno != ENOENT { throw .system("remove", shown, errno) }
  }

  /// Reads and closes the descriptor.
  private static func entries(of descriptor: Int32) -> [String] {
    guard let stream = fdopendir(descriptor) else {
      close(descriptor)
      return []
    }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { tuple in
        tuple.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names
  }
}

extension PrivateFiles.Attributes {
  fileprivate init(_ buffer: stat) {
    kind = buffer.st_mode & S_IFMT
    mode = UInt32(buffer.st_mode & 0o7777)
    owner = buffer.st_uid
    group = buffer.st_gid
    device = UInt64(truncatingIfNeeded: buffer.st_dev)
    inode = UInt64(truncatingIfNeeded: buffer.st_ino)
    #if canImport(Darwin)
      let modified = buffer.st_mtimespec
    #else
      let modified = buffer.st_mtim
    #endif
    modificationTime = Int64(modified.tv_sec) * 1_000_000_000 + Int64(modified.tv_nsec)
  }
}
