import Synchronization

/// How long each phase took, by work that may overlap.
final class RestoreClock: Sendable {
  private struct Span {
    var first: ContinuousClock.Instant
    var last: ContinuousClock.Instant
    var busy: Duration
  }

  private let spans = Mutex<[RestorePhase: Span]>([:])
  private let start = ContinuousClock.now

  func add(_ phase: RestorePhase, from start: ContinuousClock.Instant) {
    let end = ContinuousClock.now
    spans.withLock { spans in
      guard var span = spans[phase] else {
        spans[phase] = Span(first: start, last: end, busy: end - start)
        return
      }
      span.first = min(span.first, start)
      span.last = max(span.last, end)
      span.busy += end - start
      spans[phase] = span
    }
  }

  func measure<Result: Sendable>(
    _ phase: RestorePhase, _ body: () async throws -> Result
  ) async rethrows -> Result {
    let start = ContinuousClock.now
    defer { add(phase, from: start) }
    return try await body()
  }

  var phases: [RestoreReport.Phase] {
    let spans = spans.withLock { $0 }
    return RestorePhase.allCases.compactMap { phase in
      spans[phase].map {
        RestoreReport.Phase(
          phase: phase, milliseconds: ($0.last - $0.first).inMilliseconds,
          busyMilliseconds: $0.busy.inMilliseconds)
      }
    }
  }

  var milliseconds: Int64 { (ContinuousClock.now - start).inMilliseconds }
}

/// Bytes done, for the progress display.
final class RestoreMeter: Sendable {
  private let done = Atomic<Int64>(0)
  private let phase: RestorePhase
  private let total: Int64
  private let report: RestoreReporter

  init(_ phase: RestorePhase, total: Int64, report: @escaping RestoreReporter) {
    self.phase = phase
    self.total = total
    self.report = report
  }

  func add(_ bytes: Int64) {
    let now = done.add(bytes, ordering: .relaxed).newValue
    report(.progress(phase, done: now, total: max(total, now)))
  }
}
