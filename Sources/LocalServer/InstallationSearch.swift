import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Finds the PostgreSQL server binaries of this machine.
public struct InstallationSearch: Sendable {
  let environment: ServerEnvironment

  public init(environment: ServerEnvironment = .current) {
    self.environment = environment
  }

  /// Every installation found, in order of preference: `TSDB_PG_BINDIR` alone when it is set,
  /// else `PATH`, then the usual places. Runs `postgres --version` once for each.
  ///
  /// - Throws: `.invalidBinaryDirectory` when `TSDB_PG_BINDIR` is set and unusable. A directory
  ///   found otherwise whose `postgres` does not run is left out.
  public func installations() throws(LocalServerError) -> [ServerInstallation] {
    if let explicit = environment.binaryDirectory {
      return [try explicitInstallation(FilePath(explicit))]
    }
    var seen: Set<FilePath> = []
    var found: [ServerInstallation] = []
    for directory in Self.candidates(environment: environment, subdirectories: Self.subdirectories) {
      guard let real = Self.realBinaryDirectory(directory), seen.insert(real).inserted,
        let version = version(in: real)
      else { continue }
      found.append(ServerInstallation(binaryDirectory: real, version: version))
    }
    return found
  }

  private func explicitInstallation(_ directory: FilePath) throws(LocalServerError) -> ServerInstallation {
    let hint = "set TSDB_PG_BINDIR to the directory that \"pg_config --bindir\" prints, or unset it"
    let missing = ServerInstallation.requiredPrograms.filter {
      access(directory.appending($0).string, X_OK) != 0
    }
    guard directory.isAbsolute, missing.isEmpty, let real = Self.realBinaryDirectory(directory) else {
      throw LocalServerError(
        .invalidBinaryDirectory, "TSDB_PG_BINDIR is not a directory of PostgreSQL server binaries",
        detail: directory.isAbsolute
          ? "\"\(directory)\" has no \(missing.joined(separator: ", no "))."
          : "\"\(directory)\" is not an absolute path.", hint: hint)
    }
    guard let version = version(in: real) else {
      throw LocalServerError(
        .invalidBinaryDirectory, "the server binary that TSDB_PG_BINDIR names does not run",
        detail: "\"\(real.appending("postgres")) --version\" printed no PostgreSQL version.", hint: hint)
    }
    return ServerInstallation(binaryDirectory: real, version: version)
  }

  private func version(in directory: FilePath) -> ServerVersion? {
    let command = ServerCommand(
      executable: directory.appending("postgres"), arguments: ["--version"],
      environment: environment.forServer)
    guard let result = try? command.run(), result.exitStatus == 0 else { return nil }
    return ServerVersion(programOutput: result.output)
  }

  /// The directories to look in, most preferred first; they need not exist.
  ///
  /// - Parameter subdirectories: the names of the directories in a directory.
  static func candidates(
    environment: ServerEnvironment, subdirectories: (FilePath) -> [String]
  ) -> [FilePath] {
    // An empty or relative entry of PATH means the current directory, which is nobody's installation.
    var directories = (environment.path ?? "").split(separator: ":").map { FilePath(String($0)) }
      .filter(\.isAbsolute)
    for place in versionedPlaces {
      let names = subdirectories(place.parent).filter { $0.hasPrefix(place.prefix) }.sorted()
      directories += names.map { place.parent.appending($0).appending(place.rest.components) }
    }
    directories += fixedPlaces.map { FilePath($0) }
    if let home = environment.home { directories.append(FilePath(home).appending(".nix-profile/bin")) }
    return directories
  }

  /// `parent/prefix*/rest`, for packages that install several majors side by side.
  private static let versionedPlaces: [(parent: FilePath, prefix: String, rest: FilePath)] = [
    ("/usr/lib/postgresql", "", "bin"),  // Debian, Ubuntu
    ("/usr/lib/postgresql", "", "bin64"),  // Gentoo
    ("/usr", "pgsql-", "bin"),  // PGDG packages for Red Hat
    ("/usr/libexec", "postgresql", ""),  // Alpine
    ("/opt/homebrew/opt", "postgresql@", "bin"),
    ("/usr/local/opt", "postgresql@", "bin"),
    ("/opt/local/lib", "postgresql", "bin"),  // MacPorts
    ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
    ("/Library/PostgreSQL", "", "bin"),  // the EDB installer on macOS
    ("/opt/PostgreSQL", "", "bin"),  // the EDB installer on Linux
  ]

  private static let fixedPlaces = [
    "/usr/local/pgsql/bin", "/usr/bin", "/usr/local/bin", "/run/current-system/sw/bin",
    "/nix/var/nix/profiles/default/bin",
  ]

  static func isExecutable(_ file: FilePath) -> Bool { access(file.string, X_OK) == 0 }

  static func subdirectories(of parent: FilePath) -> [String] {
    (try? PrivateFiles.names(in: parent)) ?? []
  }

  /// The directory where the programs really are, or nil when one is missing. A `postgres` linked
  /// from `/usr/local/bin` leads to its package, so that one installation is listed once.
  private static func realBinaryDirectory(_ directory: FilePath) -> FilePath? {
    guard let postgres = PrivateFiles.realPath(directory.appending("postgres")) else { return nil }
    let real = postgres.removingLastComponent()
    let complete = ServerInstallation.requiredPrograms.allSatisfy {
      access(real.appending($0).string, X_OK) == 0
    }
    return complete ? real : nil
  }
}
