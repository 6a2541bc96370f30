import Synchronization

/// What has been read so far, for the progress display.
final class DataCounters: Sendable {
  let bytes = Atomic<Int64>(0)
  let written = Atomic<Int64>(0)
  let rows = Atomic<Int64>(0)
  let tables = Atomic<Int>(0)
  /// Heap and TOAST of finished pieces.
  let size = Atomic<Int64>(0)

  func progress(of plan: DataPlan) -> BackupEvent.Progress {
    BackupEvent.Progress(
      bytes: bytes.load(ordering: .relaxed), written: written.load(ordering: .relaxed),
      rows: rows.load(ordering: .relaxed), tablesDone: tables.load(ordering: .relaxed),
      tables: plan.tables.count, sizeDone: size.load(ordering: .relaxed),
      size: plan.tables.reduce(0) { $0 + $1.relation.size })
  }
}
