import Synchronization

/// Settings that the server reported while libpq was not reading; see ``Connection/copyOut(_:_:)``.
final class ReportedParameters: Sendable {
  private struct Report {
    let value: String
    /// What libpq held at the time; when it holds something else, that is newer.
    let known: String?
  }

  private let reports = Mutex<[String: Report]>([:])

  func record(_ name: String, _ value: String, known: String?) {
    reports.withLock { $0[name] = Report(value: value, known: known) }
  }

  /// The newer of what libpq holds and what was recorded here.
  func value(of name: String, known: String?) -> String? {
    reports.withLock { reports in
      guard let report = reports[name] else { return known }
      if report.known == known { return report.value }
      reports[name] = nil
      return known
    }
  }
}
