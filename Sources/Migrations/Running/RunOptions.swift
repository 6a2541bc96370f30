/// How patient and how cautious a run is.
public struct RunOptions: Sendable {
  /// How long one statement waits for a lock: readers behind it wait no longer than this.
  public var lockTimeout: Duration = .seconds(1)
  /// How often a file whose statement timed out is tried in all.
  public var lockAttempts = 10
  /// The pause before the second attempt; it grows by half each time, up to ``longestPause``.
  public var firstPause: Duration = .milliseconds(250)
  public var longestPause: Duration = .seconds(5)
  /// How long to wait for another runner.
  public var runnerWait: Duration = .seconds(60)

  public init() {}

  /// The pause after attempt number `attempt`, counted from 1.
  func pause(afterAttempt attempt: Int) -> Duration {
    var pause = firstPause
    for _ in 1..<max(1, attempt) where pause < longestPause { pause = pause * 1.5 }
    return Pause.jittered(min(pause, longestPause))
  }
}
