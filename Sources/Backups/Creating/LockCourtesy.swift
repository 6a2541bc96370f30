import Postgres
import Synchronization

/// Says who waits because of a backup, and whom a backup waits for.
struct LockCourtesy: Sendable {
  let settings: ConnectionSettings
  let interval: Duration
  let report: BackupReporter

  /// Looks once in ``interval`` until the task is cancelled; each waiting session is reported once.
  ///
  /// - Parameter holder: the server process that holds the backup's locks.
  func run(holder: Int) async {
    let watch = LockWatch(session: Session(settings, applicationName: "tsdb backup watch"), holder: holder)
    var known: Set<Int> = []
    while !Task.isCancelled {
      // A watch that cannot look is no reason to end a backup.
      if let waiting = try? await watch.look() {
        let new = waiting.filter { !known.contains($0.processID) }
        if !new.isEmpty { report(.waitingBehind(new)) }
        known = Set(waiting.map(\.processID))
      }
      try? await Task.sleep(for: interval)
    }
    await watch.session.close()
  }
}
