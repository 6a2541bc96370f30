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

  /// How many files are looked at for one of this database.
  private static let most = 20

  /// - Throws: ``ChecklistError`` of kind `invalidInput` for a file that was named and cannot be read. One whose chain is
  ///   broken is unknown: it says nothing.
  func read(server: ReportServer, clean: ReportCleaning) throws -> ReportPart<ReportChecklist> {
    if let file {
      do {
        return part(
          try FileBytes.read(FilePath(Project.absolute(file)), limit: Self.limit), file, server, clean)
      } catch {
        throw ChecklistError(
          .invalidInput, "\"\(file)\" cannot be read: \(error)",
          hint: "evidence is made by tsdb checklist run FILE --evidence FILE")
      }
    }
    // A project may have deployed to more than one database.
    for path in newest().prefix(Self.most) {
      do {
        let part = part(try FileBytes.read(FilePath(path), limit: Self.limit), path, server, clean)
        if part.value?.isOfThisDatabase != false { return part }
      } catch {
        return .unknown(ReportGap(clean("\"\(path)\" cannot be read: \(error)"), remedy: nil))
      }
    }
    return .absent
  }

  /// In bytes.
  private static let limit = 64 << 20

  private func part(
    _ bytes: [UInt8], _ path: String, _ server: ReportServer, _ clean: ReportCleaning
  ) -> ReportPart<ReportChecklist> {
    do throws(ChecklistError) {
      let chain = try EvidenceChain(verifying: bytes, path: path)
      return .known(ReportChecklist(chain, path: path, server: server, clean: clean))
    } catch {
      return .unknown(
        ReportGap(
          clean("\(path): \(error.message)"), remedy: clean("tsdb checklist run FILE --evidence FILE")))
    }
  }

  /// The files of evidence below `.tsdb/deployments`, the youngest first.
  private func newest() -> [String] {
    let directory = project.root + "/.tsdb/deployments"
    let names = (try? FileManager.default.subpathsOfDirectory(atPath: directory)) ?? []
    func changed(_ path: String) -> Date {
      let attributes = try? FileManager.default.attributesOfItem(atPath: path)
      return attributes?[.modificationDate] as? Date ?? .distantPast
    }
    let files = names.filter { $0.hasSuffix(".jsonl") }.map { "\(directory)/\($0)" }
    return files.map { ($0, changed($0)) }.sorted { ($0.1, $0.0) > ($1.1, $1.0) }.map(\.0)
  }
}
