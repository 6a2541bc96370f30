import ArgumentParser
import Backups
import Compression
import Migrations
import Operations

struct BackupCreateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "create", abstract: "Take a backup of the database.",
    discussion: """
      The backup is a directory in the repository: pg_dump's directory format, which plain pg_restore reads, with
      a manifest beside it that proves it whole. It appears under its name only when it is complete.

      EXAMPLES
        tsdb backup
        tsdb backup --label before-release-42 --jobs 4
        tsdb backup --table 'public.support_*' --to /srv/backups
        pg_restore --create --dbname postgres backups/20261124T020000Z-support

      \(ExitStatus.help)
      """)

  @OptionGroup var global: GlobalOptions

  @Option(help: ArgumentHelp("The repository's directory.", valueName: "directory"))
  var to: String?

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
    help: ArgumentHelp("No tables that match, as pg_dump's --exclude-table.", valueName: "pattern"))
  var excludeTable: [String] = []

  @Option(help: "A word to find the backup by.")
  var label: String?

  @Option(
    name: .customLong("lock-timeout"),
    help: ArgumentHelp("Longest wait for a table that somebody's DDL holds.", valueName: "duration"))
  var lockTimeout: String?

  @Option(
    name: .customLong("piece-size"),
    help: ArgumentHelp(
      "Bytes of a table that are read at a time; small ones are for tests.", visibility: .hidden))
  var pieceSize = BackupOptions.defaultPieceSize

  func run() async throws {
    let invocation = Invocation(global)
    let access = try await invocation.access()
    let options = try options(access.project)
    let repository =
      to.map(Project.absolute) ?? access.project.path(access.project.configuration.backupRepository)
    let operation = BackupCreate(options: options, repository: repository)
    let reporter = BackupProgress(invocation)
    let result = try await operation.run(access, report: reporter.report)
    reporter.finished(result) { $0.text(style: $1) }
  }

  private func options(_ project: Project) throws -> BackupOptions {
    let configuration = project.configuration
    let jobs = jobs ?? configuration.backupJobs
    guard (1...64).contains(jobs) else { throw ValidationError("--jobs takes a number from 1 to 64") }
    guard let compression = DataCompression(argument: compress ?? configuration.backupCompression) else {
      throw ValidationError("--compress takes none, isal, isal:0 to isal:3, gzip, gzip:1 to gzip:9")
    }
    var options = BackupOptions(
      jobs: jobs, compression: compression, historySchema: configuration.historySchema,
      tool: "tsdb \(Version.current)")
    guard pieceSize > 0 else { throw ValidationError("--piece-size takes a number of bytes") }
    options.pieceSize = pieceSize
    options.tables = table
    options.excludedTables = excludeTable
    options.label = try label.map(Self.checked)
    options.lockTimeout = configuration.backupLockTimeout
    if let lockTimeout {
      guard let duration = Duration(settingText: lockTimeout) else {
        throw ValidationError("--lock-timeout takes a duration such as 500ms or 2s")
      }
      options.lockTimeout = duration
    }
    return options
  }

  private static func checked(_ label: String) throws -> String {
    guard !label.isEmpty, label.utf8.count <= 100, !label.contains("/"),
      !label.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
    else { throw ValidationError("--label takes up to 100 bytes without slashes and control characters") }
    return label
  }
}
