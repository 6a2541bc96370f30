/// What a runner reports while it works.
public enum RunEvent: Sendable {
  case waitingForRunner(BlockingSession?)
  case started(name: String, index: Int, total: Int)
  /// A statement is about to be sent.
  case statement(name: String, index: Int, total: Int, tag: String, line: Int)
  /// The server sent a notice or a warning.
  case notice(
    name: String, severity: String, message: String, detail: String?, hint: String?, location: SourceLocation)
  case blocked(name: String, by: [BlockingSession], seconds: Double)
  case retrying(name: String, attempt: Int, of: Int, after: Duration, blockers: [BlockingSession])
  /// A CREATE INDEX CONCURRENTLY or REINDEX CONCURRENTLY at work, as in `pg_stat_progress_create_index`.
  case indexProgress(name: String, phase: String, done: Int64, total: Int64)
  /// An interrupted statement was found and what became of it.
  case recovered(name: String, statement: String, outcome: String)
  case finished(name: String, milliseconds: Int64, statements: Int)
  /// Another run applied the file between planning and its turn.
  case appliedElsewhere(name: String)
  case warning(String, detail: String?, hint: String?)
}

/// Receives events; called on the session's thread.
public typealias RunReporter = @Sendable (RunEvent) -> Void
