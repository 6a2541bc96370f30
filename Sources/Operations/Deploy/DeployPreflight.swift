import Backups
import Checklists
import Deployments
import LocalServer
import Maintenance
import Migrations
import Postgres
import SystemPackage
import Timekeeping

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Whether everything can go on; looks at all there is to look at and changes nothing.
struct DeployPreflight: Sendable {
  struct Problem: Sendable, Encodable {
    let problem: String
    let remedy: String?
  }

  /// What was found.
  struct Findings: Sendable {
    /// What has to be mended first.
    var problems: [Problem] = []
    /// What a person should know.
    var notes: [String] = []
    /// Migrations that would be applied, in order.
    var pending: [String] = []
    var applied = 0
    var version = 0

    mutating func add(_ problem: String, _ remedy: String? = nil) {
      problems.append(Problem(problem: problem, remedy: remedy))
    }

    mutating func add(_ error: any Error) {
      let failure = StepFailure(error)
      let place = failure.detail.flatMap { $0.hasPrefix("At ") ? $0.split(separator: "\n").first : nil }
      add(failure.message + (place.map { " (at \($0.dropFirst(3).dropLast()))" } ?? ""), failure.hint)
    }
  }

  let deploy: Deploy
  let access: DatabaseAccess
  /// Steps that are still to be done.
  let steps: Set<DeploymentStep>

  /// - Throws: where the server cannot be reached at all.
  func run() async throws -> Findings {
    var findings = Findings()
    var migrations: MigrationDirectory?
    do throws(MigrationError) {
      migrations = try access.project.migrations()
    } catch {
      findings.add(error)
    }
    do {
      if steps.contains(.seed), Self.hasSeeds(access.project) { _ = try Seed.files(of: access.project) }
    } catch {
      findings.add(error)
    }
    do {
      findings = try await server(findings, migrations)
    } catch let error as MigrationError where error.kind != .tryAgain && error.kind != .interrupted {
      findings.add(error)
    }
    lookAtPrograms(&findings)
    lookAtChecklist(&findings)
    await lookAtSchedule(&findings)
    return findings
  }

  /// Whether the project has initial configuration: the default directory may be missing.
  static func hasSeeds(_ project: Project) -> Bool {
    let directories = project.configuration.seedDirectories
    guard directories == ProjectConfiguration().seedDirectories else { return true }
    return directories.contains { FilePath(project.path($0)).isDirectory }
  }

  // MARK: - The server

  private func server(_ before: Findings, _ migrations: MigrationDirectory?) async throws -> Findings {
    let project = access.project
    let (steps, wantsWayBack) = (steps, deploy.rollback != nil)
    return try await access.withRunner("deploy") { runner, connection in
      var findings = before
      findings.version = runner.server.versionNumber
      if let refusal = runner.server.refusalToWrite() { findings.add(refusal) }
      do { try HostClock.require(UTCTime.now, on: connection) } catch let error as MaintenanceError {
        findings.add(error)
      }
      try Self.lookAtRights(
        &findings, schema: project.configuration.historySchema, wantsWayBack: wantsWayBack, connection)
      if steps.contains(.backup) { try Self.lookAtSpace(&findings, project, connection) }
      guard let migrations else { return findings }
      do {
        try Self.lookAtMigrations(&findings, migrations, project, runner, connection)
      } catch let error as MigrationError where error.kind != .tryAgain && error.kind != .interrupted {
        findings.add(error)
      }
      return findings
    }
  }

  private static func lookAtRights(
    _ findings: inout Findings, schema: String, wantsWayBack: Bool, _ connection: borrowing Connection
  ) throws {
    let rights = try connection.query(
      """
      select pg_catalog.quote_ident(current_user), pg_catalog.quote_ident(d.datname),
        pg_catalog.has_database_privilege(d.oid, 'create')
          or pg_catalog.to_regnamespace(pg_catalog.quote_ident($1)) is not null,
        r.rolsuper or r.rolcreatedb, r.rolsuper or pg_catalog.pg_has_role(d.datdba, 'member')
      from pg_catalog.pg_database as d, pg_catalog.pg_roles as r
      where d.datname = pg_catalog.current_database() and r.rolname = current_user
      """, [schema])
    let (role, database) = (rights.text(0, 0), rights.text(0, 1))
    if !rights.isTrue(0, 2) {
      findings.add(
        "role \(role) may not create schemas in the database",
        "grant create on database \(database) to \(role);")
    }
    var missing: [(String, String)] = []
    if !rights.isTrue(0, 3) { missing.append(("may not create databases", "alter role \(role) createdb;")) }
    if !rights.isTrue(0, 4) {
      missing.append(("does not own the database", "alter database \(database) owner to \(role);"))
    }
    guard !missing.isEmpty else { return }
    let what = missing.map(\.0).joined(separator: " and ")
    let how = missing.map(\.1).joined(separator: " ")
    if wantsWayBack {
      findings.add("role \(role) \(what), so it could not go back by itself", how)
    } else {
      findings.notes.append("role \(role) \(what): tsdb rollback would need a role that can, or: \(how)")
    }
  }

