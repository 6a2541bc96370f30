import Foundation
import Postgres
import TestSupport
import Testing

/// The root of this package, where the application's own files are.
let packageRoot = URL(fileURLWithPath: #filePath)
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

/// A `tsdb.yaml` with these jobs and no others.
///
/// - Parameter more: lines of the section besides the jobs.
func maintainConfiguration(_ jobs: String, more: [String] = []) -> String {
  let defaults = ["refresh-views", "backup", "analyze", "vacuum", "indexes", "check"]
  let own = jobs.split(separator: "\n").map { "    " + $0 }
  let off = defaults.filter { name in !own.contains { $0.hasPrefix("    \(name):") } }
    .map { "    \($0): { enabled: false }" }
  return (["maintain:"] + more.map { "  " + $0 } + ["  jobs:"] + off + own).joined(separator: "\n") + "\n"
}

/// A schedule that has one slot a year: what has run is not due again during the test.
let yearly = "schedule: \"0 0 1 1 *\""

/// A database with the application's schema, and a project with only these jobs.
func withMaintained<Result: Sendable>(
  _ jobs: String, more: [String] = [], files: KeyValuePairs<String, String> = [:],
  on cluster: PostgresCluster? = nil,
  _ body: (TestProject, TestDatabase) async throws -> Result
) async throws -> Result {
  try await withProject(on: cluster) { project, database in
    try project.copyApplication()
    try await project.done("migrate up")
    // What the migrations' history needed is no matter of maintenance.
    try await database.execute("drop table if exists tsdb.job_runs")
    try project.write("tsdb.yaml", maintainConfiguration(jobs, more: more))
    for (name, text) in files { try project.write(name, text) }
    return try await body(project, database)
  }
}

extension TestProject {
  /// The application's migrations, seed and configuration.
  func copyApplication() throws {
    try FileManager.default.removeItem(atPath: directory.path("migrations"))
    for name in ["migrations", "seeds", "tsdb.yaml"] {
      try FileManager.default.copyItem(atPath: "\(packageRoot)/\(name)", toPath: directory.path(name))
    }
  }
}

extension TestDatabase {
  /// The runs in the order of their ids, each as `job outcome trigger`.
  func jobRuns() async throws -> [String] {
    try await rows("select job || ' ' || outcome || ' ' || triggered_by from tsdb.job_runs order by id")
      .compactMap { $0[0] }
  }

  /// Old and new rows for retention of metrics: the old ones are 91 days old and older.
  func addMetrics(old: Int, new: Int = 10) async throws {
    try await execute(
      """
      insert into public.support_troubleshooting_performance_metrics (metric_name, metric_value, recorded_at)
        select 'old', i, now() - interval '91 days' - i * interval '1 minute' from generate_series(1, \(old)) as i;
      insert into public.support_troubleshooting_performance_metrics (metric_name, metric_value)
        select 'new', i from generate_series(1, \(new)) as i
      """)
  }

  func metrics() async throws -> String? {
    try await value(
      """
      select string_agg(metric_name || ' ' || n, ', ' order by metric_name) from (
        select metric_name, count(*) as n from public.support_troubleshooting_performance_metrics group by 1) as c
      """)
  }
}

/// Retention of the application's metrics, as a job.
let metricsRetention = """
  retention: { \(yearly), rules: [
    { table: public.support_troubleshooting_performance_metrics, column: recorded_at, keep: 90d } ] }
  """

extension ToolRun.Result {
  /// Expects success without a word.
  func expectQuiet(sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(exitStatus == 0, "\(self)", sourceLocation: sourceLocation)
    #expect(standardOutput.isEmpty && standardError.isEmpty, "\(self)", sourceLocation: sourceLocation)
  }
}
