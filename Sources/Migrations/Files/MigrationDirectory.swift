import FoundationEssentials
import SystemPackage

/// The migration files below one or several directories.
public struct MigrationDirectory: Sendable {
  /// Sorted by name.
  public let files: [MigrationFile]

  public init(files: [MigrationFile]) {
    self.files = files.sorted { $0.name < $1.name }
  }

  /// Reads every `.sql` file below `directories`.
  ///
  /// Subdirectories are searched too; names that begin with a dot are not. `NAME.down.sql` and
  /// `NAME.verify.sql` belong to `NAME.sql`.
  /// - Parameters:
  ///   - directories: paths relative to `root`, or absolute.
  ///   - root: the project's directory; messages show paths relative to it.
  /// - Throws: ``MigrationError`` of kind `invalidInput`: a directory that is missing or not
  ///   readable, two files of one name, a down or verify script without its migration, and
  ///   whatever ``MigrationFile`` refuses.
  public init(reading directories: [String], root: String) throws(MigrationError) {
    var paths: [String] = []
    for directory in directories {
      paths += try SQLFiles.paths(below: directory, root: root)
    }
    var plain: [(name: String, path: String)] = []
    var siblings: [String: String] = [:]
    for path in paths {
      let name = SQLFiles.name(of: path)
      if SQLFiles.siblingSuffixes.contains(where: { name.hasSuffix($0) }) {
        if let other = siblings.updateValue(path, forKey: name) {
          throw Self.duplicate(name + ".sql", other, path)
        }
      } else {
        plain.append((name, path))
      }
    }
    try Self.refuseDuplicates(plain)
    try Self.refuseOrphans(siblings, names: Set(plain.map(\.name)))
    var files: [MigrationFile] = []
    files.reserveCapacity(plain.count)
    for (name, path) in plain {
      files.append(
        try MigrationFile(
          name: name, path: path, bytes: try SQLFiles.read(path, root: root),
          downPath: siblings[name + ".down"], verifyPath: siblings[name + ".verify"]))
    }
    self.init(files: files)
  }

  /// Names are compared without regard to case, since two such files cannot stand side by side on
  /// macOS and Windows.
  private static func refuseDuplicates(_ plain: [(name: String, path: String)]) throws(MigrationError) {
    var seen: [String: String] = [:]
    for (name, path) in plain {
      if let other = seen.updateValue(path, forKey: name.lowercased()) {
        throw duplicate(name + ".sql", other, path)
      }
    }
  }

  private static func duplicate(_ name: String, _ first: String, _ second: String) -> MigrationError {
    MigrationError(
      .invalidInput, "two migration files have the name \"\(name)\"",
      detail: "They are \(first) and \(second).",
      hint: "rename one of them; the name is the key of the history")
  }

  private static func refuseOrphans(_ siblings: [String: String], names: Set<String>) throws(MigrationError) {
    for (sibling, path) in siblings.sorted(by: { $0.key < $1.key }) {
      let name = SQLFiles.siblingSuffixes.reduce(sibling) {
        $0.hasSuffix($1) ? String($0.dropLast($1.count)) : $0
      }
      guard !names.contains(name) else { continue }
      let nearest = EditDistance.nearest(to: name, in: names)
      throw MigrationError(
        .invalidInput, "\(path) belongs to no migration", detail: "There is no \(name).sql.",
        hint: nearest.map { "did you mean \"\($0)\"?" } ?? "rename or remove it")
    }
  }
}

/// SQL files on disk.
public enum SQLFiles {
  static let siblingSuffixes = [".down", ".verify"]
  /// In bytes; the server takes no statement of a gigabyte.
  static let largestFile = 1 << 30

  /// The `.sql` files below `directory`, sorted; paths are relative to `root` where `directory` is.
  public static func paths(
    below directory: String, root: String,
    hint: String = "create it with \"tsdb migrate new NAME\", or name another in tsdb.yaml"
  ) throws(MigrationError) -> [String] {
    var found: [String] = []
    var pending = [directory]
    while let current = pending.popLast() {
      let entries: [String]
      do {
        entries = try FileManager.default.contentsOfDirectory(atPath: absolute(current, root: root))
      } catch {
        throw MigrationError(
          .invalidInput, "the directory \"\(current)\" cannot be read", detail: reason(of: error),
          hint: hint)
      }
      for entry in entries where !entry.hasPrefix(".") {
        let path = current.hasSuffix("/") ? current + entry : current + "/" + entry
        if entry.hasSuffix(".sql") {
          found.append(path)
        } else if isDirectory(absolute(path, root: root)) {
          pending.append(path)
        } else if entry.lowercased().hasSuffix(".sql") {
          throw MigrationError(
            .invalidInput, "\(path) would be left out: its name does not end in .sql",
            detail: "The suffix counts in lower case only.", hint: "rename it")
        }
      }
    }
    return found.sorted()
  }

  /// The last component without `.sql`.
  public static func name(of path: String) -> String {
    let component = path.split(separator: "/").last.map(String.init) ?? path
    return component.hasSuffix(".sql") ? String(component.dropLast(4)) : component
  }

  /// All bytes of a file.
  public static func read(_ path: String, root: String) throws(MigrationError) -> [UInt8] {
    do {
      // Opening a FIFO would wait for a writer, and no signal would end that.
      let descriptor = try FileDescriptor.open(
        FilePath(absolute(path, root: root)), .readOnly, options: .nonBlocking)
      return try descriptor.closeAfter {
        let size = Int(try descriptor.seek(offset: 0, from: .end))
        // A directory has whatever size its file system likes.
        guard size <= largestFile else { throw Errno.fileTooLarge }
        try descriptor.seek(offset: 0, from: .start)
        return try [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
          while count < size {
            let read = try descriptor.read(
              into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[count...]))
            if read == 0 { break }
            count += read
          }
        }
      }
    } catch {
      throw MigrationError(
        .invalidInput, "\(path) cannot be read",
        detail: isDirectory(absolute(path, root: root)) ? "It is a directory." : reason(of: error),
        hint: "check that it is a file and its permissions")
    }
  }

  static func absolute(_ path: String, root: String) -> String {
    path.hasPrefix("/") ? path : root + "/" + path
  }

  private static func isDirectory(_ path: String) -> Bool {
    var isDirectory = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory
  }

  private static func reason(of error: any Error) -> String {
    if let error = error as? Errno { return "The system says: \(error)." }
    if let error = error as? CocoaError, error.code == .fileReadNoSuchFile { return "It does not exist." }
    return "The system does not permit it."
  }
}
