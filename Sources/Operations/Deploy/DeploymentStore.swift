import Checklists
import Deployments
import FoundationEssentials
import LocalServer
import Maintenance
import Migrations
import Postgres
import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The records of deployments beside the project, in `.tsdb/deployments`.
///
/// Each deployment has a directory of its own, named by its id, with `record.json` and what it wrote. Directories are
/// for their owner alone.
public struct DeploymentStore: Sendable {
  /// `.tsdb/deployments` of the project, absolute.
  public let root: FilePath
  private let schema: String

  /// The largest record that is read, in bytes.
  private static let limit = 16 << 20

  public init(project: Project) {
    root = FilePath(project.root).appending(".tsdb").appending("deployments")
    schema = project.configuration.historySchema
  }

  /// Keeps other deployments and rollbacks of this project away for as long as it is held.
  ///
  /// - Returns: the lock; it ends with its last reference, and with the process.
  /// - Throws: `DeploymentError` of kind `tryAgain` when another run has it.
  public func lock() throws(DeploymentError) -> DeploymentLock {
    try makeDirectory(root)
    do throws(LocalServerError) {
      guard let lock = try FileLock.acquire(root.appending("lock"), timeout: .milliseconds(200)) else {
        throw LocalServerError(.timeout, "")
      }
      removeLeftovers()
      return DeploymentLock(lock)
    } catch {
      if error.code == .timeout {
        throw DeploymentError(
          .tryAgain, "another deployment or rollback of this project is running",
          detail: "It holds \"\(root.appending("lock"))\". Nothing was done.",
          hint: "wait for its end, and type the same command again")
      }
      throw DeploymentError(
        .failed, error.message, detail: "Nothing was done.",
        hint: error.hint ?? "let the account that runs tsdb write into \"\(root)\"")
    }
  }

  /// All records of a database, oldest first.
  ///
  /// - Parameter systemIdentifier: of its server; nil, here or in a record, matches any.
  /// - Throws: `DeploymentError` of kind `invalidInput` with the path of a record that cannot be used, whichever
  ///   database it is of: what is not known may be what has to be continued.
  public func records(
    of database: String, systemIdentifier: String?
  ) throws(DeploymentError) -> [DeploymentRecord] {
    try all().filter { record in
      guard record.database == database else { return false }
      guard let systemIdentifier, let recorded = record.systemIdentifier else { return true }
      return systemIdentifier == recorded
    }
  }

  /// The records of all databases, oldest first.
  public func all() throws(DeploymentError) -> [DeploymentRecord] {
    var records: [DeploymentRecord] = []
    for name in try names() {
      let path = root.appending(name).appending(Self.recordName)
      // Killed between the directory and the first record: nothing was done.
      guard let record = try read(path) else { continue }
      guard record.id == name else {
        throw Self.unusable(
          path, "It is of the deployment \"\(record.id)\", and lies in another's directory.")
      }
      records.append(record)
    }
    return records
  }

  /// The directory of a deployment; made by ``save(_:)``.
  public func directory(of record: DeploymentRecord) -> FilePath { root.appending(record.id) }

  /// Puts the record in its file's place, and makes it outlive a crash.
  ///
  /// - Throws: `DeploymentError` of kind `failed`; the old record stays.
  public func save(_ record: DeploymentRecord) throws(DeploymentError) {
    let directory = directory(of: record)
    try makeDirectory(directory)
    do {
      var text = Array(try Self.encoder(isPretty: true).encode(record))
      text.append(UInt8(ascii: "\n"))
      try ReplacedFile(directory.appending(Self.recordName), mode: 0o600).write(text)
    } catch {
      let failure = error as? MaintenanceError
      throw DeploymentError(
        .failed, failure?.message ?? "the deployment's record cannot be written: \(error)",
        hint: failure?.hint)
    }
  }

  /// Copies the record into the database, for others to read. What stands in the way is a warning.
  ///
  /// - Parameter access: of the database that is live under the name.
  public func publish(
    _ record: DeploymentRecord, _ access: DatabaseAccess, warn: RepositoryAccess.WarningReporter
  ) async {
    var settings = access.settings
    if settings["connect_timeout"] == nil { settings["connect_timeout"] = "3" }
    let table = DeploymentTable(schema: schema)
    let session = Session(settings, applicationName: "tsdb deploy")
    do {
      let detail = String(decoding: try Self.encoder(isPretty: false).encode(record), as: UTF8.self)
      try await session.run { connection in
        try connection.execute("begin")
        do throws(PostgresError) {
          try connection.execute("set local statement_timeout = '5s'; set local lock_timeout = '2s'")
          try table.write(record, detail: detail, on: connection)
          try connection.execute("commit")
        } catch {
          if !connection.isBroken { _ = try? connection.execute("rollback") }
          throw error
        }
      }
    } catch {
      let failure = error as? PostgresError
      warn(
        "the deployment is not recorded in the database: \(failure?.message ?? "\(error)")", failure?.detail,
        failure?.hint)
    }
    await session.close()
  }