  /// Compared with the last backup's size; without one, with half of the database's.
  private static func lookAtSpace(
    _ findings: inout Findings, _ project: Project, _ connection: borrowing Connection
  ) throws {
    let size = try connection.query(
      "select pg_catalog.current_database(), pg_catalog.pg_database_size(pg_catalog.current_database())")
    let path = project.path(project.configuration.backupRepository)
    guard let place = FilePath(path).nearestDirectory else { return }
    if faccessat(AT_FDCWD, place.string, W_OK, 0) != 0 {
      findings.add(
        "\"\(place)\" cannot be written to, where backups are kept",
        "let the account that runs tsdb write there, or name another place by backup.repository in tsdb.yaml")
      return
    }
    let entries =
      (try? RepositoryAccess(project: project, path: path, settings: nil).existing()?.entries()) ?? []
    let last = entries.last { $0.isUsable && $0.database == size.text(0, 0) }?.size
    let needed = last.map { $0 + $0 / 5 } ?? (size[0, 1].flatMap { Int64($0) } ?? 0) / 2
    guard let free = place.freeSpace, free < needed else { return }
    findings.add(
      "the backup takes about \(needed >> 20) MB, and \(free >> 20) MB are free in \"\(place)\"",
      "make room (tsdb backup prune), or name another place by backup.repository in tsdb.yaml")
  }

  private static func lookAtMigrations(
    _ findings: inout Findings, _ migrations: MigrationDirectory, _ project: Project,
    _ runner: MigrationRunner, _ connection: borrowing Connection
  ) throws {
    let plan = try runner.plan(for: migrations, policy: project.configuration.order, on: connection)
    findings.pending = plan.toRun.map(\.name)
    findings.applied = plan.entries.count { !$0.isToRun && $0.file != nil }
    for entry in plan.entries(.edited) {
      findings.add(
        "\"\(entry.name)\" was edited after it was applied",
        "undo the edit and put the change into a new file (tsdb migrate new NAME); or, if the database already "
          + "agrees with it: tsdb migrate accept \(entry.name)")
    }
    for entry in plan.entries(.missing) {
      findings.add(
        "\"\(entry.name)\" was applied, but its file is missing",
        "bring \(entry.name).sql back; or, if it is gone for good: tsdb migrate accept \(entry.name) --missing"
      )
    }
    for entry in plan.entries(.cosmeticEdit) {
      findings.notes.append("\"\(entry.name)\" was edited in comments or layout only")
    }
    for entry in plan.outOfOrder {
      findings.notes.append("\"\(entry.name)\" comes before files that are applied already")
    }
    if let refusal = plan.refusal() {
      if plan.entries(.edited).isEmpty, plan.entries(.missing).isEmpty { findings.add(refusal) }
    } else {
      do throws(any Error) {
        for file in try runner.dryRun(plan.toRun, plan: plan, on: connection) where file.notAnalysed > 0 {
          findings.notes.append(
            "\(counted(file.notAnalysed, "statement")) of \"\(file.name)\" could not be analysed; the server will decide"
          )
        }
      } catch let error as MigrationError where error.kind != .tryAgain && error.kind != .interrupted {
        findings.add(error)
      }
    }
    guard plan.entries(.interrupted).isEmpty, plan.entries.contains(where: { $0.history != nil }) else {
      return
    }
    let drift = MigrateVerify.Result.Drift.all(in: try runner.catalogComparison(on: connection).difference)
    for object in drift.prefix(20) {
      findings.add(
        "\(object.kind) \(object.object) is \(object.change), compared with what the migrations left",
        "see tsdb migrate verify; put it back, or take it over: tsdb migrate accept --catalog")
    }
    if drift.count > 20 {
      findings.add("and \(counted(drift.count - 20, "more object")) not as they were left")
    }
  }

  // MARK: - This machine

  private func lookAtPrograms(_ findings: inout Findings) {
    let major = findings.version / 10_000
    guard major > 0 else { return }
    if steps.contains(.backup) {
      do {
        _ = try BackupCreate.program(major: major, settings: access.settings)
      } catch {
        findings.add(error)
      }
    }
    if steps.contains(.prove), access.project.configuration.deploy.proves {
      let installations = (try? InstallationSearch().installations()) ?? []
      if ServerInstallation.choose(among: installations, forDataOf: major) == nil {
        findings.add(
          "no server of PostgreSQL \(major) or later is installed here, on which the backup could be restored on trial",
          "install it (Debian: apt-get install postgresql-\(major)), or set TSDB_PG_BINDIR to its directory; or: "
            + "--skip prove --because \"…\"")
      }
    }
  }

  private func lookAtChecklist(_ findings: inout Findings) {
    guard steps.contains(.report), let path = deploy.checklistPath(access.project) else { return }
    do {
      let document = try ChecklistFile.read(path)
      let run = ItemRun(
        probes: ProbeRegistry.all, attestations: try access.project.attestations.newest(),
        directory: access.project.root, environment: deploy.environment, redaction: Redaction())
      _ = try run.prepare(document.items, path: path)
      let known = Set(ProbeRegistry.all.map { $0.name } + ["command", "url", "attest"])
      for name in Set(document.items.compactMap { $0.call?.name }).subtracting(known).sorted() {
        findings.notes.append("the checklist names a probe \"\(name)\" that this tsdb does not have")
      }
      let unbound = document.items.count { $0.call == nil }
      if unbound > 0 {
        findings.notes.append(
          "\(unbound) of \(counted(document.items.count, "item")) of the checklist \(unbound == 1 ? "is" : "are") bound to nothing"
        )
      }
    } catch {
      findings.add(error)
    }
  }

  private func lookAtSchedule(_ findings: inout Findings) async {
    guard steps.contains(.schedule), let request = deploy.scheduleRequest(access.project) else { return }
    do {
      let result = try await ScheduleChange(.install, isDryRun: true).run(request)
      findings.notes += result.warnings
    } catch {
      findings.add(error)
    }
  }
}
