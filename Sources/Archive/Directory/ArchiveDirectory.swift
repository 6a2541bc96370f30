import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The directory of an archive, opened once.
///
/// Files are opened relative to it and links are not followed, so what another makes of the path
/// meanwhile, or what the archive says, cannot lead out of it.
public final class ArchiveDirectory: Sendable {
  /// For messages.
  public let path: String
  /// Open as long as this object is.
  public let descriptor: FileDescriptor

  /// - Throws: ``ArchiveError`` of kind `missing` when nothing is at the path, `system` when it is no
  ///   directory or may not be read.
  public convenience init(opening path: String) throws(ArchiveError) {
    try self.init(
      descriptor: openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), openError: errno, path: path)
  }

  private init(descriptor: Int32, openError: Int32, path: String) throws(ArchiveError) {
    guard descriptor >= 0 else {
      let shown = ArchiveFileName.printable(Array(path.utf8))
      guard openError != ENOENT else {
        throw ArchiveError(.missing, "directory \"\(shown)\" does not exist")
      }
      throw .system("open directory", shown, openError)
    }
    self.descriptor = FileDescriptor(rawValue: descriptor)
    self.path = path
  }

  deinit { try? descriptor.close() }

  /// Whether a directory is at the path; links are followed, for the person named it.
  public static func isDirectory(_ path: String) -> Bool {
    var status = stat()
    return fstatat(AT_FDCWD, path, &status, 0) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  /// Opens the directory `name` in this one; a link is refused.
  public func directory(_ name: String) throws(ArchiveError) -> ArchiveDirectory {
    try Self.check(Array(name.utf8))
    return try ArchiveDirectory(
      descriptor: openat(descriptor.rawValue, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
      openError: errno, path: path + "/" + name)
  }

  /// Opens a regular file directly in the directory.
  ///
  /// - Throws: ``ArchiveError`` of kind `missing` when there is none, `damaged` for a name that could
  ///   lead elsewhere and for what is not a regular file.
  public func open(_ name: String) throws(ArchiveError) -> ArchiveFile {
    try Self.check(Array(name.utf8))
    return try ArchiveFile(
      descriptor: openat(descriptor.rawValue, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK),
      openError: errno, name: name)
  }

  /// Whether anything has this name, be it a file, a link to nowhere or a directory.
  public func contains(_ name: String) throws(ArchiveError) -> Bool {
    try Self.check(Array(name.utf8))
    var status = stat()
    if fstatat(descriptor.rawValue, name, &status, AT_SYMLINK_NOFOLLOW) == 0 { return true }
    guard errno == ENOENT else {
      throw .system("look at", ArchiveFileName.printable(Array(name.utf8)), errno)
    }
    return false
  }

  /// All names in the directory but `.` and `..`, sorted.
  public func names() throws(ArchiveError) -> [String] {
    let listing = openat(descriptor.rawValue, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard listing >= 0, let stream = fdopendir(listing) else {
      let code = errno
      if listing >= 0 { close(listing) }
      throw .system("list directory", ArchiveFileName.printable(Array(path.utf8)), code)
    }
    defer { closedir(stream) }
    var names: [String] = []
    errno = 0
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { tuple in
        tuple.withMemoryRebound(to: CChar.self, capacity: ArchiveFileName.maximumLength + 1) {
          String(cString: $0)
        }
      }
      if name != ".", name != ".." { names.append(name) }
      errno = 0
    }
    guard errno == 0 else {
      throw .system("list directory", ArchiveFileName.printable(Array(path.utf8)), errno)
    }
    return names.sorted()
  }

  private static func check(_ name: [UInt8]) throws(ArchiveError) {
    guard ArchiveFileName.isValid(name) else {
      throw ArchiveError(
        .damaged, "\"\(ArchiveFileName.printable(name))\" is not the name of a file in the archive")
    }
  }
}
