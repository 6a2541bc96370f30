import Checklists
import Deployments
import Maintenance
import Postgres
import Processes
import SystemPackage
import Timekeeping

/// Asks a checklist's items and fills in its boxes.
public struct ChecklistRun: Sendable {
  public let file: String
  /// Only items of these; empty for all.
  public var phases: [ChecklistPhase] = []
  /// Where the document is written with its boxes filled in; may be the document itself.
  public var output: String?
  /// Where the evidence is written; nothing may be there.
  public var evidence: String?
  /// Whether what is written is for its owner alone; else all may read it.
  public var isPrivate = false
  /// Of this process.
  public var environment: [String: String]
  /// When the deployment began that the checklist belongs to; nil for the last one of the project, if it is recent.
  public var deploymentStart: UTCTime?

  /// A checklist ends with the first week after a deployment.
  private static let recent: Int64 = 8 * 86_400

  public init(file: String, environment: [String: String]) {
    self.file = file
    self.environment = environment
  }

  public struct Result: Sendable, Encodable {
    public let document: String
    public let documentSHA256: String
    public let server: ChecklistServer?
    /// Why the server could not be reached.
    public let unreachable: String?
    /// UTC, ISO 8601.
    public let started: String
    /// In the document's order.
    public let items: [ItemOutcome]
    /// By the name of the state.
    public let counts: [String: Int]
    public let output: String?
    public let evidence: String?
    /// Of the last line of the evidence.
    public let evidenceSHA256: String?

    public func count(_ state: ProbeState) -> Int { counts[state.rawValue] ?? 0 }

    /// Whether something is not as it should be.
    ///
    /// - Parameter isStrict: also what could not be looked at, and what nothing is bound to.
    public func hasFindings(isStrict: Bool) -> Bool {
      count(.failed) > 0 || isStrict && count(.unknown) + count(.unbound) > 0
    }
  }

  /// - Parameter report: gets each answer as it comes.
  /// - Throws: ``ChecklistError`` for a document that cannot be used, for evidence that is there already or cannot be
  ///   written, and when the task is cancelled. A server that cannot be reached is an answer of its items.
  public func run(
    _ access: DatabaseAccess, report: @Sendable (ItemOutcome) -> Void = { _ in }
  ) async throws -> Result {
    let document = try ChecklistFile.read(file)
    let items = document.items.filter { phases.isEmpty || phases.contains($0.phase) }
    guard !items.isEmpty else {
      throw ChecklistError(
        .invalidInput,
        "\"\(file)\" has no items of the phase \(phases.map(\.rawValue).joined(separator: ", "))",
        hint: "tsdb checklist list \(file.shellWord)")
    }
    var settings = access.settings
    // Each item would wait for each address of each host.
    if settings["connect_timeout"] == nil { settings["connect_timeout"] = "5" }
    var run = ItemRun(
      probes: ProbeRegistry.all, attestations: try access.project.attestations.newest(),
      directory: access.project.root, environment: environment,
      redaction: Redaction(settings: settings, environment: environment))
    run.ask = { await ProbeRegistry.ask($0, $1, in: access) }
    let prepared = try run.prepare(items, path: file)

    let session = Session(settings, applicationName: "tsdb checklist")
    let (server, reason) = await Self.server(session, schema: access.project.configuration.historySchema)
    run.unreachable = reason.map { run.redaction.clean($0) }
    let context = ProbeContext(
      settings: settings, session: session, now: .now, schema: access.project.configuration.historySchema,
      deploymentStart: deploymentStart ?? Self.lastDeployment(access, server))
    let digest = document.digest
    let started = UTCTime.now.description
    let result: (outcomes: [ItemOutcome], evidence: String?)
    do {
      if let evidence {
        let file = try EvidenceFile(
          creating: FilePath(Project.absolute(evidence)),
          EvidenceHeader(
            document: self.file, documentSHA256: digest, tool: "tsdb \(Version.current)", time: started,
            phases: phases, server: server),
          isPrivate: isPrivate)
        let outcomes = try await run.run(prepared, context) {
          try file.append($0)
          report($0)
        }
        try file.finish(EvidenceEnd(time: UTCTime.now.description, counts: outcomes.counts))
        result = (outcomes, file.digest)
      } else {
        result = (try await run.run(prepared, context) { report($0) }, nil)
      }
    } catch {
      await session.close()
      throw error
    }
    await session.close()
    if let output {
      let states = Dictionary(result.outcomes.map { ($0.line, $0.state) }) { first, _ in first }
      try ReplacedFile(FilePath(Project.absolute(output)), mode: isPrivate ? 0o600 : 0o644).write(
        document.filled(states))
    }
    return Result(
      document: file, documentSHA256: digest, server: server, unreachable: run.unreachable, started: started,
      items: result.outcomes, counts: result.outcomes.counts, output: output, evidence: evidence,
      evidenceSHA256: result.evidence)
  }

  /// When the last deployment of the database began, by the records beside the project.
  ///
  /// Without a server, or with records that cannot be read, it is as if there were none: a probe then says of which
  /// span it speaks.
  private static func lastDeployment(_ access: DatabaseAccess, _ server: ChecklistServer?) -> UTCTime? {
    guard let server,
      let records = try? DeploymentStore(project: access.project).records(
        of: server.database, systemIdentifier: server.systemIdentifier)
    else { return nil }
    return records.last { $0.state != .abandoned && $0.state != .rolledBack }
      .flatMap { UTCTime($0.started) }.flatMap { UTCTime.now - $0 < recent ? $0 : nil }
  }

  /// The server's facts, or why there are none.
  private static func server(_ session: Session, schema: String) async -> (ChecklistServer?, String?) {
    do {
      let server = try await session.run { connection in
        try ChecklistServer.bound(connection)
        return try ChecklistServer(on: connection, schema: schema)
      }
      return (server, nil)
    } catch {
      return (nil, (error as? PostgresError)?.message ?? "\(error)")
    }
  }
}
