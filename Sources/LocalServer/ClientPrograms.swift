import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// An installed client program of PostgreSQL, such as `pg_dump`.
public struct ClientProgram: Sendable, Hashable {
  public let path: FilePath
  public let version: ServerVersion
}

extension InstallationSearch {
  /// Every `name` found, in order of preference: `TSDB_PG_BINDIR` alone when it is set and has one, else
  /// the usual places by version, then `PATH`. Runs `name --version` once for each.
  ///
  /// Debian's wrappers of the same name, which look for a cluster of their own, are left out.
  public func clientPrograms(named name: String) -> [ClientProgram] {
    var directories: [FilePath] = []
    if let explicit = environment.binaryDirectory { directories.append(FilePath(explicit)) }
    if directories.isEmpty || !Self.isExecutable(directories[0].appending(name)) {
      directories = Self.candidates(environment: environment, subdirectories: Self.subdirectories)
    }
    var seen: Set<FilePath> = []
    var found: [ClientProgram] = []
    for directory in directories {
      let path = directory.appending(name)
      guard Self.isExecutable(path), let real = PrivateFiles.realPath(path),
        real.lastComponent?.string == name, seen.insert(real).inserted
      else { continue }
      let command = ServerCommand(
        executable: real, arguments: ["--version"], environment: environment.forServer)
      guard let result = try? command.run(), result.exitStatus == 0,
        let version = ServerVersion(programOutput: result.output)
      else { continue }
      found.append(ClientProgram(path: real, version: version))
    }
    return found
  }

  /// The program to use on a server: of its own major version, newest minor first, else of the nearest
  /// newer one; nil when there is none, because an older one refuses a newer server.
  public static func choose(among programs: [ClientProgram], serverMajor: Int) -> ClientProgram? {
    programs.filter { $0.version.major >= serverMajor }
      .min { a, b in
        if a.version.major != b.version.major { return a.version.major < b.version.major }
        return a.version > b.version
      }
  }

  /// What a client program gets besides its own: the path, the library path, a fixed locale.
  public var programEnvironment: [String] { environment.forServer }
}
