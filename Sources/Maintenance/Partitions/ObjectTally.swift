import Postgres

/// What was done to the objects of a run, and the outcome that follows from it.
struct ObjectTally {
  private(set) var objects: [JobObject] = []
  /// Units that were left for the next run.
  private(set) var leftOver = 0
  private var firstLeftOver: String?
  private var hints: [String] = []
  private let report: JobReporter

  init(report: @escaping JobReporter) {
    self.report = report
  }

  mutating func note(_ object: JobObject) {
    objects.append(object)
    report(.finished(object))
  }

  /// A unit that could not be done this time, though nothing is wrong with it.
  mutating func leave(_ name: String, because reason: String) {
    leftOver += 1
    if firstLeftOver == nil { firstLeftOver = "\(name): \(reason)" }
    note(JobObject(name, "skipped", detail: reason))
  }

  mutating func fail(_ name: String, _ reason: String, hint: String? = nil, sqlState: String? = nil) {
    if let hint { hints.append(hint) }
    note(JobObject(name, "failed", detail: reason, sqlState: sqlState))
  }

  /// Notes an error of one object; throws on what ends the run.
  mutating func fail(_ name: String, _ error: any Error) throws {
    if error is CancellationError || Task.isCancelled { throw error }
    switch error {
    case let error as PostgresError:
      if error.origin != .server || error.isServerUnavailable { throw error }
      // The details of errors about data repeat the rows, which are nobody's business in a record or a log.
      let isAboutData = ["22", "23"].contains { error.sqlState.hasPrefix($0) }
      let text = [error.message, isAboutData ? nil : error.detail].compactMap { $0 }.joined(separator: ": ")
      fail(name, text, hint: error.hint, sqlState: error.sqlState)
    case let error as MaintenanceError:
      fail(name, error.message, hint: error.hint, sqlState: error.sqlState)
    default: throw error
    }
  }

  /// The result: failed where an object failed, partial where something was left, else ok.
  ///
  /// - Parameter remark: what is worth knowing of a run that ended well.
  func result(remark: String? = nil) -> JobResult {
    let failed = objects.filter { $0.action == "failed" }
    var result: JobResult
    if let first = failed.first {
      let more = failed.count > 1 ? " (and \(failed.count - 1) more)" : ""
      result = JobResult(
        .failed, reason: "\(first.name): \(first.detail ?? "failed")\(more)", hint: hints.first,
        sqlState: first.sqlState)
    } else if leftOver > 0 {
      result = JobResult(.partial, reason: firstLeftOver)
    } else {
      result = JobResult(.ok, reason: remark)
    }
    result.backlog = Int64(leftOver)
    result.objects = objects
    return result
  }
}
