import Backups
import Checklists
import LocalServer
import Migrations
import Postgres
import SystemPackage
import Timekeeping

/// Breaks scratch databases, and what belongs to them, in every way that the probes name, and demands that each turns
/// red.
///
/// On a server of its own that is thrown away, with the project's migrations and seeds: the configured database is
/// never connected to, and the project's repository is not looked at.
public struct ChecklistSelftest: Sendable {
  /// Names; empty for all probes.
  public let probes: [String]
  /// The directory that the throwaway server is made in; nil for one of the project.
  public let scratch: String?

  public init(probes: [String] = [], scratch: String? = nil) {
    self.probes = probes
    self.scratch = scratch
  }

  public struct Result: Sendable, Encodable {
    /// Of the throwaway server, such as `15.14`.
    public let serverVersion: String
    public let passed: Bool
    public let probes: Int
    public let controls: Int
    public let results: [SelftestResult]
    public let milliseconds: Int64

    public var failures: [SelftestResult] { results.filter { !$0.isPassed } }
  }

  public enum Event: Sendable {
    /// What is done before the first control, in a few words.
    case preparing(String)
    case removedLeftover(String)
    case warning(String, detail: String?, hint: String?)
    /// `number` of `total` controls is done.
    case control(SelftestResult, number: Int, total: Int)
  }

  public typealias Reporter = @Sendable (Event) -> Void

  /// - Throws: ``ChecklistError`` of kind `invalidInput` for a name that no probe has and of kind `interrupted`;
  ///   `LocalServerError` when no server can be made; what `migrate up`, `seed` and `maintain` throw when the template
  ///   cannot be made of the project.
  public func run(project: Project, report: @escaping Reporter) async throws -> Result {
    let chosen = try choose()
    try BackupProve.refuseForeignAddress()
    try project.requireMigrationDirectories()
    let parent = FilePath(scratch ?? project.root + "/.tsdb/selftest")
    Self.removeLeftovers(below: parent, report)
    let installation = try ServerInstallation.choose(
      among: try InstallationSearch().installations(), clusterMajor: nil)
    let server = try ThrowawayServer.make(below: parent, installation: installation)
    do {
      let result = try await run(chosen, project, server, "\(installation.version)", report)
      try server.destroy()
      return result
    } catch {
      // What stopped it is what is to be told; a server that stays is found by the next run.
      try? server.destroy()
      if Task.isCancelled { throw ChecklistError(.interrupted, "interrupted", detail: "Nothing is left.") }
      throw error
    }
  }

  private func choose() throws(ChecklistError) -> [any Probe.Type] {
    guard !probes.isEmpty else { return ProbeRegistry.all }
    for name in probes where !ProbeRegistry.all.contains(where: { $0.name == name }) {
      let nearest = EditDistance.nearest(to: name, in: ProbeRegistry.all.map { $0.name })
      throw ChecklistError(
        .invalidInput, "there is no probe \"\(name)\"",
        hint: nearest.map { "did you mean \"\($0)\"?" } ?? "\"tsdb checklist list --probes\" shows them")
    }
    return ProbeRegistry.all.filter { probes.contains($0.name) }
  }

  private func run(
    _ probes: [any Probe.Type], _ project: Project, _ server: ThrowawayServer, _ version: String,
    _ report: @escaping Reporter
  ) async throws -> Result {
    let started = ContinuousClock.now
    report(.preparing("starting PostgreSQL \(version)"))
    let connection = try server.start().connection
    let scratch = ScratchProjects(
      directory: server.directory,
      server: .init(
        parameters: Dictionary(uniqueKeysWithValues: connection.keywords.map { ($0.keyword, $0.value) })))
    let configuration = try await scratch.makeTemplate(of: project) { report($0) }
    let selftest = Selftest(
      probes: probes, makeScratch: { try await scratch.make($0, configuration: configuration) })
    let total = selftest.plan.steps.count
    let done = await selftest.run { report(.control($0, number: $1, total: total)) }
    try Task.checkCancellation()
    return Result(
      serverVersion: version, passed: done.isPassed, probes: probes.count, controls: done.planned,
      results: done.results, milliseconds: (ContinuousClock.now - started).wholeMilliseconds)
  }

  private static func removeLeftovers(below parent: FilePath, _ report: Reporter) {
    for leftover in ThrowawayServer.removeLeftovers(below: parent) {
      if let failure = leftover.failure {
        report(
          .warning(
            "the server in \"\(leftover.directory)\", which an interrupted selftest left, is not removed: "
              + failure.message, detail: failure.detail, hint: failure.hint))
      } else {
        report(.removedLeftover(leftover.directory.string))
      }
    }
  }
}
