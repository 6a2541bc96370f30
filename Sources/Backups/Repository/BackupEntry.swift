import Archive
import SystemPackage
import Timekeeping

/// How far a backup can be trusted.
public enum BackupState: Sendable, Equatable {
  /// It is being written.
  case running
  /// What a killed run left; the next backup removes it.
  case abandoned
  /// What a killed removal left; the next prune removes it.
  case deleting
  /// Its manifest cannot be read, or the last check found a fault.
  case damaged(String)
  /// It has its name, so it was written to its end.
  case complete
  /// Every byte was read and is what the manifest says.
  case verified(UTCTime)
  /// It was restored on a throwaway server, and the result was equal.
  case proven(UTCTime)

  /// `running`, `abandoned`, `deleting`, `damaged`, `complete`, `verified` or `proven`.
  public var name: String {
    switch self {
    case .running: "running"
    case .abandoned: "abandoned"
    case .deleting: "deleting"
    case .damaged: "damaged"
    case .complete: "complete"
    case .verified: "verified"
    case .proven: "proven"
    }
  }

  /// When it was verified or proven.
  public var time: UTCTime? {
    switch self {
    case .verified(let time), .proven(let time): time
    default: nil
    }
  }

  /// Of a backup with a sound manifest, by its proofs, oldest first.
  ///
  /// A failed check counts until a later one succeeds: a copy may have been mended from another.
  init(proofs: [Proof]) {
    self = .complete
    for proof in proofs {
      guard let time = UTCTime(proof.time) else { continue }
      switch (proof.kind, self) {
      case (.failed, _): self = .damaged(proof.detail ?? "the check of \(proof.time) failed")
      case (.proven, _): self = .proven(time)
      // What was proven stays so: verifying again shows less.
      case (.verified, .proven): break
      case (.verified, _): self = .verified(time)
      }
    }
  }
}

/// One directory of a repository.
public struct BackupEntry: Sendable {
  /// The directory's name, with the suffix of one that is not finished.
  public let id: String
  public let path: FilePath
  public let state: BackupState
  /// nil for what is not finished and for a damaged manifest.
  public let manifest: BackupManifest?
  /// The digest at the end of the manifest, which its proofs repeat.
  public let manifestSHA256: String?
  /// Of this manifest, oldest first.
  public let proofs: [Proof]
  /// Of the database, as far as it is known of an unfinished backup.
  public let database: String?
  /// When the backup began; of an unreadable one by its name.
  public let time: UTCTime?

  /// Whether it can be restored, as far as is known.
  public var isUsable: Bool {
    switch state {
    case .complete, .verified, .proven: true
    case .running, .abandoned, .deleting, .damaged: false
    }
  }

  /// Of all its files but the manifest, bytes.
  public var size: Int64? { manifest?.totalSize }

  /// Reads what a finished backup says of itself; a fault becomes its state.
  public init(reading directory: HeldDirectory, id: String) {
    self.id = id
    path = directory.path
    do throws(BackupError) {
      let (manifest, digest) = try ManifestFile.read(in: directory)
      let proofs = try ProofLog.read(in: directory, manifestSHA256: digest)
      self.manifest = manifest
      manifestSHA256 = digest
      self.proofs = proofs
      state = BackupState(proofs: proofs)
      database = manifest.server.database.name
      time = UTCTime(manifest.started)
    } catch {
      state = .damaged([error.message, error.detail].compactMap { $0 }.joined(separator: ". "))
      (manifest, manifestSHA256, proofs, database) = (nil, nil, [], nil)
      time = BackupName.time(of: id)
    }
  }

  init(_ leftover: BackupRepository.Leftover, in repository: FilePath) {
    id = leftover.name
    path = repository.appending(leftover.name)
    state =
      switch (leftover.kind, leftover.isInUse) {
      case (.partial, true): .running
      case (.partial, false): .abandoned
      case (.deleting, _): .deleting
      }
    (manifest, manifestSHA256, proofs) = (nil, nil, [])
    database = leftover.database
    time = leftover.time
  }
}

/// `manifest.json` of a backup.
public enum ManifestFile {
  public static let name = "manifest.json"

  /// The manifest, and the digest at its end.
  ///
  /// - Throws: ``BackupError`` when it is missing, damaged or of a newer format.
  public static func read(in directory: HeldDirectory) throws(BackupError) -> (
    manifest: BackupManifest, sha256: String
  ) {
    let bytes = try directory.read(name, limit: Int(BackupManifest.maximumSize))
    do {
      let manifest = try BackupManifest(reading: bytes)
      // What was read has been compared with it: `…":"<64 digits>"}` and a line end.
      return (manifest, String(decoding: bytes.suffix(67).prefix(64), as: UTF8.self))
    } catch {
      throw BackupError(
        .failed, "\"\(directory.path.appending(name))\": \(error.message)", detail: error.detail,
        hint: error.hint)
    }
  }
}

extension BackupManifest {
  /// Of all files but the manifest itself, bytes.
  public var totalSize: Int64 { files.reduce(0) { $0 &+ $1.size } }
  /// Of all tables.
  public var totalRows: Int64 { tables.reduce(0) { $0 &+ $1.rows } }

  /// How long it took; nil where the times cannot be read.
  public var durationSeconds: Int64? {
    guard let start = UTCTime(started), let end = UTCTime(finished) else { return nil }
    return end - start
  }

  /// What retention counts it with: the same database of the same server, in the same scope. Two servers may
  /// keep databases of one name in one repository, and a backup of a few tables is none of the whole.
  public var series: String {
    var series = server.database.name
    if let identifier = server.systemIdentifier { series += " of server \(identifier)" }
    if !scope.isWholeDatabase {
      series +=
        " (tables \(scope.tables.sorted().joined(separator: ", "))"
        + (scope.excludedTables.isEmpty
          ? ")" : "; without \(scope.excludedTables.sorted().joined(separator: ", ")))")
    }
    return series
  }
}
