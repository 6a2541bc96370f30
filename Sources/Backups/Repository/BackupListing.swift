import Archive
import SystemPackage
import Timekeeping

extension BackupRepository {
  /// Every directory of the repository that is or was to be a backup, oldest first. What is no backup, a
  /// symbolic link included, is left out.
  ///
  /// - Throws: ``BackupError`` when the repository cannot be listed; a fault of one backup is its state.
  public func entries() throws(BackupError) -> [BackupEntry] {
    var entries: [BackupEntry] = []
    let unfinished = try leftovers()
    let names = Set(unfinished.map(\.name))
    for name in try directory.names() where BackupName.isPossible(name) && !names.contains(name) {
      if let entry = try entry(name) { entries.append(entry) }
    }
    entries += unfinished.map { BackupEntry($0, in: path) }
    return entries.sorted {
      ($0.time?.secondsSince1970 ?? .min, $0.id) < ($1.time?.secondsSince1970 ?? .min, $1.id)
    }
  }

  /// The finished backup of the name; nil when there is none.
  func entry(_ id: String) throws(BackupError) -> BackupEntry? {
    guard BackupName.isPossible(id), try directory.attributes(id)?.kind == .directory else { return nil }
    let inner: HeldDirectory
    do throws(BackupError) {
      inner = try directory.subdirectory(id)
    } catch {
      // Gone since it was listed.
      if try directory.attributes(id) == nil { return nil }
      return BackupEntry(unreadable: id, path: path.appending(id), error)
    }
    if BackupName.time(of: id) == nil, (try? inner.attributes(ManifestFile.name)) == .some(nil) { return nil }
    return BackupEntry(reading: inner, id: id)
  }

  /// The backup that a person means: `latest`, an id, the beginning of exactly one, or a label.
  ///
  /// - Parameter database: of which `latest` and labels are looked for; nil for any.
  /// - Throws: ``BackupError`` of kind `invalidInput` when there is none, or more than one.
  public func resolve(_ name: String, database: String? = nil) throws(BackupError) -> BackupEntry {
    if name != "latest", let entry = try entry(name) { return entry }
    let entries = try entries()
    return try Self.resolve(name, database: database, among: entries, in: path)
  }

  /// As ``resolve(_:database:)``, among entries that were read before.
  static func resolve(
    _ name: String, database: String?, among entries: [BackupEntry], in path: FilePath
  ) throws(BackupError) -> BackupEntry {
    let ofDatabase = entries.filter { database == nil || $0.database == database }
    if name == "latest" {
      // A backup of a few tables is not what a restore of the database needs.
      if let latest = ofDatabase.last(where: { $0.isUsable && $0.manifest?.scope.isWholeDatabase == true }) {
        return latest
      }
      throw BackupError(
        .invalidInput,
        "there is no complete backup\(database.map { " of \"\($0)\"" } ?? "") in \"\(path)\"",
        hint:
          "take one with \"tsdb backup\", or name one of another database by its id: see \"tsdb backup list\""
      )
    }
    if let exact = entries.first(where: { $0.id == name }) { return exact }
    let labelled = ofDatabase.filter { $0.manifest?.label == name }
    let prefixed = entries.filter { !name.isEmpty && $0.id.hasPrefix(name) }
    let found = labelled.isEmpty ? prefixed : labelled
    if found.count == 1 { return found[0] }
    guard !found.isEmpty else {
      throw BackupError(
        .invalidInput, "there is no backup \"\(name)\" in \"\(path)\"",
        hint: "\"tsdb backup list\" shows what there is")
    }
    throw BackupError(
      .invalidInput,
      "\"\(name)\" is the \(labelled.isEmpty ? "beginning" : "label") of \(found.count) backups",
      detail: found.map(\.id).joined(separator: ", ") + ".",
      hint: labelled.isEmpty ? "write more of it" : "name the one that is meant by its id")
  }
}

extension BackupEntry {
  fileprivate init(unreadable id: String, path: FilePath, _ error: BackupError) {
    self.id = id
    self.path = path
    state = .damaged(error.message)
    (manifest, manifestSHA256, proofs, database) = (nil, nil, [], nil)
    time = BackupName.time(of: id)
  }
}
