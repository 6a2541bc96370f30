import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The server directory on disk: finding it, making it, and refusing what is not ours.
struct ServerHome: Sendable {
  let layout: ServerLayout
  let record: ServerRecord
  /// Who the server runs as; nil when that is the caller.
  let account: ServerAccount?

  var serverUser: uid_t { account?.uid ?? geteuid() }
  var serverGroup: gid_t { account?.gid ?? getegid() }

  var socketDirectories: [FilePath] {
    layout.socketDirectories(serverUser: serverUser, asRoot: account != nil)
  }

  /// The server directory as recorded; nil when there is none yet. Writes nothing.
  ///
  /// - Throws: `.notOurs` when the directory belongs to another account, or its record is damaged.
  static func find(_ directory: FilePath) throws(LocalServerError) -> ServerHome? {
    let recordFile = directory.appending(ServerLayout.recordName)
    guard let attributes = PrivateFiles.attributes(recordFile) else {
      if let found = PrivateFiles.attributes(directory, following: true) { try checkOwner(found, directory) }
      return nil
    }
    try checkOwner(attributes, directory)
    guard attributes.isRegular, let text = PrivateFiles.text(of: recordFile),
      let record = ServerRecord(text: text), let home = PrivateFiles.realPath(directory)
    else {
      throw LocalServerError(
        .notOurs, "\"\(recordFile)\" was not written by tsdb",
        hint: "move \"\(directory)\" away and run the same command again")
    }
    let layout = ServerLayout(home: home, storage: record.storageOutside ?? home)
    if record.storageOutside != nil { try checkStorageOutside(layout) }
    return ServerHome(layout: layout, record: record, account: try recordedAccount(record))
  }

  private static func checkOwner(
    _ attributes: PrivateFiles.Attributes, _ directory: FilePath
  ) throws(LocalServerError) {
    guard attributes.owner == geteuid() else {
      throw .foreignOwner(
        directory, owner: ServerAccount.displayName(attributes.owner),
        caller: ServerAccount.displayName(geteuid()))
    }
  }

  private static func recordedAccount(_ record: ServerRecord) throws(LocalServerError) -> ServerAccount? {
    guard let name = record.account else { return nil }
    guard let account = ServerAccount.named(name) else {
      throw LocalServerError(
        .noAccount, "account \"\(name)\", which the private server runs under, no longer exists",
        hint: "create the account again with the user number that owns the data directory")
    }
    return account
  }

  /// A storage elsewhere must lie where we put storages, be root's, and name this home: a copied
  /// project must not share its data, and a forged record must not lead `destroy` astray.
  private static func checkStorageOutside(_ layout: ServerLayout) throws(LocalServerError) {
    let name = layout.storage.lastComponent?.string ?? ""
    let isPlausible =
      layout.storage.removingLastComponent() == "/var/lib/tsdb"
      || (layout.storage.removingLastComponent() == "/var/tmp" && name.hasPrefix("tsdb-0-"))
    guard isPlausible, geteuid() == 0 else {
      throw LocalServerError(
        .notOurs, "\"\(layout.storage)\" is not a place where tsdb keeps a cluster",
        hint: "move \"\(layout.home)\" away and run the same command again")
    }
    guard let attributes = PrivateFiles.attributes(layout.storage) else { return }
    let owner = PrivateFiles.text(of: layout.storageOwner).map {
      $0.split(separator: "\n").first.map(String.init) ?? ""
    }
    let isHere = owner == layout.home.string
    // A moved project takes its cluster along; a copied one does not.
    let wasMoved = owner.map {
      PrivateFiles.attributes(FilePath($0).appending(ServerLayout.recordName)) == nil
    }
    guard attributes.isDirectory, attributes.owner == 0, isHere || wasMoved == true else {
      throw LocalServerError(
        .notOurs, "the cluster in \"\(layout.storage)\" belongs to another server directory",
        detail: "It belongs to \"\(owner ?? "unknown")\". Was \"\(layout.home)\" copied from there?",
        hint: "remove the copy \"\(layout.home)\" and run the same command again")
    }
    if !isHere {
      try PrivateFiles.write(layout.home.string + "\n", to: layout.storageOwner, mode: [.ownerReadWrite])
    }
  }
}

extension ServerHome {
  /// Makes an empty home that the command lock can be taken in.
  static func prepare(_ directory: FilePath) throws(LocalServerError) {
    if let existing = PrivateFiles.attributes(directory, following: true) {
      try checkOwner(existing, directory)
      let names = Set(try PrivateFiles.names(in: directory))
      guard names.contains(ServerLayout.recordName) || names.isSubset(of: ServerLayout.namesBeforeRecord)
      else {
        throw LocalServerError(
          .notOurs, "\"\(directory)\" is not empty and was not made by tsdb",
          hint: "move it away and run the same command again")
      }
      return
    }
    try PrivateFiles.makeParents(of: directory)
    try PrivateFiles.ensureDirectory(directory, mode: homeMode, owner: geteuid(), group: getegid())
  }

  /// Root's directories let the server's account pass to its own, and show it nothing.
  private static var homeMode: mode_t { geteuid() == 0 ? 0o711 : 0o700 }

  /// Writes the record of a new server, after choosing the account and the storage. The command
  /// lock is held.
  static func create(_ directory: FilePath) throws(LocalServerError) -> ServerHome {
    guard let home = PrivateFiles.realPath(directory) else { throw .system("find", directory, errno) }
    guard geteuid() == 0 else { return try create(home: home, storage: home, account: nil) }
    let account = try ServerAccount.unprivileged()
    if reaches(account, home) { return try create(home: home, storage: home, account: account) }
    var refusal: LocalServerError?
    for storage in ServerLayout.storagesOutside(home: home) {
      do {
        if storage.removingLastComponent() == "/var/lib/tsdb" {
          try PrivateFiles.ensureDirectory("/var/lib/tsdb", mode: 0o711, owner: 0, group: 0)
        }
        try PrivateFiles.ensureDirectory(storage, mode: 0o711, owner: 0, group: 0)
        try PrivateFiles.write(home.string + "\n", to: storage.appending("home"), mode: [.ownerReadWrite])
        return try create(home: home, storage: storage, account: account)
      } catch {
        refusal = refusal ?? error
      }
    }
    throw refusal ?? .system("create directory", home, EACCES)
  }

  private static func create(
    home: FilePath, storage: FilePath, account: ServerAccount?
  ) throws(LocalServerError) -> ServerHome {
    let created = ServerHome(
      layout: ServerLayout(home: home, storage: storage),
      record: ServerRecord(storageOutside: storage == home ? nil : storage, account: account?.name),
      account: account)
    try created.write(created.record)
    return created
  }

  /// Replaces the record.
  func write(_ record: ServerRecord) throws(LocalServerError) {
    try PrivateFiles.write(record.text, to: layout.record, mode: [.ownerReadWrite])
  }

  /// Whether the account can pass through the directory and everything above it.
  static func reaches(_ account: ServerAccount, _ directory: FilePath) -> Bool {
    var current = directory
    while true {
      guard let found = PrivateFiles.attributes(current),
        account.canTraverse(mode: found.mode, owner: found.owner, group: found.group)
      else { return false }
      let parent = current.removingLastComponent()
      if parent == current || parent.isEmpty { return true }
      current = parent
    }
  }
}
