import Checklists
import FoundationEssentials
import SystemPackage
import Timekeeping

/// A checklist as its evidence has it.
public struct ReportChecklist: Sendable, Encodable {
  public struct Phase: Sendable, Encodable {
    public let phase: ChecklistPhase
    /// How many items stand in each state, by its name.
    public let counts: [String: Int]
  }

  public struct Item: Sendable, Encodable {
    public let line: Int
    public let phase: ChecklistPhase
    public let section: ReportText?
    public let item: ReportText
    public let state: ProbeState
    public let observed: ReportText
    public let remedy: ReportText?
    /// Who attests it.
    public let attestedBy: ReportText?
  }

  public let evidence: ReportText
  public let document: ReportText
  public let started: String
  public let ended: String
  /// Of the last line.
  public let sha256: String
  public let database: ReportText?
  public let migrationHead: ReportText?
  /// Whether it was taken of the database that the report is on; nil where that cannot be told.
  public let isOfThisDatabase: Bool?
  public let counts: [String: Int]
  /// In the order of a deployment.
  public let phases: [Phase]
  public let items: ReportList<Item>

  public func count(_ state: ProbeState) -> Int { counts[state.rawValue] ?? 0 }
}

extension ReportChecklist {
  private static let limit = 300

  init(_ chain: EvidenceChain, path: String, server: ReportServer, clean: ReportCleaning) {
    evidence = clean(path)
    document = clean(chain.header.document)
    started = chain.header.time
    ended = chain.end.time
    sha256 = chain.digest
    database = clean(chain.header.server?.database)
    migrationHead = clean(chain.header.server?.migrationHead)
    isOfThisDatabase = chain.header.server.flatMap { own in
      guard clean(own.database) == server.database else { return false }
      guard let there = own.systemIdentifier, let here = server.systemIdentifier else { return nil }
      return there == here
    }
    counts = chain.items.counts
    phases = ChecklistPhase.allCases.compactMap { phase in
      let items = chain.items.filter { $0.phase == phase }
      return items.isEmpty ? nil : Phase(phase: phase, counts: items.counts)
    }
    let items = chain.items.map { item in
      Item(
        line: item.line, phase: item.phase, section: clean(item.headings.last), item: clean(item.item),
        state: item.state, observed: clean(item.observed), remedy: clean(item.remedy),
        attestedBy: clean(item.attestation?.by))
    }
    self.items = ReportList(items, limit: Self.limit)
  }
}

/// Finds and reads the evidence of a checklist.
struct ReportEvidence {
  /// As given; nil for the newest of the project's deployments.
  let file: String?
  let project: Project

  /// - Throws: ``ChecklistError`` of kind `invalidInput` for a file that was named and is not there. One whose chain is
  ///   broken is unknown: it says nothing.
  func read(server: ReportServer, clean: ReportCleaning) throws -> ReportPart<ReportChecklist> {
    guard let path = file.map(Project.absolute) ?? newest() else { return .absent }
    let bytes: [UInt8]
    do {
      bytes = try FileBytes.read(FilePath(path), limit: 64 << 20)
    } catch {
      guard file == nil else {
        throw ChecklistError(
          .invalidInput, "\"\(file ?? path)\" cannot be read: \(error)",
          hint: "evidence is made by tsdb checklist run FILE --evidence FILE")
      }
      return .unknown(ReportGap(clean("\"\(path)\" cannot be read: \(error)"), remedy: nil))
    }
    do throws(ChecklistError) {
      let chain = try EvidenceChain(verifying: bytes, path: file ?? path)
      return .known(ReportChecklist(chain, path: file ?? path, server: server, clean: clean))
    } catch {
      return .unknown(
        ReportGap(
          clean("\(file ?? path): \(error.message)"), remedy: clean("tsdb checklist run FILE --evidence FILE")
        ))
    }
  }

  /// The youngest file of evidence below `.tsdb/deployments`.
  private func newest() -> String? {
    let directory = project.root + "/.tsdb/deployments"
    let names = (try? FileManager.default.subpathsOfDirectory(atPath: directory)) ?? []
    let files = names.filter { $0.hasSuffix(".jsonl") }.map { "\(directory)/\($0)" }
    func changed(_ path: String) -> Date {
      let attributes = try? FileManager.default.attributesOfItem(atPath: path)
      return attributes?[.modificationDate] as? Date ?? .distantPast
    }
    return files.map { ($0, changed($0)) }.max { ($0.1, $0.0) < ($1.1, $1.0) }?.0
  }
}
