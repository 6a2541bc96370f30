import CLibpq
import Synchronization

/// A message that the server sent beside a result.
public struct Notice: Sendable, Equatable {
  /// `NOTICE`, `WARNING`, `INFO`, `LOG` or `DEBUG`, never translated.
  public let severity: String
  public let sqlState: String
  public let message: String
  public let detail: String?
  public let hint: String?

  public init(
    severity: String, sqlState: String = "", message: String, detail: String? = nil, hint: String? = nil
  ) {
    self.severity = severity
    self.sqlState = sqlState
    self.message = message
    self.detail = detail
    self.hint = hint
  }
}

/// Collects notices between two reads of them.
///
/// libpq calls back on the thread that reads the connection; the lock is for readers elsewhere.
final class NoticeBuffer: Sendable {
  private let notices = Mutex<[Notice]>([])

  func append(_ notice: Notice) {
    notices.withLock { $0.append(notice) }
  }

  func take() -> [Notice] {
    notices.withLock { notices in
      defer { notices = [] }
      return notices
    }
  }
}

/// Receives notices for the buffer given as `context`.
func receiveNotice(context: UnsafeMutableRawPointer?, result: OpaquePointer?) {
  guard let context, let result else { return }
  func field(_ code: Int) -> String? {
    PQresultErrorField(result, Int32(code)).map { String(cString: $0) }
  }
  Unmanaged<NoticeBuffer>.fromOpaque(context).takeUnretainedValue().append(
    Notice(
      severity: field(TSDB_DIAG_SEVERITY) ?? "NOTICE",
      sqlState: field(TSDB_DIAG_SQLSTATE) ?? "",
      message: field(TSDB_DIAG_MESSAGE) ?? "",
      detail: field(TSDB_DIAG_DETAIL),
      hint: field(TSDB_DIAG_HINT)))
}
