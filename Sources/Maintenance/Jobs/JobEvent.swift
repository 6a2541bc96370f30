/// What a job tells while it runs.
public enum JobEvent: Sendable, Equatable {
  /// Work on an object begins.
  case began(object: String, phase: String)
  case progress(object: String, done: Int64, total: Int64?)
  /// Work was given up because a session waited behind it.
  case yielded(object: String, waiter: Int, milliseconds: Int64)
  /// Work waits: a closed gate, a lock, an old transaction.
  case waiting(object: String, reason: String)
  case finished(JobObject)
  /// Something that an earlier run left was put in order.
  case healed(String)
  case note(String)
  case warning(String, detail: String?, hint: String?)
}

public typealias JobReporter = @Sendable (JobEvent) -> Void
