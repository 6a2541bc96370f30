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
  private struct State {
    var notices: [Notice] = []
    var leftOut = 0
    var hasLeftOutWarnings = false
    var received = 0
  }

  /// How many are kept; a loop that raises a notice for each row would otherwise fill the memory.
  static let capacity = 1_000

  private let state = Mutex(State())

  func append(_ notice: Notice) {
    state.withLock { state in
      state.received += 1
      if state.notices.count < Self.capacity {
        state.notices.append(notice)
      } else {
        state.leftOut += 1
        state.hasLeftOutWarnings = state.hasLeftOutWarnings || notice.severity == "WARNING"
      }
    }
  }

  /// How many have come since the connection was opened.
  var received: Int { state.withLock { $0.received } }

  /// The first ones, and behind them how many more there were.
  func take() -> [Notice] {
    state.withLock { state in
      defer { state = State(received: state.received) }
      guard state.leftOut > 0 else { return state.notices }
      let rest = Notice(
        severity: state.hasLeftOutWarnings ? "WARNING" : "NOTICE",
        message: "\(state.leftOut) more were left out")
      return state.notices + [rest]
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
