import FoundationEssentials

/// The first line of a file of evidence: what was looked at, and by whom.
public struct EvidenceHeader: Sendable, Codable, Equatable {
  /// Of the lines' form.
  public var format = 1
  /// The path of the document as it was given.
  public var document: String
  /// Of the document before it was filled in, lower-case hexadecimal.
  public var documentSHA256: String
  /// Such as `tsdb 0.1.0`.
  public var tool: String
  /// UTC, ISO 8601, as all times.
  public var time: String
  /// The phases that were run; empty for all.
  public var phases: [ChecklistPhase]
  /// Facts of the server; nil where it could not be asked.
  public var server: ChecklistServer?

  enum CodingKeys: String, CodingKey {
    case format, document
    case documentSHA256 = "document_sha256"
    case tool, time, phases, server
  }

  public init(
    document: String, documentSHA256: String, tool: String, time: String, phases: [ChecklistPhase],
    server: ChecklistServer?
  ) {
    self.document = document
    self.documentSHA256 = documentSHA256
    self.tool = tool
    self.time = time
    self.phases = phases
    self.server = server
  }
}

/// The database that is asked.
public struct ChecklistServer: Sendable, Codable, Equatable {
  public var version: String
  /// nil where the role may not ask for it.
  public var systemIdentifier: String?
  public var database: String
  public var role: String
  /// The newest migration that is applied; nil where there is none.
  public var migrationHead: String?
  /// Of its text, lower-case hexadecimal.
  public var migrationChecksum: String?
  public var migrationsApplied: Int

  enum CodingKeys: String, CodingKey {
    case version
    case systemIdentifier = "system_identifier"
    case database, role
    case migrationHead = "migration_head"
    case migrationChecksum = "migration_checksum"
    case migrationsApplied = "migrations_applied"
  }

  public init(
    version: String, systemIdentifier: String?, database: String, role: String, migrationHead: String? = nil,
    migrationChecksum: String? = nil, migrationsApplied: Int = 0
  ) {
    self.version = version
    self.systemIdentifier = systemIdentifier
    self.database = database
    self.role = role
    self.migrationHead = migrationHead
    self.migrationChecksum = migrationChecksum
    self.migrationsApplied = migrationsApplied
  }
}

/// How an item stands, and why.
public struct ItemOutcome: Sendable, Codable, Equatable {
  /// Of the document, counted from 1.
  public var line: Int
  public var item: String
  public var phase: ChecklistPhase
  public var headings: [String]
  /// Of the probe, or `command`, `url`, `attest`; nil where the item is unbound.
  public var probe: String?
  public var state: ProbeState
  public var asked: String
  public var observed: String
  public var remedy: String?
  /// UTC, ISO 8601.
  public var time: String
  public var milliseconds: Int64
  public var attestation: Attestation?

  public init(
    _ item: ChecklistItem, probe: String?, _ answer: ProbeAnswer, time: String, milliseconds: Int64,
    attestation: Attestation? = nil
  ) {
    line = item.line
    self.item = item.text
    phase = item.phase
    headings = item.headings
    self.probe = probe
    state = answer.state
    asked = answer.asked
    observed = answer.observed
    remedy = answer.remedy
    self.time = time
    self.milliseconds = milliseconds
    self.attestation = attestation
  }
}

/// The last line: without it the file was cut.
public struct EvidenceEnd: Sendable, Codable, Equatable {
  public var time: String
  /// How many items stand in each state, by its name.
  public var counts: [String: Int]

  public init(time: String, counts: [String: Int]) {
    self.time = time
    self.counts = counts
  }
}

/// One line, with one of its three contents.
struct EvidenceLine: Codable {
  /// The SHA-256 of the line before without its end; 64 zeros in the first.
  var previous: String
  var header: EvidenceHeader?
  var item: ItemOutcome?
  var end: EvidenceEnd?

  static let origin = String(repeating: "0", count: 64)
}
