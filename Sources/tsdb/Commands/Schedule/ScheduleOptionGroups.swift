import ArgumentParser
import Operations

/// Where an entry is.
struct ScheduleTargetOptions: ParsableArguments {
  @Flag(help: "In the crontab of this account, or of --user.")
  var cron = false

  @Flag(help: "With --cron: in a file of /etc/cron.d.")
  var system = false

  @Flag(help: "As a systemd service with a timer, in /etc/systemd/system.")
  var systemd = false

  @Flag(name: .customLong("user-units"), help: "With --systemd: for this account's own systemd.")
  var isUserUnits = false

  @Flag(name: .customLong("pg-cron"), help: "As jobs of the extension pg_cron, one for each statement.")
  var pgCron = false

  @Option(
    help: ArgumentHelp(
      "The entry's name.", discussion: "Else made of the project's directory.", valueName: "name"))
  var name: String?

  @Option(
    help: ArgumentHelp(
      "The account that it runs under.", discussion: "Else the caller; with --systemd root.",
      valueName: "account"))
  var user: String?

  @Option(
    name: .customLong("into"),
    help: ArgumentHelp(
      "Write the files into this directory in place of where they belong, and enable nothing.",
      valueName: "directory"))
  var directory: String?

  func validate() throws {
    guard [cron, systemd, pgCron].filter({ $0 }).count == 1 else {
      throw ValidationError("one of --cron, --systemd and --pg-cron is needed")
    }
    if system, !cron { throw ValidationError("--system goes with --cron") }
    if isUserUnits, !systemd { throw ValidationError("--user-units goes with --systemd") }
    if user != nil, isUserUnits || pgCron {
      throw ValidationError("--user goes with --cron, and with --systemd without --user-units")
    }
    if directory != nil, pgCron || (cron && !system) {
      throw ValidationError("--into goes with --systemd, and with --cron --system")
    }
  }

  var target: ScheduleTarget {
    if pgCron { return .pgCron }
    if systemd { return isUserUnits ? .systemdUser : .systemd }
    return system ? .cronFile : .crontab
  }

  func apply(to options: inout ScheduleOptions) {
    options.name = name
    options.user = user
    options.directory = directory
  }
}

/// How an entry calls.
struct ScheduleCallOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Minutes between two calls; divides an hour.", valueName: "minutes"))
  var every = 5

  @Option(
    help: ArgumentHelp(
      "The first minute of an hour to call at.", discussion: "Else one that depends on host and database.",
      valueName: "minute"))
  var at: Int?

  @Option(
    name: .customLong("mail-to"),
    help: ArgumentHelp(
      "With --cron --system: who gets what is printed, which is failures only.", valueName: "account"))
  var mailTo: String?

  @Option(
    name: .customLong("environment-file"),
    help: ArgumentHelp(
      "A file of NAME=value lines, such as DATABASE_URL, that the entry reads.", valueName: "file"))
  var environmentFile: String?

  @Option(
    help: ArgumentHelp(
      "With --systemd: a file with the database's URL, handed over by LoadCredential=.", valueName: "file"))
  var credential: String?

  @Option(
    name: .customLong("on-failure"),
    help: ArgumentHelp("With --systemd: a unit to start when a call fails.", valueName: "unit"))
  var onFailure: String?

  func apply(to options: inout ScheduleOptions) {
    options.every = every
    options.at = at
    options.mailTo = mailTo
    options.environmentFile = environmentFile
    options.credential = credential
    options.onFailure = onFailure
  }
}

extension Invocation {
  func schedule(_ target: ScheduleTargetOptions, _ call: ScheduleCallOptions? = nil) throws -> ScheduleRequest
  {
    let project = try project()
    let choice = try ConnectionChoice(
      flag: options.databaseURL, environment: Self.environment, project: project)
    var scheduleOptions = ScheduleOptions()
    target.apply(to: &scheduleOptions)
    call?.apply(to: &scheduleOptions)
    return ScheduleRequest(
      project: project, target: target.target, options: scheduleOptions, choice: choice,
      environment: Self.environment)
  }
}
