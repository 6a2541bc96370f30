#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The environment variables the private server looks at, as values.
public struct ServerEnvironment: Sendable, Equatable {
  /// `TSDB_PG_BINDIR`: the one directory to take the server binaries from.
  public var binaryDirectory: String?
  /// `PATH`.
  public var path: String?
  /// `HOME`, for a Nix profile.
  public var home: String?
  /// `LD_LIBRARY_PATH`, which unpacked binaries may need; passed on to the server.
  public var libraryPath: String?

  public init(
    binaryDirectory: String? = nil, path: String? = nil, home: String? = nil, libraryPath: String? = nil
  ) {
    self.binaryDirectory = binaryDirectory
    self.path = path
    self.home = home
    self.libraryPath = libraryPath
  }

  /// The variables of this process.
  public static var current: ServerEnvironment {
    ServerEnvironment(
      binaryDirectory: variable("TSDB_PG_BINDIR"), path: variable("PATH"), home: variable("HOME"),
      libraryPath: variable("LD_LIBRARY_PATH"))
  }

  private static func variable(_ name: String) -> String? {
    guard let value = getenv(name) else { return nil }
    let text = String(cString: value)
    return text.isEmpty ? nil : text
  }

  /// What a server process gets: nothing of the caller's session, above all no `PG…` variable.
  var forServer: [String] {
    var variables = [
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "TZ=UTC",
    ]
    if let libraryPath { variables.append("LD_LIBRARY_PATH=\(libraryPath)") }
    return variables
  }
}
