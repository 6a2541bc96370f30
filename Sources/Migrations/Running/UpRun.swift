import Catalog
import Postgres
import SQLSyntax

/// What `migrate up` did, or with `isDryRun` would do.
public struct UpResult: Sendable {
  public struct File: Sendable {
    public let name: String
    public let outcome: FileOutcome
  }

  public var files: [File] = []
  /// Objects whose live state was not what the migrations had left, before anything ran.
  public var driftCount = 0

  public init() {}
}

extension MigrationRunner {
  /// Parses what is to run and finds every refusal that needs no server.
  ///
  /// - Parameter created: what applied files created, as (migration, object text).
  static func prepare(
    _ entries: [MigrationPlan.Entry], plan: MigrationPlan, created: [(migration: String, object: String)]
  ) throws(MigrationError) -> [PreparedScript] {
    var inference = RequirementInference(order: plan.order)
    for (migration, object) in created {
      if let reference = ObjectReference(historyText: object) {
        inference.add([reference], createdBy: migration)
      }
    }
    // Files that will not run now still own what they create.
    var prepared: [PreparedScript] = []
    for entry in plan.toRun {
      guard let file = entry.file else { continue }
      let script = try PreparedScript(file)
      inference.add(script.script.statements.flatMap(\.creates), createdBy: file.name)
      prepared.append(script)
    }
    let wanted = Set(entries.map(\.name))
    for script in prepared {
      if let refusal = inference.check(script.script, of: script.file) { throw refusal }
    }
    return prepared.filter { wanted.contains($0.file.name) }
  }

  /// Checks, without writing, that `entries` could run.
  public func dryRun(
    _ entries: [MigrationPlan.Entry], plan: MigrationPlan, on connection: borrowing Connection
  ) throws -> [DryRunFile] {
    if let refusal = plan.refusal() { throw refusal }
    return try Self.prepare(
      entries, plan: plan, created: settled(on: connection) { try history.createdObjects(on: $0) }
    )
    .map(DryRunFile.init)
  }

  /// Applies what is pending, in order; stops at the first failure, with everything before it kept.
  ///
  /// Call inside ``exclusively(on:_:)``, with a plan made after the lock was taken.
  public func up(
    _ entries: [MigrationPlan.Entry], plan: MigrationPlan, on connection: borrowing Connection
  ) throws -> UpResult {
    if let refusal = plan.refusal() { throw refusal }
    let prepared = try Self.prepare(
      entries, plan: plan, created: settled(on: connection) { try history.createdObjects(on: $0) })
    try ensureHistory(on: connection)
    let recorded = Dictionary(plan.entries.map { ($0.name, $0.history) }) { first, _ in first }
    var result = UpResult()
    let late = plan.outOfOrder.filter { entry in entries.contains { $0.name == entry.name } }
    if let first = late.first {
      report(
        .warning(
          "\"\(first.name)\" comes before files that are applied already",
          detail: late.count > 1 ? "So do \(late.count - 1) more." : nil,
          hint:
            "it runs now; a database made anew will run it in its place, so make sure that both end the same")
      )
    }
    // What an interrupted file has made so far is recorded when it is done.
    if !prepared.isEmpty, plan.entries(.interrupted).isEmpty {
      result.driftCount = try warnOfDrift(on: connection)
    }
    for (index, script) in prepared.enumerated() {
      let name = script.file.name
      report(.started(name: name, index: index, total: prepared.count))
      if script.hasAbsorbedTransaction {
        report(
          .notice(
            name: name, severity: "NOTICE", message: "the outer BEGIN and COMMIT are absorbed", detail: nil,
            hint: "tsdb runs each file in a transaction of its own; they can be removed",
            location: SourceLocation(path: script.file.path, line: 1, column: 1)))
      }
      let outcome: FileOutcome
      do {
        outcome = try run(script, entry: recorded[name] ?? nil, on: connection)
      } catch let error as MigrationError {
        throw error.adding(detail: Self.remainder(prepared, failedAt: index))
      } catch let error as PostgresError {
        throw MigrationError(
          error, during: "\"\(name)\" could not be applied", kept: Self.remainder(prepared, failedAt: index))
      }
      switch outcome {
      case .applied(let milliseconds, let statements):
        report(.finished(name: name, milliseconds: milliseconds, statements: statements))
      case .appliedElsewhere:
        report(.appliedElsewhere(name: name))
      }
      result.files.append(UpResult.File(name: name, outcome: outcome))
    }
    return result
  }

  private func run(
    _ script: PreparedScript, entry: HistoryEntry?, on connection: borrowing Connection
  ) throws -> FileOutcome {
    if script.file.directives.isTransactional {
      return try runInTransaction(script, replacing: entry, on: connection)
    }
    return try JournaledRun(self, script).run(replacing: entry, on: connection)
  }

  private func warnOfDrift(on connection: borrowing Connection) throws -> Int {
    let drift = try settled(on: connection) { try catalog.drift(on: $0) }
    guard !drift.isEmpty else { return 0 }
    report(
      .warning(
        "the database is not as the migrations left it: \(drift.count) \(drift.count == 1 ? "object differs" : "objects differ")",
        detail: drift.lines.prefix(5).joined(separator: "\n"),
        hint: "run \"tsdb migrate verify\" to see all of it"))
    return drift.count
  }

  /// What was applied before the failure and what was not tried.
  private static func remainder(_ prepared: [PreparedScript], failedAt index: Int) -> String {
    let applied = prepared[..<index].map { "\"\($0.file.name)\"" }
    let left = prepared.count - index - 1
    var sentences: [String] = []
    if !applied.isEmpty {
      let shown = applied.count > 4 ? applied.suffix(3) + ["\(applied.count - 3) before"] : applied
      sentences.append("Applied in this run: \(shown.joined(separator: ", ")).")
    }
    if left > 0 { sentences.append("Not tried: \(left) more.") }
    if sentences.isEmpty { sentences.append("Nothing else was to be applied.") }
    return sentences.joined(separator: " ")
  }
}

/// What a dry run says about one file.
public struct DryRunFile: Sendable {
  public let name: String
  public let statements: [(line: Int, tag: String)]
  public let isTransactional: Bool
  /// How many statements the parser did not know.
  public let notAnalysed: Int

  init(_ prepared: PreparedScript) {
    name = prepared.file.name
    statements = prepared.statements.map { ($0.start.line, $0.commandTag) }
    isTransactional = prepared.file.directives.isTransactional
    notAnalysed = prepared.statements.count { !$0.isAnalysed }
  }
}
