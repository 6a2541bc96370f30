import Backups
import Compression
import Maintenance
import Migrations
import Synchronization
import Timekeeping

/// The nightly backup as a job: takes one, removes what is not to be kept, and proves one from time to time.
struct BackupJob: JobBody {
  let rule: BackupRule
  let access: DatabaseAccess

  /// How often it begins again after it gave way to DDL. More often than that, whoever changes tables all night
  /// should hear of it.
  private static let attempts = 10

  /// Half of what a backup by hand has: the application wants its share of the processors.
  private var jobs: Int { rule.jobs ?? max(1, access.project.configuration.backupJobs / 2) }

  func run(_ context: JobContext) async throws -> JobResult {
    var result = JobResult(.ok)
    do {
      let backup = try await create(context)
      result.bytes = backup.size
      result.rows = backup.rows
      result.objects.append(
        JobObject(
          backup.id, "created", rows: backup.rows, bytes: backup.size,
          milliseconds: Int64(backup.seconds * 1000)))
    } catch let error as GaveWay {
      // Not partial, which would do the slot: there is no backup of tonight, and it is tried again.
      result = JobResult(
        .failed, reason: "no backup: it gave way to sessions that change tables, \(error.times) times",
        hint: "move the job to another hour, or run \"tsdb backup\", which makes them wait")
      result.yields = error.times
      result.backlog = 1
      return result
    } catch let error as BackupError {
      throw MaintenanceError(
        .failed, error.message, detail: error.detail, hint: error.hint, sqlState: error.sqlState)
    }
    await prune(context, &result)
    await prove(context, &result)
    return result
  }

  private struct GaveWay: Error {
    let times: Int
  }

  // MARK: - Taking one

  /// - Throws: ``GaveWay`` when somebody waited behind it each time, or the time is up.
  private func create(_ context: JobContext) async throws -> BackupCreate.Result {
    var gaveWay = 0
    while true {
      if let backup = try await attempt(context) { return backup }
      gaveWay += 1
      try Task.checkCancellation()
      let pause = Duration.seconds(min(30, 1 << gaveWay)) * Double.random(in: 0.5...1.5)
      guard gaveWay < Self.attempts, ContinuousClock.now + pause < context.deadline else {
        throw GaveWay(times: gaveWay)
      }
      context.report(.waiting(object: "backup", reason: "begins again in \(pause.wholeMilliseconds) ms"))
      try await Task.sleep(for: pause)
    }
  }

  /// - Returns: nil when it gave way.
  private func attempt(_ context: JobContext) async throws -> BackupCreate.Result? {
    let started = ContinuousClock.now
    let configuration = access.project.configuration
    var options = BackupOptions(
      jobs: jobs,
      compression: DataCompression(argument: configuration.backupCompression) ?? .fastest,
      historySchema: configuration.historySchema, tool: "tsdb \(Version.current)")
    options.lockTimeout = configuration.backupLockTimeout
    options.lockWatchInterval = .milliseconds(40)
    let operation = BackupCreate(
      options: options, repository: access.project.path(configuration.backupRepository))
    let waiter = WaiterBox()
    let backup = Task { [access] in
      try await operation.run(access) { event in
        switch event {
        case .waitingBehind(let sessions):
          guard let first = sessions.first else { return }
          waiter.note(first.processID)
        case .progress(let progress):
          context.report(.progress(object: "backup", done: progress.sizeDone, total: progress.size))
        case .removed(let leftover):
          context.report(.healed("what an interrupted backup had left is removed: \(leftover)"))
        case .warning(let message, let detail, let hint):
          context.report(.warning(message, detail: detail, hint: hint))
        case .phase, .snapshot, .tableFinished: break
        }
      }
    }
    waiter.onWaiter { backup.cancel() }
    do {
      return try await withTaskCancellationHandler {
        try await backup.value
      } onCancel: {
        backup.cancel()
      }
    } catch {
      guard !Task.isCancelled, let session = waiter.processID else { throw error }
      context.report(
        .yielded(
          object: "backup", waiter: session,
          milliseconds: (ContinuousClock.now - started).wholeMilliseconds))
      return nil
    }
  }

