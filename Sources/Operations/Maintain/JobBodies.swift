import Maintenance
import Migrations
import SQLSyntax

/// The work of each kind of job.
struct JobBodies: Sendable {
  let access: DatabaseAccess
  /// Of this process; commands get it.
  var environment: [String: String] = [:]

  /// - Throws: ``MaintenanceError`` for a file that cannot be read or holds what a job cannot run.
  func body(of work: JobWork) throws -> any JobBody {
    switch work {
    case .refreshViews(let selection): RefreshViewsJob(selection)
    case .retention(let rules): BackedRetentionJob(rules: rules, access: access)
    case .partitions(let rules): PartitionsJob(rules)
    case .vacuum(let selection, let analyze): VacuumJob(selection, analyze: analyze)
    case .analyze(let selection): AnalyzeJob(selection)
    case .indexes(let rule): IndexesJob(rule)
    case .backup(let rule): BackupJob(rule: rule, access: access)
    case .check: CheckJob(access: access)
    case .sql(let path): SQLFileJob(path: path, statements: try statements(of: path))
    case .command(let arguments):
      CommandJob(arguments, directory: access.project.root, environment: environment)
    }
  }

  /// The same, but what cannot be read is a run that fails: the other jobs go on, and the failure is recorded.
  func runnable(_ work: JobWork) -> any JobBody {
    do {
      return try body(of: work)
    } catch {
      return UnreadableJob(error: error)
    }
  }

  func statements(of path: String) throws(MaintenanceError) -> [SQLFileStatement] {
    guard let bytes = try? SQLFiles.read(path, root: access.project.root) else {
      throw MaintenanceError(
        .invalidInput, "the file \"\(path)\" of a job cannot be read", detail: "Nothing was run.",
        hint: "check maintain.jobs in tsdb.yaml; the path is relative to the project's directory")
    }
    let script: SQLScript
    do throws(SQLSyntaxError) {
      script = try SQLScript.parse(SourceText(utf8: bytes))
    } catch {
      throw MaintenanceError(
        .invalidInput, "\(path):\(error.position.line):\(error.position.column): \(error.message)",
        detail: "Nothing was run.")
    }
    if let control = script.innerTransactionControl.first {
      throw MaintenanceError(
        .invalidInput,
        "\(path):\(control.start.line):\(control.start.column): \(control.commandTag.lowercased()) cannot stand in a job",
        detail: "Nothing was run.",
        hint:
          "each statement is a transaction of its own; put what belongs together into a function or a do block"
      )
    }
    return script.statementsWithoutOuterTransaction.map {
      SQLFileStatement(text: $0.text, line: $0.start.line, isConcurrent: $0.cannotRunInTransaction != nil)
    }
  }
}

/// Stands for a job whose work cannot be found out.
private struct UnreadableJob: JobBody {
  let error: any Error

  func run(_: JobContext) async throws -> JobResult { throw error }
}
