import SystemPackage

/// One set of installed PostgreSQL server binaries.
public struct ServerInstallation: Sendable, Hashable {
  /// The directory that holds `initdb`, `postgres` and `pg_ctl`, without symbolic links.
  public let binaryDirectory: FilePath
  public let version: ServerVersion

  public init(binaryDirectory: FilePath, version: ServerVersion) {
    self.binaryDirectory = binaryDirectory
    self.version = version
  }

  /// The programs without which a directory is not an installation.
  static let requiredPrograms = ["initdb", "postgres", "pg_ctl"]

  /// The oldest major version a new cluster is made with: the oldest that tsdb works on.
  public static let oldestMajor = 14

  func program(_ name: String) -> FilePath { binaryDirectory.appending(name) }
}

extension ServerInstallation {
  /// The installation to use: the one of the cluster's own major version (newest minor first), or
  /// for a new cluster the newest release. Of equals the first wins, so the order of
  /// `installations` expresses a preference.
  ///
  /// - Parameter clusterMajor: what the cluster's `PG_VERSION` says; nil when there is no cluster.
  /// - Throws: `.noInstallation`, or `.clusterVersion` naming both versions.
  public static func choose(
    among installations: [ServerInstallation], clusterMajor: Int?
  ) throws(LocalServerError) -> ServerInstallation {
    guard let clusterMajor else {
      let usable = installations.filter { $0.version.major >= oldestMajor }
      guard let newest = newest(of: usable) else { throw nothingUsable(installations) }
      return newest
    }
    if let same = newest(of: installations.filter { $0.version.major == clusterMajor }) { return same }
    let found = Set(installations.map(\.version.major)).sorted().map(String.init)
    throw LocalServerError(
      .clusterVersion,
      "the cluster was made by PostgreSQL \(clusterMajor), which is not installed",
      detail: found.isEmpty
        ? "No PostgreSQL server is installed."
        : "Installed is PostgreSQL \(found.joined(separator: ", ")).",
      hint: "install PostgreSQL \(clusterMajor) (Debian: apt-get install postgresql-\(clusterMajor)), "
        + "or set TSDB_PG_BINDIR to its bin directory")
  }

  /// The installation to restore data of a server of `major` on: one of the same major version, else of
  /// the nearest newer one, newest minor first; nil when there is none, because an older server may not
  /// know all that is in the data.
  public static func choose(
    among installations: [ServerInstallation], forDataOf major: Int
  ) -> ServerInstallation? {
    let usable = installations.filter { $0.version.major >= max(major, oldestMajor) }
    let released = usable.filter(\.version.preRelease.isEmpty)
    guard let nearest = (released.isEmpty ? usable : released).map(\.version.major).min() else { return nil }
    return newest(of: usable.filter { $0.version.major == nearest })
  }

  private static func newest(of installations: [ServerInstallation]) -> ServerInstallation? {
    // max(by:) returns the last of equals; the first is wanted.
    installations.reduce(nil as ServerInstallation?) { best, next in
      guard let best else { return next }
      return best.version < next.version ? next : best
    }
  }

  private static func nothingUsable(_ installations: [ServerInstallation]) -> LocalServerError {
    let tooOld = installations.map { "PostgreSQL \($0.version) in \"\($0.binaryDirectory)\"" }
    return LocalServerError(
      .noInstallation, "no PostgreSQL server is installed",
      detail: tooOld.isEmpty
        ? "initdb, postgres and pg_ctl were looked for in PATH and in the usual places."
        : "Found only \(tooOld.joined(separator: ", ")); \(oldestMajor) is the oldest that can be used.",
      hint: "install it (Debian: apt-get install postgresql), "
        + "or set TSDB_PG_BINDIR to the directory that holds initdb")
  }
}
