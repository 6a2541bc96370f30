import Deployments
import Operations
import SystemPackage

extension DeployCommand {
  /// What goes back by itself after a failed step; called while the deployments are locked.
  func rollback(_ invocation: Invocation, _ access: DatabaseAccess) -> Deploy.Rollback {
    let progress = RollbackProgress(invocation)
    return { record in
      var rollback = Rollback()
      rollback.cause = "automatic"
      rollback.environment = Invocation.environment
      rollback.checklist = checklist ?? access.project.deploymentChecklist
      rollback.writePage = DeploymentPage(invocation, access, language: lang).write
      return try await rollback.run(
        record, access, store: DeploymentStore(project: access.project), report: progress.report)
    }
  }

  func reportWriter(_ invocation: Invocation, _ access: DatabaseAccess) -> Deploy.ReportWriter {
    let page = DeploymentPage(invocation, access, language: lang)
    return { try await page.write(to: $0) }
  }
}

extension Project {
  /// What `deploy.checklist` names.
  var deploymentChecklist: String? { configuration.deploy.checklist.map(path) }
}

/// The page of a deployment, beside its record.
struct DeploymentPage: Sendable {
  private let access: DatabaseAccess
  private let language: ReportLanguage

  /// - Parameter language: `es` or `en`; nil for the configured one.
  init(_ invocation: Invocation, _ access: DatabaseAccess, language: String? = nil) {
    self.access = access
    self.language =
      ReportLanguage(rawValue: language ?? access.project.configuration.deploy.reportLanguage) ?? .en
  }

  /// Writes it into the record's directory.
  var write: @Sendable (DeploymentRecord) async throws -> Void {
    { record in
      let directory = DeploymentStore(project: access.project).directory(of: record)
      try await write(to: directory.appending("report.html"))
    }
  }

  func write(to path: FilePath) async throws {
    let facts = try await Report(environment: Invocation.environment).run(
      project: access.project, settings: access.settings)
    try ReportFile.write(ReportPage.html(facts, language: language), to: path.string, isPrivate: true)
  }
}
