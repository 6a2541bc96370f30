import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A private server whose data is thrown away: fast, and with nothing to lose.
///
/// It lies below a directory that several processes may share, in one of its own. A lock beside that
/// tells whose process is gone; what such a one left is removed by the next. All calls block.
public final class ThrowawayServer: Sendable {
  /// The directory of its own: like that of a project, with the server in `.tsdb/server`.
  public let directory: FilePath
  public let server: LocalServer
  private let lock: FileLock

  private init(directory: FilePath, server: LocalServer, lock: consuming FileLock) {
    self.directory = directory
    self.server = server
    self.lock = lock
  }

  private static let prefix = "tsdb-proof-"
  private static let lockSuffix = ".lock"

  /// Takes a directory below `parent`, which need not exist; starts nothing.
  ///
  /// - Parameter parent: an absolute path.
  /// - Parameter installation: whose programs make and run it.
  public static func make(
    below parent: FilePath, installation: ServerInstallation, environment: ServerEnvironment = .current
  ) throws(LocalServerError) -> ThrowawayServer {
    var options = ServerOptions(environment: environment)
    options.installation = installation
    options.isThrowaway = true
    try PrivateFiles.makeParents(of: parent.appending(prefix))
    var number = 0
    while true {
      number += 1
      let directory = parent.appending("\(prefix)\(getpid())-\(number)")
      // Process numbers repeat, in other containers even at the same time.
      guard PrivateFiles.attributes(directory) == nil,
        let lock = try FileLock.acquire(lockPath(directory), timeout: .zero)
      else { continue }
      let server = try LocalServer(directory: serverDirectory(directory), options: options)
      return ThrowawayServer(directory: directory, server: server, lock: lock)
    }
  }

  private static func lockPath(_ directory: FilePath) -> FilePath {
    directory.removingLastComponent().appending((directory.lastComponent?.string ?? "") + lockSuffix)
  }

  private static func serverDirectory(_ directory: FilePath) -> FilePath {
    directory.appending(".tsdb").appending("server")
  }
}

extension ThrowawayServer {
  /// Starts it, making the cluster first.
  ///
  /// - Throws: errors without a hint to look into a log, which goes with the server.
  public func start() throws(LocalServerError) -> StartResult {
    do {
      return try server.start()
    } catch {
      let namesFile = error.hint?.contains(directory.string) == true
      throw LocalServerError(
        error.code, error.message, detail: error.detail, hint: namesFile ? nil : error.hint)
    }
  }

  /// Where its data is: elsewhere than ``directory`` when root runs it where the server's account cannot
  /// reach. nil before the start.
  public func dataDirectory() throws(LocalServerError) -> FilePath? { try server.status().dataDirectory }

  /// Bytes that can be written where its data is.
  public func freeSpace() throws(LocalServerError) -> Int64 {
    let path = try dataDirectory() ?? directory
    var status = statvfs()
    guard statvfs(path.string, &status) == 0 else { throw .system("look at", path, errno) }
    return Int64(clamping: UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize)).0)
  }

  /// Stops it and removes everything.
  public func destroy() throws(LocalServerError) {
    try Self.remove(directory)
  }

  /// Leaves it running after the end of this process, for a person to look at.
  ///
  /// - Parameter configuration: what a file `tsdb.yaml` beside it says, so that the `server` commands find
  ///   it by its directory.
  public func keep(configuration: String) throws(LocalServerError) {
    try PrivateFiles.write(
      configuration, to: directory.appending("tsdb.yaml"), mode: [.ownerReadWrite, .groupRead, .otherRead])
    try PrivateFiles.removeTree(Self.lockPath(directory))
  }

  /// What a process that is gone had left.
  public struct Leftover: Sendable {
    public let directory: FilePath
    /// Why it could not be removed; nil when it was.
    public let failure: LocalServerError?
  }

  /// Stops and removes the servers below `parent` whose process is gone. Kept ones stay.
  public static func removeLeftovers(below parent: FilePath) -> [Leftover] {
    let names = Set((try? PrivateFiles.names(in: parent)) ?? []).filter { $0.hasPrefix(prefix) }
    let directories = Set(names.map { $0.hasSuffix(lockSuffix) ? String($0.dropLast(lockSuffix.count)) : $0 })
    var leftovers: [Leftover] = []
    for name in directories.sorted() {
      let directory = parent.appending(name)
      let isLocked = names.contains(name + lockSuffix)
      // A kept one is somebody's until its server is destroyed.
      if !isLocked, PrivateFiles.attributes(serverDirectory(directory)) != nil { continue }
      do {
        guard let lock = try FileLock.acquire(lockPath(directory), timeout: .zero) else { continue }
        try remove(directory)
        _ = consume lock
        if isLocked { leftovers.append(Leftover(directory: directory, failure: nil)) }
      } catch {
        leftovers.append(Leftover(directory: directory, failure: error))
      }
    }
    return leftovers
  }

  /// The lock is held, and goes last.
  private static func remove(_ directory: FilePath) throws(LocalServerError) {
    try LocalServer(directory: serverDirectory(directory)).destroy()
    try PrivateFiles.removeTree(directory)
    try PrivateFiles.removeTree(lockPath(directory))
  }
}
