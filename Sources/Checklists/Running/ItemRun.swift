import Postgres
import Processes
import Timekeeping

/// Asks the items of a document, one after the other.
public struct ItemRun: Sendable {
  /// The probes there are, by name.
  public let probes: [String: any Probe.Type]
  public let attestations: [AttestationKey: Attestation]
  /// Where commands are run.
  public let directory: String
  /// What commands and addresses get.
  public let environment: [String: String]
  public let redaction: Redaction
  /// How a probe is asked; what needs more than a connection is asked by who has it.
  public var ask: @Sendable (any Probe, ProbeContext) async -> ProbeAnswer = { await $0.run($1) }
  /// For one probe.
  public var limit = Duration.seconds(600)
  /// Why the server cannot be reached; then no probe waits for it again but those that ask just that.
  public var unreachable: String?

  /// Probes that say something where no server answers: they are about the connection, or need none.
  static let withoutServer: Set = ["database", "environment", "network", "connection", "backup", "rollback"]

  public init(
    probes: [any Probe.Type], attestations: [AttestationKey: Attestation], directory: String,
    environment: [String: String], redaction: Redaction
  ) {
    self.probes = Dictionary(probes.map { ($0.name, $0) }) { first, _ in first }
    self.attestations = attestations
    self.directory = directory
    self.environment = environment
    self.redaction = redaction
  }

  /// What an item's answer comes from.
  enum Question {
    case probe(any Probe)
    case command(CommandProbe)
    case url(URLProbe)
    case word
    /// No probe has the name.
    case missing
    case unbound
  }

  /// The items with what they are bound to.
  public struct Prepared: Sendable {
    let path: String
    let items: [(item: ChecklistItem, call: ProbeCall?, question: Question)]
  }

  /// Makes the probes of all items before any is asked.
  ///
  /// - Throws: ``ChecklistError`` of kind `invalidInput`, with the line, for arguments that cannot be used.
  public func prepare(_ items: [ChecklistItem], path: String) throws(ChecklistError) -> Prepared {
    var prepared: [(ChecklistItem, ProbeCall?, Question)] = []
    for item in items {
      let call = item.call
      do throws(ChecklistError) {
        prepared.append((item, call, try question(call)))
      } catch {
        throw ChecklistError(
          error.kind, "\(call?.name ?? ""): \(error.message)", location: "\(path):\(item.line):1",
          detail: error.detail, hint: error.hint, excerpt: error.excerpt)
      }
    }
    return Prepared(path: path, items: prepared)
  }

  private func question(_ call: ProbeCall?) throws(ChecklistError) -> Question {
    guard let call else { return .unbound }
    switch call.name {
    case "command": return .command(try CommandProbe(call))
    case "url": return .url(try URLProbe(call))
    case "attest": return .word
    default:
      guard let type = probes[call.name] else { return .missing }
      return .probe(try type.init(arguments: call.arguments))
    }
  }

  /// Asks them all; what goes wrong while asking is an answer.
  ///
  /// - Parameter report: gets each answer before the next item is asked.
  /// - Throws: what `report` throws, and ``ChecklistError`` of kind `interrupted` when the task is cancelled.
  public func run(
    _ prepared: Prepared, _ context: ProbeContext, report: (ItemOutcome) throws -> Void
  ) async throws -> [ItemOutcome] {
    var outcomes: [ItemOutcome] = []
    for (item, call, question) in prepared.items {
      let (time, start) = (UTCTime.now, ContinuousClock.now)
      let attestation = attestations[AttestationKey(item)]
      var answer = redaction.clean(await self.answer(question, call, attestation, context))
      if call == nil || call?.name == "attest", answer.state != .attested {
        answer.remedy = "tsdb checklist attest \(prepared.path.shellWord) \(item.line) --by NAME --until DATE"
      }
      if Task.isCancelled { throw ChecklistError(.interrupted, "interrupted", detail: "No box was changed.") }
      let outcome = ItemOutcome(
        item, probe: call?.name, answer, time: time.description,
        milliseconds: (ContinuousClock.now - start).wholeMilliseconds,
        attestation: answer.state == .attested ? attestation : nil)
      try report(outcome)
      outcomes.append(outcome)
    }
    return outcomes
  }

  private func answer(
    _ question: Question, _ call: ProbeCall?, _ attestation: Attestation?, _ context: ProbeContext
  ) async -> ProbeAnswer {
    switch question {
    case .command(let command): return await command.run(in: directory, environment: environment, redaction)
    case .url(let url): return await url.run(environment: environment)
    case .word: return Self.word(attestation, at: context.now, otherwise: .unknown)
    case .unbound: return Self.word(attestation, at: context.now, otherwise: .unbound)
    case .missing:
      return ProbeAnswer(
        .unknown, asked: call?.name ?? "", observed: "this tsdb has no probe of that name",
        remedy: "tsdb checklist list --probes")
    case .probe(let probe):
      let name = type(of: probe).name
      let area = String(name.prefix { $0 != "." })
      if let unreachable, !Self.withoutServer.contains(area) {
        return ProbeAnswer(.unknown, asked: name, observed: "the server cannot be reached: \(unreachable)")
      }
      return await bounded(probe, context)
    }
  }

  /// Ends a probe that takes too long, and leaves the session as it was.
  private func bounded(_ probe: any Probe, _ context: ProbeContext) async -> ProbeAnswer {
    let name = type(of: probe).name
    let (ask, limit) = (ask, limit)
    let given = await withTaskGroup(of: ProbeAnswer?.self) { group in
      group.addTask { await ask(probe, context) }
      group.addTask {
        try? await Task.sleep(for: limit)
        return nil
      }
      let first = await group.next() ?? nil
      group.cancelAll()
      return first
    }
    if unreachable == nil {
      try? await context.session.run { connection in
        if connection.isInTransaction { try connection.execute("rollback") }
      }
    }
    guard let answer = given else {
      return ProbeAnswer(
        .unknown, asked: name, observed: "no answer within \(limit.spanText), so it was ended")
    }
    // Only a person attests, and who saw nothing has proved nothing.
    let isUsable =
      answer.state != .attested && answer.state != .unbound
      && !(answer.state == .proved && answer.observed.isEmpty)
    return isUsable ? answer : ProbeAnswer(.unknown, asked: name, observed: "the probe saw nothing")
  }

  private static func word(
    _ attestation: Attestation?, at now: UTCTime, otherwise state: ProbeState
  ) -> ProbeAnswer {
    let asked = "the word of a person"
    guard let attestation else {
      return ProbeAnswer(
        state, asked: asked, observed: state == .unbound ? "nothing is bound to it" : "nobody has given it")
    }
    guard attestation.holds(at: now) else {
      return ProbeAnswer(
        state, asked: asked, observed: "that of \(attestation.by) ended with \(attestation.lastDay)")
    }
    let note = attestation.note.map { ": \($0)" } ?? ""
    return ProbeAnswer(
      .attested, asked: asked,
      observed: "\(attestation.by) on \(attestation.time), until \(attestation.lastDay)\(note)")
  }
}
