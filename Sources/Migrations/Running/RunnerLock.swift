import Compression
import Postgres

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The advisory lock that lets one runner at a time work on a database.
///
/// It is always polled. A blocking wait holds a snapshot, CREATE INDEX CONCURRENTLY waits for old
/// snapshots, and the two deadlock (golang-migrate#960, flyway#1654).
struct RunnerLock: Sendable {
  /// Both halves of the two-key advisory lock: "tsdb" in ASCII, and the CRC-32 of the history
  /// schema, so that two histories in one database do not exclude one another.
  let classID: Int32 = 0x7473_6462
  let objectID: Int32

  init(schema: HistorySchema) {
    objectID = Int32(bitPattern: CRC32.checksum(Array(schema.name.utf8)))
  }

  /// Of the second lock, under which a `transaction off` file behind a pooler writes its journal.
  private var journalClassID: Int32 { classID &+ 1 }

  var sessionAttempt: String { "select pg_try_advisory_lock(\(classID), \(objectID))" }
  var transactionAttempt: String { "select pg_try_advisory_xact_lock(\(classID), \(objectID))" }
  var journalAttempt: String { "select pg_try_advisory_xact_lock(\(journalClassID), \(objectID))" }
  var release: String { "select pg_advisory_unlock(\(classID), \(objectID))" }

  /// Takes the session lock if it is free.
  func tryForSession(on connection: borrowing Connection) throws(PostgresError) -> Bool {
    try connection.query(sessionAttempt).isTrue(0, 0)
  }

  /// Begins a transaction with the lock if it is free; otherwise no transaction is open afterwards,
  /// since behind a pooler it would hold a connection to the server for nothing.
  ///
  /// - Parameter attempt: what is asked first; ``transactionAttempt`` unless told otherwise.
  func tryForTransaction(
    on connection: borrowing Connection, begin: String, attempt: String? = nil
  ) throws(PostgresError) -> Bool {
    let isOurs = try connection.execute(begin + (attempt ?? transactionAttempt)).isTrue(0, 0)
    if !isOurs { try connection.execute("rollback") }
    return isOurs
  }

  /// Gives the session lock back; false when this session did not hold it, which means that a
  /// pooler stands between although it looked like a direct connection.
  func releaseFromSession(on connection: borrowing Connection) throws(PostgresError) -> Bool {
    try connection.query(release).isTrue(0, 0)
  }

  /// Who holds the lock, for messages; nil when nobody does any more.
  func holder(on connection: borrowing Connection) throws(PostgresError) -> BlockingSession? {
    let sql = """
      select \(BlockingSession.columns)
      from pg_catalog.pg_locks l join pg_catalog.pg_stat_activity a on a.pid = l.pid
      where l.locktype = 'advisory' and l.granted and l.objsubid = 2
        and l.classid = \(UInt32(bitPattern: classID)) and l.objid = \(UInt32(bitPattern: objectID))
        and l.database = (select oid from pg_catalog.pg_database where datname = current_database())
        and l.pid <> pg_backend_pid()
      limit 1
      """
    return try BlockingSession.read(connection.query(sql)).first
  }
}

/// Pauses that notice when the task is cancelled.
enum Pause {
  /// Sleeps on the calling thread, in slices, until `duration` has passed or the task is cancelled.
  static func sleep(_ duration: Duration) {
    let end = ContinuousClock.now + duration
    while !Task.isCancelled {
      let left = end - ContinuousClock.now
      guard left > .zero else { return }
      usleep(UInt32(clamping: min(left, .milliseconds(50)).milliseconds * 1000 + 100))
    }
  }

  /// `duration`, shortened or lengthened by up to half of it, so that runners that wait for one
  /// another do not meet again at the same moment.
  static func jittered(_ duration: Duration) -> Duration {
    duration * Double.random(in: 0.5...1.5)
  }
}
