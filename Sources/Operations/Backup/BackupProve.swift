import Backups
import LocalServer
import Migrations
import Synchronization
import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Verifies backups, restores each on a server that is thrown away, and records the outcome.
///
/// Needs the repository and an installed PostgreSQL server, and no database.
public struct BackupProve: Sendable {
  /// Which backups, and how many connections restore.
  public let verify: BackupVerify
  /// The directory that the throwaway servers are made in; nil for one of the project.
  public let scratch: String?
  /// Leaves the servers running, for a person to look at.
  public let keepsServer: Bool

  public init(verify: BackupVerify, scratch: String? = nil, keepsServer: Bool = false) {
    self.verify = verify
    self.scratch = scratch
    self.keepsServer = keepsServer
  }

  public struct Result: Sendable, Encodable {
    public enum Outcome: String, Sendable, Encodable {
      /// Restored, and equal.
      case proven
      /// Its files are not what its manifest says.
      case damaged
      /// It cannot be restored, or what is restored differs.
      case failed
      /// It could not be tried on this machine, or it is restored equal and a verify script fails, which tells
      /// of the database that was backed up or of the machine. Nothing is said against the backup.
      case notProven = "not-proven"
    }

    public struct Finding: Sendable, Encodable {
      public let problem: String
      public let remedy: String?

      init(_ finding: RestoreFinding) {
        problem = finding.problem
        remedy = finding.remedy
      }
    }

    /// A server that goes on running.
    public struct Kept: Sendable, Encodable {
      public let directory: String
      /// The restored database.
      public let url: String
    }

    public struct Backup: Sendable, Encodable {
      public let id: String
      public let path: String
      public let outcome: Outcome
      /// The comparison of the files.
      public let verification: BackupVerify.Result.Backup
      public let findings: [Finding]
      /// Of the throwaway server, such as `15.14`; nil when there was none.
      public let serverVersion: String?
      /// Whether the catalogue was compared, too: it can be on the same major version, for a whole database.
      public let comparedCatalogue: Bool
      /// nil when nothing was restored to its end.
      public let restore: RestoreReport?
      /// nil when nothing was restored, or the backup knows of no migrations.
      public let scripts: ProofScripts?
      /// What a person should know.
      public let notes: [String]
      public let kept: Kept?
    }

    public let backups: [Backup]
    public var hasFindings: Bool { backups.contains { $0.outcome != .proven } }
  }

  /// What it tells while it goes on.
  public enum Event: Sendable {
    case verifying(VerificationProgress)
    /// A throwaway server of this version is being made.
    case startingServer(version: String)
    case restoring(RestoreEvent)
    case runningScripts
    case removedLeftover(String)
  }

  public typealias Reporter = @Sendable (_ id: String, _ event: Event) -> Void

  /// - Throws: `BackupError`, `LocalServerError` when no server can be made, `CancellationError`.
  public func run(_ access: RepositoryAccess, report: @escaping Reporter) async throws -> Result {
    try Self.refuseForeignAddress()
    let access = access.warningOnce()
    let parent = FilePath(scratch ?? access.project.root + "/.tsdb/proofs")
    for leftover in ThrowawayServer.removeLeftovers(below: parent) {
      if let failure = leftover.failure {
        access.warn(
          "the server in \"\(leftover.directory)\", which an interrupted proof left, is not removed: "
            + failure.message, failure.detail, failure.hint)
      } else {
        report("", .removedLeftover(leftover.directory.string))
      }
    }
    var results: [Result.Backup] = []
    for entry in try verify.entries(access) {
      try Task.checkCancellation()
      guard let backup = try verify.hold(entry, access) else { continue }
      let files = try await verify.verify(backup, access) { report($0, .verifying($1)) }
      let run = ProofRun(
        backup: backup, files: files, jobs: verify.jobs, parent: parent, keepsServer: keepsServer,
        access: access
      ) { [id = backup.id] in report(id, $0) }
      results.append(try await run.perform())
    }
    return Result(backups: results)
  }

  /// libpq lets this variable win over the socket's directory, and an empty parameter does not unset it.
  static func refuseForeignAddress() throws(BackupError) {
    guard let value = getenv("PGHOSTADDR"), value.pointee != 0 else { return }
    throw BackupError(
      .invalidInput, "PGHOSTADDR is set, and would lead away from the throwaway server",
      detail: "Nothing was done.",
      hint: "unset it, and name the database with DATABASE_URL (…?hostaddr=…) instead")
  }
}

extension RepositoryAccess {
  /// The same, but what was warned of is not repeated for every record.
  fileprivate func warningOnce() -> RepositoryAccess {
    let seen = SeenWarnings()
    return RepositoryAccess(project: project, path: path, settings: settings) {
      [warn] message, detail, hint in
      if seen.insert(message) { warn(message, detail, hint) }
    }
  }
}

private final class SeenWarnings: Sendable {
  private let messages = Mutex<Set<String>>([])

  /// Whether it is new.
  func insert(_ message: String) -> Bool { messages.withLock { $0.insert(message).inserted } }
}
