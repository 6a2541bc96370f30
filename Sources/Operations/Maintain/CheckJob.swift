import Maintenance
import Timekeeping

/// The checks as a job: a run fails when the state is critical.
struct CheckJob: JobBody {
  let access: DatabaseAccess

  func run(_ context: JobContext) async throws -> JobResult {
    // Its own runs and those of others are looked at like everything else; a run that is under way is no finding.
    let report = await (try CheckOperation()).run(
      project: access.project, settings: access.settings, now: context.now)
    var result = JobResult(.ok)
    let findings = report.findings.filter { $0.status != .ok }
    for finding in findings {
      let object = JobObject(finding.check, finding.status.word.lowercased(), detail: finding.summary)
      result.objects.append(object)
      context.report(.finished(object))
    }
    let criticals = findings.filter { $0.status == .critical }
    if let first = criticals.first {
      let more = criticals.count > 1 ? ", and \(criticals.count - 1) more" : ""
      result.outcome = .failed
      result.reason = "\(first.check): \(first.summary)\(more)"
      result.hint = "run \"tsdb check\" to see all findings and their remedies"
    } else if !findings.isEmpty {
      result.reason = findings.map { "\($0.check): \($0.summary)" }.joined(separator: "; ")
    }
    return result
  }
}
