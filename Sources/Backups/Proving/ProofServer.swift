import Archive
import Postgres

/// What a throwaway server needs before a backup can be restored on it.
struct ProofServer: Sendable, Equatable {
  /// Statements, each to be run by itself as a superuser.
  let statements: [String]

  /// Owners of such objects must be superusers.
  private static let superuserOwned: Set = ["EVENT TRIGGER", "FOREIGN DATA WRAPPER", "SUBSCRIPTION"]

  /// - Parameter roles: that are there already.
  init(_ manifest: BackupManifest, _ toc: TableOfContents, roles present: Set<String>) {
    let wanted = Set(
      manifest.roles + [manifest.server.database.owner] + manifest.server.database.roleSettings.keys)
    let superusers = Set(
      toc.entries.filter { Self.superuserOwned.contains($0.kind) }.compactMap(\.owner)
        .map { String(decoding: $0, as: UTF8.self) })
    // Names that begin with pg_ are the server's own, and newer servers have more of them.
    let roles = wanted.subtracting(present).filter { !$0.isEmpty && $0 != "public" && !$0.hasPrefix("pg_") }
    let tablespaces = Set(manifest.tablespaces + [manifest.server.database.tablespace])
      .filter { !$0.isEmpty && !$0.hasPrefix("pg_") }
    // Inside the data directory, whatever disk they were on.
    let places = tablespaces.sorted().map { "create tablespace \(Quoting.identifier($0)) location ''" }
    statements =
      roles.sorted().map {
        "create role \(Quoting.identifier($0)) nologin\(superusers.contains($0) ? " superuser" : "")"
      } + (places.isEmpty ? [] : ["set allow_in_place_tablespaces to on"] + places)
  }

  /// Bytes that a restore of the backup takes: the database as it was, its write-ahead log, and the cluster.
  static func space(for manifest: BackupManifest) -> Int64 {
    let size = manifest.server.database.size
    return size + min(size, 2 << 30) + 64 << 20
  }
}
