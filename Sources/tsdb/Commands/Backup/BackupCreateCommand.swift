import ArgumentParser
import Backups
import Compression
import Migrations
import Operations

struct BackupCreateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "create", abstract: "Take a backup of the database.",
    discussion: """
      The backup is a directory in the repository: pg_dump's directory format, which plain pg_restore reads, with \
      a manifest beside it that proves it whole. It appears under its name only when it is complete.

      EXAMPLES
        tsdb backup
        tsdb backup --label before-release-42 --jobs 4
        tsdb backup --table 'public.support_*' --repository /srv/backups
        pg_restore --create --dbname postgres backups/20261124T020000Z-support

      \(ExitStatus.help)
      """)

  @OptionGroup var global: GlobalOptions

  @Option(
    name: [.long, .customLong("to")],
    help: ArgumentHelp(
      "The repository's directory.", discussion: "Else backup.repository.", valueName: "directory"))
  var repository: String?

  @Option(name: .shortAndLong, help: "Connections that read data.")
  var jobs: Int?

  @Option(
    help: ArgumentHelp(
      "none, isal[:0-3] or gzip[:1-9]; pg_restore reads all of them.", valueName: "method[:level]"))
  var compress: String?

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("Only tables that match, as pg_dump's --table; may be repeated.", valueName: "pattern")
  )
  var table: [String] = []

  @Option(
    name: [.customLong("exclude-table"), .customShort("T")],
    help: ArgumentHelp(
      "No tables that match, as pg_dump's --exclude-table; may be repeated.", valueName: "pattern"))
  var excludeTable: [String] = []

  @Option(help: "A word to find the backup by.")
  var label: String?

  @Option(
    name: .customLong("lock-timeout"),
    help: ArgumentHelp("Longest wait for a table that somebody's DDL holds.", valueName: "duration"))
  var lockTimeout: DurationArgument?

  @Option(
    name: .customLong("piece-size"),
    help: ArgumentHelp(
      "Bytes of a table that are read at a time; small ones are for tests.", visibility: .hidden))
  var pieceSize = BackupOptions.defaultPieceSize

  func validate() throws {
    if let jobs, !(1...64).contains(jobs) { throw ValidationError("--jobs takes a number from 1 to 64") }
    if let compress, DataCompression(argument: compress) == nil {
      throw ValidationError("--compress takes none, isal, isal:0 to isal:3, gzip, gzip:1 to gzip:9")
    }
    guard pieceSize > 0 else { throw ValidationError("--piece-size takes a number of bytes") }
    if let label, !Self.isLabel(label) {
      throw ValidationError("--label takes up to 100 bytes without slashes and control characters")
    }
    if let lockTimeout, lockTimeout.duration == .zero {
      throw ValidationError(
        "--lock-timeout takes more than 0; a wait without end would never report what it waits for")
    }
  }

  func run() async throws {
    let invocation = Invocation(global)
    let access = try await invocation.access()
    let options = options(access.project)
    let repository =
      repository.map(Project.absolute) ?? access.project.path(access.project.configuration.backupRepository)
    let operation = BackupCreate(options: options, repository: repository)
    let reporter = BackupProgress(invocation)
    let result = try await operation.run(access, report: reporter.report)
    reporter.finished(result) { $0.text(style: $1) }
  }

  private func options(_ project: Project) -> BackupOptions {
    let configuration = project.configuration
    var options = BackupOptions(
      jobs: jobs ?? configuration.backupJobs,
      compression: DataCompression(argument: compress ?? configuration.backupCompression) ?? .fastest,
      historySchema: configuration.historySchema, tool: "tsdb \(Version.current)")
    options.pieceSize = pieceSize
    options.tables = table
    options.excludedTables = excludeTable
    options.label = label
    options.lockTimeout = lockTimeout?.duration ?? configuration.backupLockTimeout
    return options
  }

  private static func isLabel(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.count <= 100 && !text.contains("/")
      && !text.unicodeScalars.contains { $0.properties.generalCategory == .control }
  }
}
