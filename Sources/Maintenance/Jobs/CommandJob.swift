import Postgres
import Processes
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

/// Runs a program without a shell, in the project's directory.
///
/// Exit status 0 is `ok`, 75 (EX_TEMPFAIL of sysexits.h) is `skipped`: nothing was wrong, it is tried again later. A
/// program that is still running when the budget is used up, or when the run is cancelled, gets SIGTERM and ten
/// seconds later SIGKILL, with what it has started. It gets SIGTERM when tsdb itself is killed.
public struct CommandJob: JobBody {
  private let command: [String]
  private let directory: String
  private let environment: [String: String]
  private let grace: Duration

  private static let keptBytes = 4096
  private static let tryLater: Int32 = 75

  /// - Parameters:
  ///   - command: the program and its arguments. A name without a slash is looked up in `PATH`, another is relative
  ///     to `directory`.
  ///   - environment: all that it gets, besides `TSDB_JOB` with the job's name. `DATABASE_URL` is no part of it
  ///     unless it is here.
  ///   - grace: between SIGTERM and SIGKILL.
  public init(
    _ command: [String], directory: String, environment: [String: String], grace: Duration = .seconds(10)
  ) {
    self.command = command
    self.directory = directory
    self.environment = environment
    self.grace = grace
  }

  public func run(_ context: JobContext) async throws -> JobResult {
    let child = try child(job: context.job.name)
    context.report(.began(object: command[0], phase: "run"))
    let start = ContinuousClock.now
    let isCancelled = Flag()
    let (deadline, grace, work) = (context.deadline, grace, context.work)
    // Enough in front of what is kept that a secret at its beginning is found whole.
    let kept = Self.keptBytes + (secrets.map(\.utf8.count).max() ?? 0)
    let ending: ChildProcess.Ending
    do {
      ending = try await withTaskCancellationHandler {
        try await BlockingThread.run {
          try child.supervise(until: deadline, grace: grace, keeping: kept) {
            isCancelled.isRaised || work.isLockLost
          }
        }
      } onCancel: {
        isCancelled.raise()
      }
    } catch let error as ProcessError {
      throw MaintenanceError(
        .failed, "\"\(command[0])\" could not be started", detail: "\(error.errno.description).",
        hint: "the first line of a script names its interpreter")
    }
    // The connection was idle all the time; one that was cut meanwhile is found out and opened anew.
    _ = try? await context.work.run { _ = try $0.execute("select 1") }
    let result = result(
      of: ending, budget: context.job.budget, milliseconds: (.now - start).wholeMilliseconds)
    for object in result.objects { context.report(.finished(object)) }
    return result
  }

  private func result(of ending: ChildProcess.Ending, budget: Duration, milliseconds: Int64) -> JobResult {
    let output = CommandOutput(ending.tail, secrets: secrets, limit: Self.keptBytes)
    var result: JobResult
    switch (ending.cause, ending.exitStatus) {
    case (.cancellation, _): result = JobResult(.failed, reason: "interrupted")
    case (.deadline, _):
      result = JobResult(
        .failed,
        reason: "\"\(command[0])\" was ended, for its budget of \(budget.wholeSeconds) s was used up",
        hint: "give the job a longer budget")
    case (nil, 0): result = JobResult(.ok)
    case (nil, Self.tryLater):
      result = JobResult(
        .skipped, reason: output.line ?? "\"\(command[0])\" asked to be tried later (status 75)")
    case (nil, let status):
      let line = output.line.map { ": " + $0 } ?? ""
      let end = status > 128 ? "was ended by signal \(status - 128)" : "ended with status \(status)"
      result = JobResult(.failed, reason: "\"\(command[0])\" \(end)\(line)")
    }
    let action = result.outcome == .ok ? "run" : result.outcome.rawValue
    result.objects = [
      JobObject(
        command[0], action, detail: output.text.isEmpty ? nil : output.text, milliseconds: milliseconds)
    ]
    return result
  }

  private func child(job: String) throws -> ChildProcess {
    guard let name = command.first, !name.isEmpty else {
      throw MaintenanceError(
        .invalidInput, "the command is empty", hint: "write run: [program, argument]")
    }
    // What C cannot pass on would be cut short in silence.
    guard !(command + [directory]).contains(where: { $0.utf8.contains(0) }) else {
      throw MaintenanceError(.invalidInput, "the command holds a NUL character")
    }
    guard access(directory, X_OK) == 0 else {
      throw MaintenanceError(.failed, "the directory \"\(directory)\" cannot be entered")
    }
    var variables = environment
    variables["TSDB_JOB"] = job
    var child = ChildProcess(
      executable: FilePath(try executable(name)), arguments: Array(command.dropFirst()),
      environment: variables.map { "\($0.key)=\($0.value)" }.sorted())
    child.directory = FilePath(directory)
    child.diesWithThread = true
    return child
  }

  private func executable(_ name: String) throws -> String {
    let candidates: [String]
    if name.contains("/") {
      candidates = [name.hasPrefix("/") ? name : directory + "/" + name]
    } else {
      let path = environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
      candidates = path.split(separator: ":").filter { $0.hasPrefix("/") }.map { "\($0)/\(name)" }
    }
    if let found = candidates.first(where: Self.isProgram) { return found }
    let isThere = candidates.contains { access($0, F_OK) == 0 }
    throw MaintenanceError(
      .invalidInput, "there is no program \"\(name)\"\(isThere ? " that may be run" : "")",
      hint: isThere
        ? "make it executable: chmod +x" : "give its path, absolute or from the project's directory")
  }

  private static func isProgram(_ path: String) -> Bool {
    var facts = stat()
    return stat(path, &facts) == 0 && facts.st_mode & S_IFMT == S_IFREG && access(path, X_OK) == 0
  }

  /// What must not come back in the output.
  private var secrets: [String] {
    var secrets = [environment["DATABASE_URL"], environment["PGPASSWORD"]].compactMap { $0 }
    if let url = environment["DATABASE_URL"], let settings = try? ConnectionSettings(parsing: url),
      let password = settings["password"]
    {
      secrets.append(password)
    }
    return secrets.filter { $0.utf8.count >= 4 }
  }

  private final class Flag: Sendable {
    private let value = Atomic(false)
    func raise() { value.store(true, ordering: .releasing) }
    var isRaised: Bool { value.load(ordering: .acquiring) }
  }
}
