import Archive
import Compression
import Digests
import Postgres
import Synchronization
import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Reads all tables over several connections on one snapshot into data files.
final class DataReading: Sendable {
  let plan: DataPlan
  let snapshot: SnapshotLeader.Snapshot
  let directory: FileDescriptor
  let compression: DataCompression
  let counters: DataCounters
  let stop: StopSignal
  let report: BackupReporter
  private let queue: DataQueue
  private let allowance: BufferAllowance
  private let files: Mutex<[Int: DataFileWriter]>
  private let summaries = Mutex<[Int: DataFileSummary]>([:])

  init(
    plan: DataPlan, snapshot: SnapshotLeader.Snapshot, directory: FileDescriptor,
    compression: DataCompression, jobs: Int, counters: DataCounters, stop: StopSignal,
    report: @escaping BackupReporter
  ) {
    self.plan = plan
    self.snapshot = snapshot
    self.directory = directory
    self.compression = compression
    self.counters = counters
    self.stop = stop
    self.report = report
    queue = DataQueue(plan, workers: jobs)
    // One for all files, so that memory is bounded however many are open at once.
    allowance = BufferAllowance(bytes: jobs * (16 << 20))
    files = Mutex([:])
    // A worker that waits for its turn must not wait for one that will never come.
    stop.whenStopped { [weak self] in self?.abandon() }
  }

  /// The files, in the plan's order.
  func result() throws(BackupError) -> [DataFileSummary] {
    try stop.check()
    let summaries = summaries.withLock { $0 }
    return plan.tables.indices.compactMap { summaries[$0] }
  }

  private func abandon() {
    let open = files.withLock { Array($0.values) }
    for file in open { file.abandon(ArchiveError(.system, "the backup was given up")) }
  }
}

extension DataReading {
  /// Reads pieces until there are none; blocks its thread.
  func work(on connection: borrowing Connection) throws {
    try joinSnapshot(connection)
    let compressor = try PieceCompressor(compression)
    var locked: Set<Int> = []
    while let task = queue.next() {
      try stop.check()
      if !locked.contains(task.table) {
        guard try lock(plan.tables[task.table], on: connection) else {
          queue.refuse(task)
          continue
        }
        locked.insert(task.table)
      }
      try read(task, with: compressor, on: connection)
    }
    try connection.execute("commit")
  }

  /// One connection fewer is reading.
  func workerEnded() { queue.workerEnded() }

  /// Reads what workers could not lock, because somebody's DDL waits in between: this connection holds
  /// the lock already and need not queue.
  func workOnRefused(on connection: borrowing Connection) throws {
    let compressor = try PieceCompressor(compression)
    while true {
      try stop.check()
      switch queue.nextRefused() {
      case .task(let task): try read(task, with: compressor, on: connection)
      case .wait: usleep(20_000)
      case .end: return
      }
    }
  }

  private func joinSnapshot(_ connection: borrowing Connection) throws {
    try connection.setClientEncoding(snapshot.encoding)
    try connection.execute(
      SnapshotLeader.settings(encoding: snapshot.encoding, serverVersion: snapshot.serverVersion))
    try connection.execute("begin isolation level repeatable read read only")
    try connection.execute("set transaction snapshot \(Quoting.literal(snapshot.id))")
  }

  /// - Returns: false when a lock request of somebody else stands in between.
  private func lock(_ table: DataPlan.Table, on connection: borrowing Connection) throws -> Bool {
    do {
      try connection.execute(
        Array("savepoint tsdb_lock; lock table only ".utf8) + table.relation.qualifiedName
          + Array(" in access share mode nowait; release tsdb_lock".utf8))
      return true
    } catch  where error.isLockTimeout {
      try connection.execute("rollback to tsdb_lock; release tsdb_lock")
      return false
    }
  }

  private func read(
    _ task: DataTask, with compressor: PieceCompressor, on connection: borrowing Connection
  ) throws {
    let table = plan.tables[task.table]
    let file = try file(for: task.table)
    let piece = file.piece(task.piece, compressor)
    if !table.isEmpty {
      let range = table.ranges.isEmpty ? nil : table.ranges[task.piece]
      _ = try connection.copyOut(DataStatement.reading(table.relation, range: range)) { bytes, endsRow in
        if stop.isStopped { throw BackupError(.interrupted, "interrupted") }
        try piece.append(bytes, endsRow: endsRow)
        counters.bytes.add(Int64(bytes.count), ordering: .relaxed)
        if endsRow { counters.rows.add(1, ordering: .relaxed) }
      }
    }
    try piece.finish()
    let pieces = Int64(max(1, table.ranges.count))
    counters.size.add(table.relation.size / pieces, ordering: .relaxed)
    if queue.finished(task) { try close(task.table, file) }
  }

  private func file(for table: Int) throws -> DataFileWriter {
    try files.withLock { files in
      if let file = files[table] { return file }
      let file = try DataFileWriter(
        directory: directory, name: plan.tables[table].fileName(compression), compression: compression,
        pieceCount: plan.tables[table].ranges.isEmpty ? nil : plan.tables[table].ranges.count,
        allowance: allowance)
      files[table] = file
      return file
    }
  }

  private func close(_ table: Int, _ file: DataFileWriter) throws {
    let summary = try file.finish()
    summaries.withLock { $0[table] = summary }
    _ = files.withLock { $0.removeValue(forKey: table) }
    counters.tables.add(1, ordering: .relaxed)
    counters.written.add(summary.size, ordering: .relaxed)
    let relation = plan.tables[table].relation
    report(
      .tableFinished(
        name: "\(relation.schemaText).\(relation.nameText)", rows: summary.rows, bytes: summary.bytes))
  }
}
