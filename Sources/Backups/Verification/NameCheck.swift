import Archive

/// Compares the names, kinds and sizes in a backup's directory with the manifest.
struct NameCheck {
  /// What may stand beside the files of the manifest.
  private static let others: Set = [ManifestFile.name, ProofLog.fileName, RepositoryLock.fileName]
  static let configuration = "config"

  private let sizes: [String: Int64]
  private(set) var findings: [VerificationFinding] = []
  /// Files that are there, regular and of the right size.
  private(set) var readable: Set<String> = []

  init(manifest: BackupManifest) {
    sizes = Dictionary(manifest.files.map { ($0.path, $0.size) }) { first, _ in first }
  }

  func isReadable(_ path: String) -> Bool { readable.contains(path) }

  mutating func run(in directory: HeldDirectory) {
    var seen: Set<String> = []
    do throws(BackupError) {
      for name in try directory.names() where !Self.others.contains(name) {
        if name == Self.configuration, try directory.attributes(name)?.kind == .directory {
          let inner = try directory.subdirectory(name)
          for name in try inner.names() {
            try check(Self.configuration + "/" + name, try inner.attributes(name), &seen)
          }
        } else {
          try check(name, try directory.attributes(name), &seen)
        }
      }
    } catch {
      add(".", error.message)
    }
    for path in sizes.keys where !seen.contains(path) { add(path, "the file is missing") }
  }

  private mutating func check(_ path: String, _ attributes: FileAttributes?, _ seen: inout Set<String>)
    throws(BackupError)
  {
    // Removed since it was listed.
    guard let attributes else { return }
    guard let size = sizes[path] else {
      add(path, "it is not in the manifest; pg_restore might read it in place of another file")
      return
    }
    seen.insert(path)
    guard attributes.kind == .regular else {
      add(path, "it is \(Self.article(attributes.kind)), not a regular file")
      return
    }
    guard attributes.size == size else {
      add(path, "it has \(attributes.size) bytes instead of \(size)")
      return
    }
    readable.insert(path)
  }

  private static func article(_ kind: FileAttributes.Kind) -> String {
    switch kind {
    case .regular: "a regular file"
    case .directory: "a directory"
    case .symbolicLink: "a symbolic link"
    case .other: "a pipe, a socket or a device"
    }
  }

  private mutating func add(_ path: String, _ problem: String) {
    findings.append(VerificationFinding(path: path, problem: problem))
  }
}
