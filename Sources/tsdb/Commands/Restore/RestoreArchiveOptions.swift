import ArgumentParser
import Backups
import Operations

/// The options of restoring an archive, as against swapping and dropping.
struct RestoreArchiveOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The repository's directory.", discussion: "Else backup.repository.", valueName: "directory"))
  var repository: String?

  @Option(
    help: ArgumentHelp(
      "Restore into a new database of this name; with --data-only, into one that exists.",
      valueName: "database"))
  var into: String?

  @Flag(help: "Give the restored database the live name, and keep the live one.")
  var swap = false

  @Option(name: .shortAndLong, help: "Connections that restore.")
  var jobs: Int?

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "Only these tables and what belongs to them; * and ? are wildcards. May be repeated.",
      valueName: "table"))
  var table: [String] = []

  @Flag(name: .customLong("schema-only"), help: "Restore no rows, sequence values and large objects.")
  var isSchemaOnly = false

  @Flag(
    name: .customLong("data-only"),
    help: "Restore nothing else, into the database of --into, in one transaction.")
  var isDataOnly = false

  @Flag(name: .customLong("no-owner"), help: "Everything belongs to the restoring role.")
  var noOwner = false

  @Flag(name: .customLong("no-privileges"), help: "Restore no GRANT, REVOKE and default privileges.")
  var noPrivileges = false

  @Flag(
    name: .customLong("create-missing-roles"),
    help: "Make the roles that do not exist, without the right to log in.")
  var createsMissingRoles = false

  @Flag(name: .customLong("no-analyze"), help: "Gather no statistics in the end.")
  var noAnalyze = false

  @Option(
    help: ArgumentHelp(
      "What is compared in the end: content (every row read again), counts or none.", valueName: "how"))
  var check: RestoreCheck = .content

  @Flag(name: .customLong("older-server"), help: "Restore on a server that is older than the archive's.")
  var acceptsOlderServer = false

  @Flag(name: .customLong("keep-failed"), help: "Keep the new database when the restore fails.")
  var keepsFailed = false

  func validate() throws {
    if isSchemaOnly, isDataOnly { throw ValidationError("--schema-only and --data-only exclude one another") }
    if swap, into != nil { throw ValidationError("--swap and --into exclude one another") }
    if swap, isSchemaOnly || isDataOnly || !table.isEmpty {
      throw ValidationError("--swap takes a whole restore: no --table, --schema-only or --data-only")
    }
    if into?.isEmpty == true { throw ValidationError("--into takes the name of a database") }
    for text in table where RelationPattern(text) == nil {
      throw ValidationError("--table takes NAME or SCHEMA.NAME, not \"\(text)\"")
    }
    if isDataOnly, into == nil { throw ValidationError("--data-only needs --into DATABASE") }
    if let jobs, !(1...64).contains(jobs) { throw ValidationError("--jobs takes a number from 1 to 64") }
  }

  /// Whether any of them was given, for commands that they do not belong to.
  var isGiven: Bool {
    repository != nil || into != nil || swap || jobs != nil || !table.isEmpty || isSchemaOnly || isDataOnly
      || noOwner
      || noPrivileges || createsMissingRoles || noAnalyze || check != .content || acceptsOlderServer
      || keepsFailed
  }

  func options(_ project: Project, isDryRun: Bool) -> RestoreOptions {
    var selection = RestoreSelection(
      contents: isSchemaOnly ? .schema : isDataOnly ? .data : .everything, includesOwners: !noOwner,
      includesPrivileges: !noPrivileges)
    selection.tables = table.compactMap { RelationPattern($0) }
    var options = RestoreOptions(
      target: .beside(""), selection: selection, jobs: jobs ?? project.configuration.backupJobs,
      historySchema: project.configuration.historySchema)
    options.check = check
    options.analyzes = !noAnalyze
    options.createsMissingRoles = createsMissingRoles
    options.acceptsOlderServer = acceptsOlderServer
    options.keepsFailed = keepsFailed
    options.isDryRun = isDryRun
    return options
  }
}

extension RestoreCheck: ExpressibleByArgument {}
