import ArgumentParser
import Migrations

/// How long a command waits for locks and for other runs.
struct PatienceOptions: ParsableArguments {
  @Option(
    name: .customLong("lock-timeout"),
    help: ArgumentHelp(
      "How long a statement waits for a lock; readers behind it wait no longer.", valueName: "duration"))
  var lockTimeout: DurationArgument?

  @Option(
    name: .customLong("lock-attempts"),
    help: ArgumentHelp("How often a file that did not get its lock is tried.", valueName: "count"))
  var lockAttempts: Int?

  @Option(help: ArgumentHelp("How long to wait for another run to end.", valueName: "duration"))
  var wait: DurationArgument?

  func validate() throws {
    if let lockAttempts, !(1...1000).contains(lockAttempts) {
      throw ValidationError("--lock-attempts takes a number from 1 to 1000")
    }
    if let lockTimeout, lockTimeout.duration == .zero {
      throw ValidationError(
        "--lock-timeout takes more than 0; a wait without end would hold up every reader behind it")
    }
  }

  func apply(to options: inout RunOptions) {
    if let lockTimeout { options.lockTimeout = lockTimeout.duration }
    if let lockAttempts { options.lockAttempts = lockAttempts }
    if let wait { options.runnerWait = wait.duration }
  }
}

/// A duration such as `500ms`, `2s` or `5min`.
struct DurationArgument: ExpressibleByArgument {
  let duration: Duration

  init?(argument: String) {
    guard let duration = Duration(settingText: argument) else { return nil }
    self.duration = duration
  }
}
