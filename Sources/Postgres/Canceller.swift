import CLibpq

/// Asks the server to end the statement that a connection is running.
///
/// Usable from any thread, also after the connection has been closed. The request is only
/// delivered, not answered: the statement ends with SQLSTATE 57014, or had ended already.
// `@unchecked`: a PGcancel is immutable after PQgetCancel, and the manual ("Canceling Queries in
// Progress") allows PQcancel from any thread and from a signal handler.
public final class Canceller: @unchecked Sendable {
  private let cancel: OpaquePointer

  init?(_ connection: OpaquePointer) {
    guard let cancel = PQgetCancel(connection) else { return nil }
    self.cancel = cancel
  }

  deinit {
    PQfreeCancel(cancel)
  }

  /// Whether the request reached the server.
  @discardableResult
  public func requestCancellation() -> Bool {
    var reason = [CChar](repeating: 0, count: 256)
    return PQcancel(cancel, &reason, Int32(reason.count)) == 1
  }
}