  // MARK: - What follows

  private func repository(_ context: JobContext) -> RepositoryAccess {
    RepositoryAccess(
      project: access.project, path: access.project.path(access.project.configuration.backupRepository),
      settings: access.settings
    ) { context.report(.warning($0, detail: $1, hint: $2)) }
  }

  /// What cannot be removed is a warning: the backup is there.
  private func prune(_ context: JobContext, _ result: inout JobResult) async {
    guard rule.prunes else { return }
    do {
      let repository = repository(context)
      let prune = BackupPrune(policy: access.project.configuration.backupRetention)
      let preview = try prune.preview(repository)
      guard !preview.toRemove.isEmpty else { return }
      let pruned = try await prune.run(repository, expected: preview.toRemove)
      result.objects += pruned.backups.filter(\.removed).map { JobObject($0.id, "removed", bytes: $0.size) }
    } catch {
      warn("old backups were not removed", error, context, &result)
    }
  }

  private func prove(_ context: JobContext, _ result: inout JobResult) async {
    guard let age = rule.proveEvery, !context.isOutOfTime else { return }
    do {
      let repository = repository(context)
      guard try isProofDue(age, repository, at: context.now) else { return }
      context.report(.began(object: "backup", phase: "restoring it on a throwaway server"))
      let verify = BackupVerify(names: [], isAll: false, jobs: jobs)
      let proofs = try await BackupProve(verify: verify).run(repository) { _, _ in }
      for proof in proofs.backups {
        let finding = proof.findings.first?.problem
        result.objects.append(
          JobObject(
            proof.id, proof.outcome.rawValue, detail: finding, milliseconds: proof.restore?.milliseconds))
        guard proof.outcome != .proven else { continue }
        if proof.outcome == .notProven {
          result.outcome = .partial
          result.reason = "the backup is taken, but could not be proven: \(finding ?? "no reason was given")"
        } else {
          result.outcome = .failed
          result.reason =
            "the backup does not restore to what it was taken of: \(finding ?? proof.outcome.rawValue)"
          result.hint = "run \"tsdb backup verify --restore \(proof.id)\" to see all findings"
        }
      }
    } catch {
      warn("the backup could not be proven", error, context, &result)
    }
  }

  private func isProofDue(_ age: Duration, _ repository: RepositoryAccess, at now: UTCTime) throws -> Bool {
    let list = try BackupList(database: nil).run(repository)
    let proven = list.backups.filter { $0.state == "proven" }.compactMap {
      $0.stateTime.flatMap { UTCTime($0) }
    }
    guard let newest = proven.max() else { return true }
    return now - newest >= age.wholeSeconds
  }

  /// The backup itself is there, so the run is no failure; but it is not all that was asked for.
  private func warn(
    _ message: String, _ error: any Error, _ context: JobContext, _ result: inout JobResult
  ) {
    let (reason, hint) =
      switch error {
      case let error as BackupError: (error.message, error.hint)
      case is CancellationError: ("interrupted", nil)
      default: ("\(error)", nil)
      }
    context.report(.warning("\(message): \(reason)", detail: nil, hint: hint))
    if result.outcome == .ok {
      result.outcome = .partial
      result.reason = "\(message): \(reason)"
      result.hint = hint
    }
  }
}

/// Who was seen waiting behind a backup, and what ends the backup then.
private final class WaiterBox: Sendable {
  private struct State {
    var processID: Int?
    var cancel: (@Sendable () -> Void)?
  }

  private let state = Mutex(State())

  var processID: Int? { state.withLock { $0.processID } }

  /// Calls `cancel` once somebody waits; at once if somebody does already.
  func onWaiter(_ cancel: @escaping @Sendable () -> Void) {
    let isLate = state.withLock { state in
      state.cancel = cancel
      return state.processID != nil
    }
    if isLate { cancel() }
  }

  func note(_ processID: Int) {
    let cancel = state.withLock { state in
      if state.processID == nil { state.processID = processID }
      return state.cancel
    }
    cancel?()
  }
}
