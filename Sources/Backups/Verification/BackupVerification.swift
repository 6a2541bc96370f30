import Archive
import Synchronization
import SystemPackage

/// Reads every byte of a backup and compares it with the manifest; needs no server.
///
/// Beyond the digests of the files it checks what a digest cannot tell: that nothing stands beside them, that the
/// table of contents is one and names them, and that the rows decode to what was read from the database.
public struct BackupVerification: Sendable {
  /// How far the data files are read.
  public enum Depth: Sendable {
    /// Digests of all files, and every row decoded and compared.
    case rows
    /// Digests alone: enough where the rows were compared once for the same manifest, since equal digests are equal
    /// bytes. A quarter of the work.
    case digests
  }

  private let backup: HeldBackup
  private let jobs: Int
  private let depth: Depth
  private let report: @Sendable (VerificationProgress) -> Void

  /// - Parameter jobs: how many files, and pieces of files, are read at once. Memory is about a megabyte for each.
  /// - Parameter report: called from several threads, up to a few hundred times a second.
  public init(
    _ backup: HeldBackup, jobs: Int, depth: Depth = .rows,
    report: @escaping @Sendable (VerificationProgress) -> Void = { _ in }
  ) {
    self.backup = backup
    self.jobs = max(1, jobs)
    self.depth = depth
    self.report = report
  }

  /// - Throws: `CancellationError`; a fault of the backup is part of the result.
  public func run() async throws -> VerificationResult {
    let start = ContinuousClock.now
    let manifest: BackupManifest
    let digest: String
    do {
      (manifest, digest) = try ManifestFile.read(in: backup.directory)
    } catch {
      let problem = [error.message, error.detail].compactMap { $0 }.joined(separator: ". ")
      return VerificationResult(
        findings: [VerificationFinding(path: ManifestFile.name, problem: problem)], manifestSHA256: nil,
        files: 0, bytes: 0, tables: 0, rows: 0,
        durationMilliseconds: (ContinuousClock.now - start).inMilliseconds
      )
    }
    var names = NameCheck(manifest: manifest)
    names.run(in: backup.directory)
    var findings = names.findings
    if BackupName.time(of: backup.id) != nil, backup.id != manifest.id {
      findings.append(
        VerificationFinding(
          path: ManifestFile.name,
          problem: "it belongs to the backup \"\(manifest.id)\", but the directory is called \"\(backup.id)\""
        ))
    }
    if names.isReadable("toc.dat") {
      findings += ContentsCheck(manifest: manifest, directory: backup.directory).run()
    }
    let data = DataCheck(
      manifest: manifest, directory: backup.directory, readable: names.readable, depth: depth,
      report: report)
    findings += try await data.run(jobs: jobs)
    return VerificationResult(
      findings: Set(findings).sorted(), manifestSHA256: digest, files: manifest.files.count,
      bytes: manifest.totalSize, tables: manifest.tables.count, rows: manifest.totalRows,
      durationMilliseconds: (ContinuousClock.now - start).inMilliseconds)
  }
}

extension Duration {
  /// Whole milliseconds, rounded down.
  var inMilliseconds: Int64 { components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000 }
}
