import Postgres
import Timekeeping

/// Breaks scratch databases in every way the probes name, and demands that each probe turns red; and that none is
/// proved by an empty database or by no server at all.
///
/// An answer that speaks of an address, a probe that leaves a transaction open or rows changed fails its control too.
public struct Selftest: Sendable {
  public let plan: SelftestPlan
  private let makeScratch: @Sendable (ScratchDatabase.Kind) async throws -> ScratchDatabase
  private let makeContext: @Sendable (ConnectionSettings, Session) -> ProbeContext

  /// - Parameter makeScratch: makes a new database each time, best from a template.
  /// - Parameter makeContext: what a probe works with on the given session; by default of the schema `tsdb` and now.
  public init(
    probes: [any Probe.Type],
    makeScratch: @escaping @Sendable (ScratchDatabase.Kind) async throws -> ScratchDatabase,
    makeContext: @escaping @Sendable (ConnectionSettings, Session) -> ProbeContext = {
      ProbeContext(settings: $0, session: $1, now: .now, schema: "tsdb")
    }
  ) {
    plan = SelftestPlan(probes: probes)
    self.makeScratch = makeScratch
    self.makeContext = makeContext
  }

  /// Runs one control after the other; a cancelled task ends it before the next.
  ///
  /// - Parameter progress: told each result as it comes, and its number from 1.
  public func run(
    progress: @Sendable (SelftestResult, _ number: Int) -> Void = { _, _ in }
  ) async -> SelftestReport {
    var results: [SelftestResult] = []
    for step in plan.steps {
      guard !Task.isCancelled else { break }
      let result = await run(step)
      results.append(result)
      progress(result, results.count)
    }
    return SelftestReport(results: results, planned: plan.steps.count)
  }

  /// One control.
  public func run(_ step: SelftestStep) async -> SelftestResult {
    var result = SelftestResult(step)
    do {
      switch step.control {
      case .missingDefect: result.problem = "it names no defect"
      case .defect(let defect):
        try await withScratch(.application) { try await control(step.probe, defect, on: $0, &result) }
      case .emptyDatabase:
        try await withScratch(.empty) { scratch in
          let answer = try await ask(step.probe, Self.leastArguments(step.probe), scratch, &result)
          if answer.state == .proved { result.problem = "an empty database proves it" }
        }
      case .noServer:
        try await withScratch(.unreachable) { scratch in
          let answer = try await ask(step.probe, Self.leastArguments(step.probe), scratch, &result)
          if [.proved, .notApplicable, .attested].contains(answer.state) {
            result.problem = "it is \(answer.state.rawValue) without a server"
          }
        }
      }
    } catch let problem as SelftestProblem {
      result.problem = problem.text
    } catch let error as PostgresError {
      result.problem = "the control could not be run: \(ProbeQuestion.reason(error))"
    } catch let error as ChecklistError {
      result.problem = error.message
    } catch {
      result.problem = "the control could not be run"
    }
    return result
  }

  private func control(
    _ probe: any Probe.Type, _ defect: ProbeDefect, on scratch: ScratchDatabase,
    _ result: inout SelftestResult
  ) async throws {
    let observer = Session(scratch.settings, applicationName: "tsdb selftest")
    let rows = try await ScratchRows.read(observer)
    let before = try await ask(probe, Self.leastArguments(probe), scratch, &result)
    result.before = before.state
    guard before.state != .failed else { throw SelftestProblem("it is red before anything is broken") }
    guard try await ScratchRows.read(observer) == rows else {
      throw SelftestProblem("it leaves rows changed")
    }
    await observer.close()

    // Open until the probe has answered: a defect may be this very session.
    let breaking = Session(scratch.settings, applicationName: "tsdb selftest")
    if !defect.sql.isEmpty {
      do {
        try await breaking.run { _ = try $0.execute(defect.sql) }
      } catch let error as PostgresError {
        throw SelftestProblem("it could not be broken (SQLSTATE \(error.sqlState))")
      }
    }
    if !defect.changes.isEmpty { try scratch.change(defect.changes) }
    let arguments = defect.arguments.isEmpty ? Self.leastArguments(probe) : defect.arguments
    let answer = try await ask(probe, arguments, scratch, replacing: defect.settings, &result)
    await breaking.close()
    result.after = answer.state
    guard answer.state == .failed else {
      throw SelftestProblem("it is \(answer.state.rawValue), not failed, when broken")
    }
  }

  /// Asks on a session of its own, as settings of the database count from the next session on.
  private func ask(
    _ probe: any Probe.Type, _ arguments: [String: String], _ scratch: ScratchDatabase,
    replacing parameters: [String: String] = [:], _ result: inout SelftestResult
  ) async throws -> ProbeAnswer {
    var settings = scratch.settings
    for (keyword, value) in parameters { settings[keyword] = value }
    let session = Session(settings, applicationName: "tsdb checklist")
    let answer = await scratch.ask(try probe.init(arguments: arguments), makeContext(settings, session))
    result.after = answer.state
    result.observed = answer.observed
    let isOpen = (try? await session.run { $0.isInTransaction }) ?? false
    await session.close()
    guard !isOpen else { throw SelftestProblem("it leaves a transaction open") }
    guard !answer.asked.isEmpty, !answer.observed.isEmpty else {
      throw SelftestProblem("it does not say what it asked or saw")
    }
    let texts = [answer.asked, answer.observed, answer.remedy ?? ""]
    guard !texts.contains(where: { $0.contains("@") || $0.contains(where: \.isNewline) }) else {
      result.observed = nil
      throw SelftestProblem("its answer holds an address or several lines")
    }
    return answer
  }

  /// None, or those of its first defect that has some where it cannot do without.
  private static func leastArguments(_ probe: any Probe.Type) -> [String: String] {
    guard (try? probe.init(arguments: [:])) == nil else { return [:] }
    return probe.defects.first { !$0.arguments.isEmpty }?.arguments ?? [:]
  }

  private func withScratch(
    _ kind: ScratchDatabase.Kind, _ body: (ScratchDatabase) async throws -> Void
  ) async throws {
    let scratch: ScratchDatabase
    do {
      scratch = try await makeScratch(kind)
    } catch {
      throw SelftestProblem("no scratch database could be made")
    }
    do {
      try await body(scratch)
      await scratch.drop()
    } catch {
      await scratch.drop()
      throw error
    }
  }
}

/// Why a control was not stood.
private struct SelftestProblem: Error {
  let text: String

  init(_ text: String) {
    self.text = text
  }
}

/// How many rows each table and populated view has; sequences are let move.
private enum ScratchRows {
  static func read(_ session: Session) async throws -> [[String?]] {
    try await session.run { connection in
      let tables = try connection.query(
        """
        select pg_catalog.format('%I.%I', n.nspname, c.relname)
        from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
        where (c.relkind = 'r' or c.relkind = 'm' and c.relispopulated)
          and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg\\_toast%'
        order by 1
        """)
      let counts = (0..<tables.rowCount).map { row in
        "select \(Quoting.literal(tables.text(row, 0))), pg_catalog.count(*) from \(tables.text(row, 0))"
      }
      guard !counts.isEmpty else { return [] }
      return try connection.query(counts.joined(separator: " union all ") + " order by 1").rows()
    }
  }
}