  // MARK: - Files

  private static let recordName = "record.json"

  private static func encoder(isPretty: Bool) -> JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting =
      isPretty
      ? [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes] : [.sortedKeys, .withoutEscapingSlashes]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    return encoder
  }

  /// The names of the deployments, oldest first.
  private func names() throws(DeploymentError) -> [String] {
    guard let stream = opendir(root.string) else {
      if errno == ENOENT { return [] }
      throw DeploymentError(
        .failed, "\"\(root)\" cannot be read: \(Errno(rawValue: errno))", detail: "Nothing was done.",
        hint: "let the account that runs tsdb read it")
    }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if !name.hasPrefix("."), name != "lock" { names.append(name) }
    }
    return names.sorted()
  }

  /// Takes away what a killed run has left of a file that it was writing; nobody else writes under the lock.
  private func removeLeftovers() {
    for name in (try? names()) ?? [] {
      let directory = root.appending(name)
      guard let stream = opendir(directory.string) else { continue }
      defer { closedir(stream) }
      while let entry = readdir(stream) {
        let file = withUnsafePointer(to: &entry.pointee.d_name) {
          $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if file.hasPrefix("."), file.contains(".tsdb-") { unlink(directory.appending(file).string) }
      }
    }
  }

  private func read(_ path: FilePath) throws(DeploymentError) -> DeploymentRecord? {
    let bytes: [UInt8]
    do {
      bytes = try FileBytes.read(path, limit: Self.limit)
    } catch .noSuchFileOrDirectory, .notDirectory {
      return nil
    } catch {
      throw Self.unusable(path, "Reading it: \(error).")
    }
    struct Format: Decodable { let format: Int }
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    if let format = try? decoder.decode(Format.self, from: Data(bytes)).format,
      format > DeploymentRecord.format
    {
      throw Self.unusable(path, "Its format \(format) is of a later version of tsdb.")
    }
    do {
      return try decoder.decode(DeploymentRecord.self, from: Data(bytes))
    } catch {
      throw Self.unusable(path, "It is not what tsdb writes, or only a part of it.")
    }
  }

  private static func unusable(_ path: FilePath, _ detail: String) -> DeploymentError {
    DeploymentError(
      .invalidInput, "the deployment's record \"\(path)\" cannot be used",
      detail: "\(detail) Nothing was done.",
      hint: "put the file back from a copy, or move its directory away to give that deployment up")
  }

  /// Makes the directory and those above it, for their owner alone.
  private func makeDirectory(_ path: FilePath) throws(DeploymentError) {
    if mkdir(path.string, 0o700) == 0 { return }
    if errno == ENOENT, path.components.count > 1 {
      try makeDirectory(path.removingLastComponent())
      if mkdir(path.string, 0o700) == 0 { return }
    }
    guard errno == EEXIST else {
      throw DeploymentError(
        .failed, "cannot make the directory \"\(path)\": \(Errno(rawValue: errno))",
        detail: "A deployment keeps its record there.",
        hint: "let the account that runs tsdb write into \"\(path.removingLastComponent())\"")
    }
  }
}

/// Held by the one deployment or rollback of a project that is running.
public final class DeploymentLock: Sendable {
  private let lock: FileLock

  init(_ lock: consuming FileLock) { self.lock = lock }
}

extension DeploymentError {
  /// A failure of the database outside a step.
  static func running(_ error: PostgresError) -> DeploymentError {
    if error.origin == .connecting || error.origin == .client {
      let connecting = MigrationError.connecting(error)
      return DeploymentError(
        connecting.kind == .tryAgain ? .tryAgain : connecting.kind == .invalidInput ? .invalidInput : .failed,
        connecting.summary, detail: "Nothing was done.", hint: connecting.hint, sqlState: connecting.sqlState)
    }
    return DeploymentError(
      error.isServerUnavailable ? .tryAgain : .failed, error.message, detail: error.detail, hint: error.hint,
      sqlState: error.sqlState.isEmpty ? nil : error.sqlState)
  }
}
