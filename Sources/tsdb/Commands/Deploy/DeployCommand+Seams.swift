import Deployments
import Operations

extension DeployCommand {
  /// How the deployment goes back by itself.
  func rollback(_ invocation: Invocation, _ access: DatabaseAccess) throws -> Deploy.Rollback {
    throw DeploymentError(
      .invalidInput, "this tsdb cannot go back by itself", detail: "Nothing was done.",
      hint: "leave out --auto-rollback")
  }

  /// What writes the report of the database; nil where there is none.
  func reportWriter(_ invocation: Invocation, _ access: DatabaseAccess) -> Deploy.ReportWriter? { nil }
}
