import FoundationEssentials
import Synchronization
import SystemPackage
import Timekeeping

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A log of JSON lines: one document a line, each written at once to the end of the file, so that several processes
/// can share it and a rotation only needs to rename it.
public final class JobLog: Sendable {
  /// One line; what is nil is left out.
  public struct Line: Sendable, Equatable, Encodable {
    public enum Level: String, Sendable, Encodable {
      case info, warning, error
    }

    /// ISO 8601 in UTC, such as `2026-11-24T08:36:57Z`.
    public var ts: String
    public var level: Level
    /// As in `job_runs`; nil before a run has one.
    public var runID: String?
    public var task: String?
    public var object: String?
    /// What the line is about: `start`, `end`, or an event's.
    public var phase: String
    public var rows: Int64?
    public var ms: Int64?
    public var sqlstate: String?
    public var msg: String

    public init(
      _ level: Level, phase: String, _ msg: String, at time: UTCTime = .now, runID: String? = nil,
      task: String? = nil, object: String? = nil, rows: Int64? = nil, ms: Int64? = nil,
      sqlstate: String? = nil
    ) {
      ts = time.description
      self.level = level
      self.runID = runID
      self.task = task
      self.object = object
      self.phase = phase
      self.rows = rows
      self.ms = ms
      self.sqlstate = sqlstate
      self.msg = msg
    }

    enum CodingKeys: String, CodingKey {
      case ts, level, task, object, phase, rows, ms, sqlstate, msg
      case runID = "run_id"
    }

    /// The document without a line end; control characters are escaped, so it is one line.
    public var json: String {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      // Strings and numbers always encode.
      guard let data = try? encoder.encode(self) else { return "{}" }
      return String(decoding: data, as: UTF8.self)
    }
  }

  public let path: FilePath
  private let file: FileDescriptor
  private let firstFailure = Mutex<MaintenanceError?>(nil)

  /// Opens the log, and makes it where it is missing, readable for the owner and the group.
  ///
  /// - Throws: ``MaintenanceError`` that names the file.
  public init(_ path: FilePath) throws(MaintenanceError) {
    self.path = path
    do {
      // Not to wait for the reader of a named pipe.
      file = try FileDescriptor.open(
        path, .writeOnly, options: [.create, .append, .closeOnExec, .nonBlocking],
        permissions: [.ownerReadWrite, .groupRead])
    } catch {
      throw ReplacedFile.failure("open", path, error as? Errno)
    }
  }

  deinit { try? file.close() }

  /// Writes a line; what goes wrong is kept in ``failure`` and ends nothing.
  public func write(_ line: Line) {
    let bytes = Array((line.json + "\n").utf8)
    do {
      // One call: lines of other processes come before it or after it.
      let written = try bytes.withUnsafeBytes { try file.write($0) }
      if written < bytes.count { throw Errno.noSpace }
    } catch {
      let failure = ReplacedFile.failure("write", path, error as? Errno)
      firstFailure.withLock { $0 = $0 ?? failure }
    }
  }

  /// What first went wrong; for one warning at the end.
  public var failure: MaintenanceError? { firstFailure.withLock { $0 } }
}

extension JobLog.Line {
  /// What an event of a job is in the log.
  public init(_ event: JobEvent, task: String, runID: String?, at time: UTCTime = .now) {
    switch event {
    case .began(let object, let phase):
      self.init(.info, phase: phase, "began", at: time, runID: runID, task: task, object: object)
    case .progress(let object, let done, let total):
      self.init(
        .info, phase: "progress", total.map { "\(done) of \($0)" } ?? "\(done)", at: time, runID: runID,
        task: task, object: object, rows: done)
    case .yielded(let object, let waiter, let milliseconds):
      self.init(
        .info, phase: "yield", "gave way to session \(waiter), which waited behind it", at: time,
        runID: runID, task: task, object: object, ms: milliseconds)
    case .waiting(let object, let reason):
      self.init(.info, phase: "wait", reason, at: time, runID: runID, task: task, object: object)
    case .finished(let object):
      self.init(
        object.action == "failed" ? .error : object.action == "skipped" ? .warning : .info,
        phase: object.action, object.detail ?? object.action, at: time, runID: runID, task: task,
        object: object.name, rows: object.rows, ms: object.milliseconds, sqlstate: object.sqlState)
    case .healed(let text):
      self.init(.warning, phase: "healed", text, at: time, runID: runID, task: task)
    case .note(let text):
      self.init(.info, phase: "note", text, at: time, runID: runID, task: task)
    case .warning(let text, let detail, let hint):
      let whole = [text, detail, hint].compactMap { $0 }.joined(separator: "; ")
      self.init(.warning, phase: "warning", whole, at: time, runID: runID, task: task)
    }
  }

  /// The end of a run.
  public init(
    end result: JobResult, task: String, runID: String?, milliseconds: Int64? = nil, at time: UTCTime = .now
  ) {
    let level: Level =
      switch result.outcome {
      case .ok, .running: .info
      case .partial, .skipped: .warning
      case .failed: .error
      }
    self.init(
      level, phase: "end",
      [result.outcome.rawValue, result.reason].compactMap { $0 }.joined(separator: ": "),
      at: time, runID: runID, task: task, rows: result.rows, ms: milliseconds, sqlstate: result.sqlState)
  }
}
