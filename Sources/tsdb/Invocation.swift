import Logging
import Migrations
import Operations

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// One run of a command: its options, and where its output goes.
struct Invocation {
  let options: GlobalOptions
  let outputStyle: Style
  let errorStyle: Style
  let progress: ProgressReporter

  init(_ options: GlobalOptions) {
    self.options = options
    outputStyle = Style(isTerminal: Terminal.isOutputTerminal, environment: Self.environment)
    errorStyle = Style(isTerminal: Terminal.isErrorTerminal, environment: Self.environment)
    progress = ProgressReporter(
      detail: options.quiet ? .none : options.verbose ? .statements : .files,
      isLive: Terminal.isErrorTerminal && !options.quiet && !options.json && !options.verbose,
      style: errorStyle)
  }

  static let environment: [String: String] = {
    var result: [String: String] = [:]
    var entry = environ
    while let text = entry.pointee {
      let pair = String(cString: text).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      if pair.count == 2 { result[String(pair[0])] = String(pair[1]) }
      entry += 1
    }
    return result
  }()

  /// Debug lines with --verbose, else warnings and worse.
  private var logger: Logger {
    let level: Logger.Level = options.verbose ? .debug : .warning
    return Logger(label: "tsdb") { _ in StandardErrorLog(logLevel: level) }
  }

  func project() throws -> Project {
    try Project(containing: options.project, environment: Self.environment)
  }

  /// The database that the options, the environment and the project name, with the run's options.
  func access(_ adjust: (inout RunOptions) throws -> Void = { _ in }) async throws -> DatabaseAccess {
    let project = try project()
    let choice = try ConnectionChoice(
      flag: options.databaseURL, environment: Self.environment, project: project)
    // No server is made in a directory that has nothing to do with it.
    if choice == .localServer { try project.requireMigrationDirectories() }
    let settings = try await choice.resolve(in: project) { notice in
      if !options.quiet { Terminal.writeError(notice) }
    }
    var runOptions = project.configuration.runOptions
    try adjust(&runOptions)
    return DatabaseAccess(
      project: project, settings: settings, options: runOptions, report: progress.report, logger: logger)
  }

  /// Prints a result: as JSON, or as the text that `text` makes of it.
  func print<Result: Encodable>(_ result: Result, text: (Result, Style) -> String) {
    progress.finish()
    Terminal.writeOutput(options.json ? JSONText.encode(result) : text(result, outputStyle))
  }
}
