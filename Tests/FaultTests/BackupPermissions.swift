import Foundation
import TestSupport
import Testing

extension Faults {
  /// Repositories that may not be written or read.
  @Suite(.serialized, .enabled(if: geteuid() == 0)) struct `Denied permissions` {
    /// An account with no rights, and the tool where that account may run it.
    private struct Stranger: Sendable {
      static let id: UInt32 = 65534
      let home: TemporaryDirectory
      let tool: String

      static let shared = Task { () throws -> Stranger in
        let home = try TemporaryDirectory()
        let tool = home.path("tsdb")
        try FileManager.default.copyItem(atPath: try ToolRun.toolPath(), toPath: tool)
        return Stranger(home: home, tool: tool)
      }

      /// Runs `tsdb` as the stranger.
      func run(_ arguments: [String], in project: TemporaryDirectory, url: String) async throws
        -> ToolRun.Result
      {
        let environment = ["DATABASE_URL": url, "HOME": project.path, "LC_ALL": "C.UTF-8"]
          .merging(ToolRun.searchPaths) { $1 }
        return try await ToolRun(
          executable: "setpriv",
          ["--reuid", "\(Self.id)", "--regid", "\(Self.id)", "--clear-groups", tool, "-C", project.path]
            + arguments, environment: environment, directory: project.path
        ).finish()
      }

      static func give(_ path: String) { chown(path, id, id) }
    }

    enum Place: String, CaseIterable, Sendable {
      case repositoryNotWritable, parentNotWritable, repositoryNotSearchable, repositoryIsFile
      case leftoverOfAnother
    }

    @Test(arguments: Place.allCases)
    func `a backup that may not be written says where, and leaves nothing`(place: Place) async throws {
      let source = try await BackupSource.on(try await PostgresCluster.shared)
      let stranger = try await Stranger.shared.value
      let project = try TemporaryDirectory()
      let parent = project.path("store")
      let path = parent + "/backups"
      let files = FileManager.default
      try files.createDirectory(atPath: parent, withIntermediateDirectories: false)
      if place == .repositoryIsFile {
        try project.write("store/backups", "no directory")
      } else if place != .parentNotWritable {
        try files.createDirectory(atPath: path, withIntermediateDirectories: false)
      }
      switch place {
      case .repositoryNotWritable: chmod(path, 0o755)
      case .repositoryNotSearchable: chmod(path, 0o700)
      case .parentNotWritable, .repositoryIsFile: break
      case .leftoverOfAnother:
        Stranger.give(path)
        try project.write("store/backups/20260102T030405Z-x.partial/1.dat.gz", "x")
        chmod(path + "/20260102T030405Z-x.partial", 0o700)
      }
      let before = contents(of: project)
      let command = BackupTaken.command + ["--to", path]
      let result = try await stranger.run(command, in: project, url: source.database.url)
      #expect(result.exitStatus == (place == .repositoryIsFile ? 64 : 1), "\(result)")
      let named = place == .leftoverOfAnother ? "20260102T030405Z-x.partial" : path
      #expect(result.standardError.contains(named), "\(result)")
      let reason = place == .repositoryIsFile ? "not a directory" : "permission denied"
      #expect(result.standardError.contains(reason), "\(result)")
      #expect(result.standardError.contains("hint") || place == .repositoryIsFile, "\(result)")
      #expect(contents(of: project) == before)
      // With the right to do it the same command works.
      if place == .repositoryIsFile { try files.removeItem(atPath: path) }
      for owned in [parent, path, path + "/20260102T030405Z-x.partial"] { Stranger.give(owned) }
      let again = try await stranger.run(command, in: project, url: source.database.url)
      #expect(again.exitStatus == 0, "\(again)")
      let repository = FaultRepository(at: path, in: project, cluster: source.database.cluster)
      #expect(repository.backups.count == 1 && repository.leftovers.isEmpty)
      if place == .leftoverOfAnother { #expect(again.standardError.contains(named), "\(again)") }
      try await repository.expectWholeBackups(of: source, url: source.database.url)
    }

    /// All but locks, which are files that stay.
    private func contents(of project: TemporaryDirectory) -> [String] {
      (FileManager.default.subpaths(atPath: project.path) ?? []).filter { !$0.hasSuffix(".lock") }.sorted()
    }

    @Test func `a file of a backup that may not be read is named, and nothing is restored`() async throws {
      let source = try await BackupSource.on(try await PostgresCluster.shared)
      let stranger = try await Stranger.shared.value
      let project = try TemporaryDirectory()
      let path = project.path("backups/copied")
      try await PreparedBackup.of(source).copy(to: path)
      let files = FileManager.default
      for name in [".", "backups"] + (files.subpaths(atPath: project.path) ?? []) {
        Stranger.give(project.path(name))
      }
      let data = try #require(
        files.contentsOfDirectory(atPath: path).filter { $0.hasSuffix(".dat.gz") }.sorted().first)
      for name in [data, "toc.dat", "manifest.json"] {
        chmod("\(path)/\(name)", 0)
        let verify = try await stranger.run(
          ["backup", "verify", "copied"], in: project, url: source.database.url)
        #expect([1, 2].contains(verify.exitStatus), "\(name): \(verify)")
        #expect((verify.standardOutput + verify.standardError).contains(name), "\(verify)")
        #expect((verify.standardOutput + verify.standardError).contains("ermission denied"), "\(verify)")
        let restore = try await stranger.run(
          ["restore", path, "--into", "fault_denied"], in: project, url: source.database.url)
        #expect(restore.exitStatus == 1, "\(name): \(restore)")
        #expect(restore.standardError.contains(name), "\(restore)")
        let made = try await source.database.cluster.value(
          "select count(*) from pg_database where datname in ('fault_denied') or datname like 'tsdb_unfin%'")
        #expect(made == "0")
        chmod("\(path)/\(name)", 0o600)
      }
      let verify = try await stranger.run(
        ["backup", "verify", "copied"], in: project, url: source.database.url)
      #expect(verify.exitStatus == 0, "\(verify)")
    }

    @Test(.enabled(if: SmallDisk.isPossible))
    func `what is mounted read-only is verified and not written`() async throws {
      let source = try await BackupSource.on(try await PostgresCluster.shared)
      let project = try TemporaryDirectory()
      try await PreparedBackup.of(source).copy(to: project.path("original/copied"))
      let view = try ReadOnlyView(of: project.path("original"))
      let before = FileManager.default.subpaths(atPath: view.path)
      let url = source.database.url
      let verify = try await run(
        ["backup", "verify", "copied", "--repository", view.path], in: project, url: url)
      #expect(verify.exitStatus == 0, "\(verify)")
      #expect(verify.standardError.contains("not recorded"), "\(verify)")
      let backup = try await run(BackupTaken.command + ["--to", view.path], in: project, url: url)
      #expect(backup.exitStatus == 1, "\(backup)")
      #expect(backup.standardError.contains("read-only"), "\(backup)")
      #expect(FileManager.default.subpaths(atPath: view.path) == before)
    }
  }
}
