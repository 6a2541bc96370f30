import ArgumentParser
import Operations
import Postgres

/// Which repository a command works on.
struct RepositoryOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The repository's directory.", discussion: "Else backup.repository.", valueName: "directory"))
  var repository: String?

  @Option(help: ArgumentHelp("Only backups of this database.", valueName: "name"))
  var database: String?
}

extension Invocation {
  /// The repository that the options, the environment and the project name. Connects to nothing, and starts no
  /// private server: a repository is all that is needed.
  func repository(_ repository: RepositoryOptions) throws -> RepositoryAccess {
    let project = try project()
    let choice = try ConnectionChoice(
      flag: options.databaseURL, environment: Self.environment, project: project)
    let path =
      repository.repository.map(Project.absolute) ?? project.path(project.configuration.backupRepository)
    let progress = progress
    return RepositoryAccess(
      project: project, path: path, isNamed: repository.repository != nil, settings: settings(choice)
    ) {
      progress.warning($0, detail: $1, hint: $2)
    }
  }
}

/// Of a configured database, with its name where libpq would take it from the environment.
private func settings(_ choice: ConnectionChoice) -> ConnectionSettings? {
  guard case .configured(var settings, _) = choice else { return nil }
  if settings["dbname"] == nil { settings["dbname"] = Invocation.environment["PGDATABASE"] }
  return settings
}
