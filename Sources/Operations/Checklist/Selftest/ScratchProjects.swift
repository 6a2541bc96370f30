import Checklists
import FoundationEssentials
import Maintenance
import Migrations
import Postgres
import SystemPackage

/// Projects with a database each, made from a template and thrown away.
///
/// One at a time: all databases have one name, since a backup is known by the name of its database.
struct ScratchProjects: Sendable {
  /// What is in it is the caller's to remove.
  let directory: FilePath
  /// Of the throwaway server.
  let server: Postgres.ConnectionSettings

  private static let name = "tsdb_selftest"
  private static let templateName = "tsdb_selftest_template"
  private static let migrations = "migrations"
  private static let seeds = "seeds"
  private static let backups = "backups"

  private var template: String { directory.appending("template").string }
  private var project: String { directory.appending("project").string }

  private func settings(_ database: String) -> Postgres.ConnectionSettings {
    var settings = server
    settings["dbname"] = database
    settings["target_session_attrs"] = "any"
    return settings
  }

  private func access(
    _ project: Project, _ settings: Postgres.ConnectionSettings
  ) -> DatabaseAccess {
    DatabaseAccess(project: project, settings: settings, options: project.configuration.runOptions)
  }

  // MARK: - The template

  /// Does what a deployment does: migrations, seeds, and all jobs of maintenance once by a scheduler, of which one takes
  /// a backup and proves it.
  ///
  /// - Returns: the configuration of the scratch projects.
  /// - Throws: what the operations throw, and ``ChecklistError`` when a job fails.
  func makeTemplate(
    of original: Project, report: (ChecklistSelftest.Event) -> Void
  ) async throws -> ProjectConfiguration {
    let project = try copy(original)
    try await execute("create database \(Self.name) template template0")
    let access = access(project, settings(Self.name))
    report(.preparing("applying the migrations"))
    _ = try await MigrateUp().run(access)
    _ = try await Seed().run(access)
    report(.preparing("taking a backup, and restoring it on trial"))
    let maintained = try await MaintainRun(names: [], environment: ["TSDB_TRIGGER": "cron"]).run(access) {
      _ in
    }
    if let failed = maintained.runs.first(where: { $0.outcome != .ok }) {
      throw ChecklistError(
        .failed, "the job \"\(failed.job)\" does not run on the scratch database",
        detail: failed.reason.map { "\($0)." }, hint: failed.hint)
    }
    try await execute("alter database \(Self.name) rename to \(Self.templateName)")
    return project.configuration
  }

  /// Migrations and seeds of the project, and what its configuration says of them; all else is as by default, since
  /// repositories, addresses to ping and commands of the project are not to be touched.
  private func copy(_ original: Project) throws -> Project {
    var configuration = ProjectConfiguration()
    configuration.order = original.configuration.order
    configuration.ignoredDrift = original.configuration.ignoredDrift
    configuration.migrationDirectories = try copy(
      original.configuration.migrationDirectories, of: original, as: Self.migrations)
    configuration.seedDirectories = try copy(
      original.configuration.seedDirectories, of: original, as: Self.seeds)
    configuration.backupRepository = Self.backups
    return Project(root: template, configuration: configuration)
  }

  /// Copies what SQL files say, since a link would let the scratch project's defects reach the project's own files.
  ///
  /// - Returns: the names of the copies.
  private func copy(_ directories: [String], of project: Project, as name: String) throws -> [String] {
    let files = FileManager.default
    var names: [String] = []
    for directory in directories where files.fileExists(atPath: project.path(directory)) {
      let copy = "\(template)/\(names.isEmpty ? name : "\(name)-\(names.count + 1)")"
      try files.createDirectory(atPath: copy, withIntermediateDirectories: true)
      for path in try SQLFiles.paths(below: directory, root: project.root) {
        let target = copy + "/" + path.dropFirst(directory.count)
        let parent = target[..<(target.lastIndex(of: "/") ?? target.endIndex)]
        try files.createDirectory(atPath: String(parent), withIntermediateDirectories: true)
        try Data(try SQLFiles.read(path, root: project.root)).write(to: URL(filePath: target))
      }
      names.append(String(copy.dropFirst(template.count + 1)))
    }
    return names
  }

  private func execute(_ statement: String) async throws {
    let session = Session(settings("postgres"), applicationName: "tsdb selftest")
    do {
      try await session.run { _ = try $0.execute(statement) }
      await session.close()
    } catch {
      await session.close()
      throw error
    }
  }
}

extension ScratchProjects {
  // MARK: - One of them

  /// - Precondition: the one before was dropped.
  func make(_ kind: ScratchDatabase.Kind, configuration: ProjectConfiguration) async throws -> ScratchDatabase
  {
    try copyTemplate(withBackups: kind != .empty)
    switch kind {
    case .application: try await execute("create database \(Self.name) template \(Self.templateName)")
    case .empty: try await execute("create database \(Self.name) template template0")
    case .unreachable: break
    }
    let project = Project(root: project, configuration: configuration)
    return ScratchDatabase(
      settings: kind == .unreachable ? ScratchDatabase.nowhere : settings(Self.name),
      ask: { await ProbeRegistry.ask($0, $1, in: access(project, $1.settings)) },
      change: { try $0.forEach { try ScratchFiles(root: project.root).apply($0) } },
      drop: {
        _ = try? await execute("drop database if exists \(Self.name) with (force)")
        try? FileManager.default.removeItem(atPath: project.root)
      })
  }

  private func copyTemplate(withBackups: Bool) throws {
    let files = FileManager.default
    try? files.removeItem(atPath: project)
    try files.createDirectory(atPath: project, withIntermediateDirectories: true)
    for name in try files.contentsOfDirectory(atPath: template) where !name.hasPrefix(".") {
      if name == Self.backups, !withBackups { continue }
      try files.copyItem(atPath: "\(template)/\(name)", toPath: "\(project)/\(name)")
    }
  }
}

/// The files of a scratch project.
private struct ScratchFiles {
  let root: String

  /// - Throws: ``ChecklistError`` where a pattern matches nothing, since then nothing is broken.
  func apply(_ change: ScratchChange) throws {
    switch change {
    case .remove(let path):
      for path in try matches(path) { try FileManager.default.removeItem(atPath: path) }
    case .write(let path, let text):
      for path in try matches(path) { try Data(text.utf8).write(to: URL(filePath: path)) }
    }
  }

  private func matches(_ pattern: String) throws -> [String] {
    var paths = [root]
    for component in pattern.split(separator: "/") {
      guard let star = component.firstIndex(of: "*") else {
        paths = paths.map { "\($0)/\(component)" }
        continue
      }
      let suffix = component[component.index(after: star)...]
      paths = try paths.flatMap { directory in
        try FileManager.default.contentsOfDirectory(atPath: directory)
          .filter { !$0.hasPrefix(".") && $0.hasSuffix(suffix) }.sorted().map { "\(directory)/\($0)" }
      }
    }
    guard !paths.isEmpty else {
      throw ChecklistError(.failed, "there is nothing to break at \"\(pattern)\"")
    }
    return paths
  }
}
