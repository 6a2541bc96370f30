import FoundationEssentials
import Maintenance
import Postgres
import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// What is to be installed, shown, compared or removed.
public struct ScheduleRequest: Sendable {
  public let project: Project
  public let target: ScheduleTarget
  public let options: ScheduleOptions
  /// How this process reaches the database; what is installed has nothing of its environment.
  public let choice: ConnectionChoice
  public let environment: [String: String]

  public init(
    project: Project, target: ScheduleTarget, options: ScheduleOptions, choice: ConnectionChoice,
    environment: [String: String]
  ) {
    self.project = project
    self.target = target
    self.options = options
    self.choice = choice
    self.environment = environment
  }

  /// - Throws: `MaintenanceError` for a name that no entry can have.
  public var name: String {
    get throws(MaintenanceError) {
      let name =
        options.name ?? ScheduleCall.name(from: String(project.root.split(separator: "/").last ?? ""))
      guard ScheduleCall.isName(name) else {
        throw MaintenanceError(
          .invalidInput, "\"\(name)\" cannot be the name of an entry",
          hint:
            "a name has lower-case letters, digits and hyphens, begins with a letter and is at most 40 long")
      }
      return name
    }
  }

  /// The entry, checked.
  ///
  /// - Throws: `MaintenanceError` of kind `invalidInput`, also when what is installed could not reach the database.
  func call() throws(MaintenanceError) -> ScheduleCall {
    let file = options.environmentFile.map(Project.absolute)
    let times = try CallTimes(
      every: options.every,
      offset: options.at
        ?? CallTimes.stableOffset(every: options.every, host: Self.hostName, database: database))
    let call = try ScheduleCall(
      name: try name, executable: try Self.executable(), project: project.root, times: times,
      environmentFile: file)
    try requireReachable()
    for path in [file, options.credential.map(Project.absolute)].compactMap({ $0 })
    where access(path, F_OK) != 0 {
      throw MaintenanceError(.invalidInput, "the file \"\(path)\" does not exist", hint: "make it first")
    }
    return call
  }

  private var database: String {
    if case .configured(let settings, _) = choice, let name = settings["dbname"] { return name }
    return environment["PGDATABASE"] ?? project.root
  }

  /// A scheduler starts with an environment of its own.
  private func requireReachable() throws(MaintenanceError) {
    if options.environmentFile != nil || options.credential != nil { return }
    let ways = """
      put the URL into a file that only its account can read and name it by database.url_file in tsdb.yaml, or pass \
      --environment-file with a file that has a line DATABASE_URL=…, and keep the password in ~/.pgpass or in that file
      """
    switch choice {
    case .localServer:
      throw MaintenanceError(
        .invalidInput, "no database is configured that a schedule could maintain",
        detail: "The private local server runs for whoever works on the project. Nothing was installed.",
        hint: ways)
    case .configured(let settings, let source):
      let isFile = source == project.configuration.databaseURLFile
      if isFile, environment["TSDB_DATABASE_URL_FILE"]?.isEmpty != false { return }
      let what = isFile ? "TSDB_DATABASE_URL_FILE" : source
      throw MaintenanceError(
        .invalidInput, "what is installed would not find the database: \(what) is known to this command only",
        detail: (settings.holdsPassword
          ? "It holds a password, which is never written into a crontab, a unit or a command line. " : "")
          + "Nothing was installed.", hint: ways)
    }
  }

  /// What a person should know before relying on the entry.
  func warnings() -> [String] {
    var warnings: [String] = []
    let lost = environment.keys.sorted().filter {
      $0.hasPrefix("TSDB_") && !["TSDB_TRIGGER", "TSDB_PG_BINDIR"].contains($0)
    }
    if target != .pgCron, !lost.isEmpty, options.environmentFile == nil {
      warnings.append("the entry does not have these variables: \(lost.joined(separator: ", "))")
    }
    for path in [options.environmentFile, options.credential].compactMap({ $0 }).map(Project.absolute) {
      var found = stat()
      if stat(path, &found) == 0, found.st_mode & 0o077 != 0 {
        warnings.append("\"\(path)\" can be read by others; chmod 600 keeps what it holds a secret")
      }
    }
    if target == .systemd {
      // The sandbox keeps the service from making it.
      let repository = project.path(project.configuration.backupRepository)
      if access(repository, F_OK) != 0 {
        warnings.append(
          "the directory \"\(repository)\" has to be there before the service can write backups")
      }
      if case .configured(let settings, _) = choice, settings["host"]?.hasPrefix("/tmp") == true {
        warnings.append(
          "the service has a /tmp of its own, in which the server's socket is not; use a host name")
      }
    }
    if let path = try? Self.executable(), path.contains("/.build/") || path.hasPrefix("/tmp/") {
      warnings.append("the entry calls \(path), which the next build or clean-up may take away")
    }
    return warnings
  }

  /// The running executable, without symbolic links.
  static func executable() throws(MaintenanceError) -> String {
    #if os(Linux)
      let path = "/proc/self/exe"
    #else
      let path = CommandLine.arguments.first ?? ""
    #endif
    guard let resolved = realpath(path, nil) else {
      throw MaintenanceError(
        .failed, "the path of the running tsdb cannot be found", hint: "call it by its absolute path")
    }
    defer { free(resolved) }
    return String(cString: resolved)
  }

  static var hostName: String {
    var name = [CChar](repeating: 0, count: 256)
    guard gethostname(&name, name.count - 1) == 0 else { return "" }
    return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  static var userName: String {
    guard let entry = getpwuid(geteuid()), let name = entry.pointee.pw_name else { return "\(geteuid())" }
    return String(cString: name)
  }
}
