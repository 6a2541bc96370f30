import Foundation
import Maintenance
import Migrations
import TestSupport
import Testing
import Timekeeping

@testable import Operations

@Suite struct `The section maintain` {
  private func parse(_ text: String) throws -> MaintenanceConfiguration {
    try ConfigurationFile.parse(text, path: "tsdb.yaml").maintenance
  }

  private func jobs(_ text: String) throws -> [JobDefinition] {
    let indented = text.split(separator: "\n", omittingEmptySubsequences: false).map { "    " + $0 }
    return try parse("maintain:\n  jobs:\n" + indented.joined(separator: "\n") + "\n").jobs
  }

  private func fault(_ text: String) throws -> ConfigurationError {
    try #require(throws: ConfigurationError.self) { try jobs(text) }
  }

  @Test func `has jobs by default, whose slots never meet`() throws {
    let jobs = MaintenanceConfiguration().jobs
    #expect(jobs.map(\.name) == ["refresh-views", "backup", "analyze", "vacuum", "indexes", "check"])
    for job in jobs { #expect(job.work.kind == job.name) }
    #expect(try parse("maintain:\n  jobs:\n").jobs == jobs)
    #expect(try parse("maintain:\n").jobs == jobs)
  }

  @Test func `sets every key of every kind`() throws {
    let jobs = try jobs(
      """
      refresh-views: { every: 30min, views: ["public.mv_*"], exclude: public.mv_old, enabled: false }
      expire-cache:
        kind: retention
        schedule: "5 * * * *"
        budget: 5min
        lock_timeout: 1s
        retry: 0
        only_after: [refresh-views, backup]
        rules:
          - { table: public.cache, column: expires_at, keep: 0 }
          - table: log.lines
            column: at
            keep: 2w
            where: level = 'debug'
            allow_seqscan: true
            max_rows: 500
            max_bytes: 1MB
            batch_time: 50ms
      partitions:
        every: 1d
        partitions:
          - { table: public.events, interval: week, ahead: 5, keep: 365d }
          - { table: public.audit }
      vacuum: { tables: [public.a], exclude: [public.b, "c.*"], analyze: false }
      analyze: { tables: public.a, exclude: public.b }
      indexes: { tables: "public.*", exclude: public.b, bloat_percent: 30, bloat_minimum: 1GB }
      backup: { prune: false, prove_every: never, jobs: 3 }
      check: { schedule: "@daily" }
      totals: { kind: sql, every: 1h, file: sql/totals.sql, only_after: check }
      hello: { kind: command, every: 90s, run: [/bin/echo, hello world] }
      """)
    #expect(
      jobs.map(\.name) == [
        "refresh-views", "expire-cache", "partitions", "vacuum", "analyze", "indexes", "backup", "check",
        "totals", "hello",
      ])
    var views = JobDefinition(
      name: "refresh-views",
      work: .refreshViews(RelationSelection(include: ["public.mv_*"], exclude: ["public.mv_old"])),
      schedule: .every(.seconds(1800)))
    views.isEnabled = false
    #expect(jobs[0] == views)
    var lines = RetentionRule(
      table: "log.lines", column: "at", keep: .seconds(14 * 86_400), condition: "level = 'debug'")
    lines.allowsSequentialScan = true
    lines.maxRows = 500
    lines.maxBytes = 1 << 20
    lines.batchTime = .milliseconds(50)
    var expire = JobDefinition(
      name: "expire-cache",
      work: .retention([RetentionRule(table: "public.cache", column: "expires_at", keep: .zero), lines]),
      schedule: .cron(try CronExpression("5 * * * *")), budget: .seconds(300))
    expire.lockTimeout = .seconds(1)
    expire.retry = .zero
    expire.onlyAfter = ["refresh-views", "backup"]
    #expect(jobs[1] == expire)
    #expect(
      jobs[2].work
        == .partitions([
          PartitionRule(table: "public.events", interval: .week, ahead: 5, keep: .seconds(365 * 86_400)),
          PartitionRule(table: "public.audit", interval: .month, ahead: 3, keep: nil),
        ]))
    #expect(
      jobs[3].work
        == .vacuum(
          RelationSelection(include: ["public.a"], exclude: ["public.b", "c.*"]), analyze: false))
    #expect(jobs[4].work == .analyze(RelationSelection(include: ["public.a"], exclude: ["public.b"])))
    var indexes = IndexRule(tables: RelationSelection(include: ["public.*"], exclude: ["public.b"]))
    indexes.bloatPercent = 30
    indexes.bloatMinimumBytes = 1 << 30
    #expect(jobs[5].work == .indexes(indexes))
    #expect(jobs[6].work == .backup(BackupRule(prunes: false, proveEvery: nil, jobs: 3)))
    #expect(jobs[7].schedule.text == "@daily")
    #expect(jobs[8].work == .sql(path: "sql/totals.sql") && jobs[8].onlyAfter == ["check"])
    #expect(
      jobs[9].work == .command(["/bin/echo", "hello world"]) && jobs[9].schedule == .every(.seconds(90)))
    // What the file leaves out stays the default's.
    let vacuum = try #require(MaintenanceConfiguration.defaultJobs.first { $0.name == "vacuum" })
    #expect(jobs[3].schedule == vacuum.schedule && jobs[3].budget == vacuum.budget)
  }

  @Test func `a default that is named keeps what is not said of it, and comes first`() throws {
    let jobs = try jobs("check: { enabled: false }\nvacuum:\nbackup: { kind: command, run: [/bin/true] }")
    #expect(jobs.map(\.name) == ["check", "vacuum", "backup", "refresh-views", "analyze", "indexes"])
    let defaults = MaintenanceConfiguration.defaultJobs
    #expect(!jobs[0].isEnabled && jobs[0].schedule == defaults.last?.schedule)
    #expect(jobs[1] == defaults.first { $0.name == "vacuum" })
    #expect(jobs[2].work == .command(["/bin/true"]) && jobs[2].schedule == defaults[1].schedule)
  }

  /// Lines and columns are those below "jobs:", whose entries begin at line 3, column 5.
  @Test(arguments: [
    (
      "vacuum: { shedule: x }", 3, 15, "unknown key \"maintain.jobs.vacuum.shedule\"",
      "did you mean \"schedule\"?"
    ),
    (
      "vacuum: { rules: [] }", 3, 15, "unknown key \"maintain.jobs.vacuum.rules\"",
      "its keys are: kind, schedule,"
    ),
    (
      "vacuum: { schedule: \"0 25 * * *\" }", 3, 25,
      "\"maintain.jobs.vacuum.schedule\" is not a cron expression: the hour 25 is not from 0 to 23",
      "write for"
    ),
    (
      "vacuum:\n  schedule: 0 0 31 2 *", 4, 17, "the day of the month 31 never comes in the month 2",
      "29 days"
    ),
    ("vacuum: { schedule: [a] }", 3, 25, "\"maintain.jobs.vacuum.schedule\" cannot take", "it takes a cron"),
    ("vacuum: { every: 59s }", 3, 22, "\"maintain.jobs.vacuum.every\" cannot take", "at least 1min"),
    ("vacuum: { every: 60001ms }", 3, 22, "\"maintain.jobs.vacuum.every\" cannot take", "at least 1min"),
    ("vacuum: { every: 1h, schedule: \"@daily\" }", 3, 22, "has a schedule and a span", "keep one"),
    ("vacuum: { budget: 0 }", 3, 23, "\"maintain.jobs.vacuum.budget\"", "at least 1s"),
    ("vacuum: { lock_timeout: 2min }", 3, 29, "lock_timeout\" cannot take", "from 1ms to 1min"),
    ("vacuum: { retry: soon }", 3, 22, "retry\" cannot take", "5min"),
    ("vacuum: { enabled: maybe }", 3, 24, "enabled\" cannot take", "true or false"),
    ("vacuum: { analyze: 1 }", 3, 24, "analyze\" cannot take", "true or false"),
    ("vacuum: { tables: orders }", 3, 23, "tables\" cannot take", "with their schemas"),
    ("vacuum: { exclude: [] }", 3, 24, "exclude\" cannot take", "with their schemas"),
    (
      "vacuum: { kind: vacum }", 3, 21, "unknown kind \"vacum\" of the job \"vacuum\"",
      "did you mean \"vacuum\"?"
    ),
    ("vacuum: { kind: [] }", 3, 21, "unknown kind \"\"", "it is one of: refresh-views, retention,"),
    ("vacuum: weekly", 3, 13, "\"maintain.jobs.vacuum\" is not a mapping", "key: value"),
    ("vacum: { every: 1h }", 3, 5, "the job \"vacum\" has no kind", "did you mean the job \"vacuum\"?"),
    ("nightly-thing: { every: 1h }", 3, 5, "the job \"nightly-thing\" has no kind", "add: kind:"),
    ("Vacuum: {}", 3, 5, "\"Vacuum\" cannot be the name of a job", "lower-case"),
    ("\"\": {}", 3, 5, "\"\" cannot be the name of a job", "lower-case"),
    ("a1234567890123456789012345678901234567890: {}", 3, 5, "cannot be the name of a job", "at most 40"),
    (
      "retention: { rules: [{ table: a.b, column: c, keep: 1d }] }", 3, 5, "\"retention\" has no schedule",
      "add: sch"
    ),
    ("retention: { every: 1d }", 3, 5, "of the kind retention has no \"rules\"", "it takes a list of rules"),
    ("retention: { every: 1d, rules: [] }", 3, 36, "rules\" cannot take", "a list of rules"),
    (
      "retention: { every: 1d, rules: [{ table: a.b, column: c }] }", 3, 37, "has no \"keep\"",
      "a span such as 90d"
    ),
    (
      "retention: { every: 1d, rules: [{ tabel: a.b }] }", 3, 39,
      "unknown key \"maintain.jobs.retention.rules.tabel\"", "did you mean \"table\"?"
    ),
    (
      "retention: { every: 1d, rules: [{ table: b }] }", 3, 46, "rules.table\" cannot take", "with its schema"
    ),
    ("retention: { every: 1d, rules: [{ keep: forever }] }", 3, 45, "rules.keep\" cannot take", "90d"),
    ("retention: { every: 1d, rules: [{ column: '' }] }", 3, 47, "rules.column\" cannot take", "a column"),
    ("retention: { every: 1d, rules: [{ where: '' }] }", 3, 46, "rules.where\" cannot take", "a condition"),
    ("retention: { every: 1d, rules: [{ max_rows: 0 }] }", 3, 49, "rules.max_rows\"", "from 1 to 100000"),
    ("retention: { every: 1d, rules: [{ max_bytes: 8 }] }", 3, 50, "rules.max_bytes\"", "8kB to 1GB"),
    ("retention: { every: 1d, rules: [{ batch_time: 11s }] }", 3, 51, "rules.batch_time\"", "1ms to 10s"),
    (
      "retention: { every: 1d, rules: [{ allow_seqscan: 2 }] }", 3, 54, "rules.allow_seqscan\"",
      "true or false"
    ),
    (
      "partitions: { every: 1d, partitions: [{ interval: hour, table: a.b }] }", 3, 55,
      "partitions.interval\" cannot take", "day, week, month or year"
    ),
    ("partitions: { every: 1d, partitions: [{ ahead: 0 }] }", 3, 52, "partitions.ahead\"", "from 1 to 1000"),
    ("partitions: { every: 1d, partitions: [{ keep: 1h }] }", 3, 51, "partitions.keep\"", "at least 1d"),
    ("partitions: { every: 1d, partitions: [{ ahead: 1 }] }", 3, 43, "has no \"table\"", "with its schema"),
    ("indexes: { bloat_percent: 100 }", 3, 31, "bloat_percent\"", "from 1 to 99"),
    ("indexes: { bloat_minimum: 16mb }", 3, 31, "bloat_minimum\"", "16MB"),
    ("backup: { prune: often }", 3, 22, "prune\"", "true or false"),
    ("backup: { jobs: 0 }", 3, 21, "jobs\"", "from 1 to 64"),
    ("backup: { prove_every: 1min }", 3, 28, "prove_every\"", "or never"),
    ("x: { kind: sql, every: 1h }", 3, 5, "of the kind sql has no \"file\"", "the path of an SQL file"),
    ("x: { kind: sql, every: 1h, file: '' }", 3, 38, "file\" cannot take", "the path of an SQL file"),
    ("x: { kind: command, every: 1h, run: rm -rf x }", 3, 41, "run\" cannot take", "there is no shell"),
    ("x: { kind: command, every: 1h, run: [a, [b]] }", 3, 41, "run\" cannot take", "there is no shell"),
    ("check: { only_after: [bakup] }", 3, 27, "names the job \"bakup\", which does not exist", "\"backup\"?"),
    (
      "check: { only_after: vacuum }\nvacuum: { only_after: check }", 3, 5,
      "only after each other: \"check\" after \"vacuum\" after \"check\"", "only_after"
    ),
  ])
  func `with a fault names its key, its place and what it takes`(
    text: String, line: Int, column: Int, summary: String, hint: String
  ) throws {
    let error = try fault(text)
    #expect(error.summary.contains(summary), "\(error)")
    #expect(error.hint?.contains(hint) == true, "\(error)")
    #expect(error.location?.line == line && error.location?.column == column, "\(error)")
  }

  @Test(arguments: [
    ("maintain:\n  time_zone: Europe/Madrit\n", 2, 14), ("maintain:\n  time_zone: ../passwd\n", 2, 14),
    ("maintain:\n  history: 1h\n", 2, 12), ("maintain:\n  gates: { replica_lag: 0 }\n", 2, 25),
    ("maintain:\n  gates: { archive_backlog: 0 }\n", 2, 29), ("maintain:\n  gates: { patience: x }\n", 2, 22),
    ("maintain:\n  gates: 3\n", 2, 10), ("maintain:\n  metrics: /var/x.txt\n", 2, 12),
    ("maintain:\n  nice: 20\n", 2, 9), ("maintain:\n  nice: -1\n", 2, 9),
    ("maintain:\n  log: ''\n", 2, 8), ("maintain:\n  ping_url_file: https://hc.example/s3cret\n", 2, 18),
    ("maintain:\n  job: {}\n", 2, 3), ("maintain:\n  jobs: [vacuum]\n", 2, 9), ("maintain: 3\n", 1, 11),
  ])
  func `keys beside the jobs`(text: String, line: Int, column: Int) throws {
    let error = try #require(throws: ConfigurationError.self) { try parse(text) }
    #expect(error.location?.line == line && error.location?.column == column, "\(error)")
    #expect(error.hint != nil && !"\(error)".contains("s3cret"))
  }

  @Test func `names the nearest key`() throws {
    let error = try #require(throws: ConfigurationError.self) { try parse("maintain:\n  job: {}\n") }
    #expect(error.hint == "did you mean \"maintain.jobs\"?")
    let section = try #require(throws: ConfigurationError.self) { try parse("maintian: {}\n") }
    #expect(section.hint == "did you mean \"maintain\"?")
    let keys = try #require(throws: ConfigurationError.self) { try parse("maintain: 3\n") }
    #expect(keys.hint == "its keys are: time_zone, history, nice, gates, metrics, log, ping_url_file, jobs")
  }

  /// The configuration beside the application's migrations.
  @Test func `of the application holds the contract's jobs, and none of them meet`() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let text = try String(contentsOf: root.appending(path: "tsdb.yaml"), encoding: .utf8)
    let configuration = try parse(text)
    var plain = configuration
    plain.jobs = MaintenanceConfiguration.defaultJobs
    #expect(plain == MaintenanceConfiguration(), "the file shows the defaults")
    for job in MaintenanceConfiguration.defaultJobs {
      #expect(configuration.jobs.first { $0.name == job.name } == job, "\(job.name)")
    }
    #expect(
      configuration.jobs.map(\.name) == [
        "refresh-views", "expire-cache", "backup", "retention", "partitions", "analyze", "vacuum", "indexes",
        "check",
      ])
    // A year's slots: no two jobs at one moment.
    let start = UTCTime(year: 2026, month: 1, day: 1)
    var taken: [UTCTime: String] = [:]
    for job in configuration.jobs {
      for slot in job.schedule.nextSlots(after: start, count: 24 * 14, zone: .utc)
      where slot < start + 14 * 86_400 {
        #expect(taken.updateValue(job.name, forKey: slot) == nil, "\(job.name) at \(slot)")
      }
    }
    let metrics = RetentionRule(
      table: "public.support_troubleshooting_performance_metrics", column: "recorded_at",
      keep: .seconds(90 * 86_400))
    let limits = RetentionRule(
      table: "public.support_troubleshooting_rate_limits", column: "window_start", keep: .seconds(7 * 86_400))
    #expect(configuration.jobs[3].work == .retention([limits, metrics]), "sessions are opt-in")
  }

  @Test func `has variables for its keys beside the jobs`() throws {
    let configuration = try ProjectConfiguration().applying(environment: [
      "TSDB_MAINTAIN_TIME_ZONE": "Asia/Kolkata", "TSDB_MAINTAIN_GATES_REPLICA_LAG": "5s",
      "TSDB_MAINTAIN_METRICS": "/x/tsdb.prom", "TSDB_PING_URL": "https://hc.example/s3cret",
    ]).maintenance
    #expect(configuration.timeZone == "Asia/Kolkata" && configuration.gates.replicaLag == .seconds(5))
    #expect(try configuration.zone().offset(at: UTCTime(secondsSince1970: 0)) == 19_800)
    #expect(configuration.metrics == "/x/tsdb.prom" && !"\(configuration)".contains("s3cret"))
  }

  @Test func `the URL to ping is the variable's, else the file's, and is never shown`() throws {
    let directory = try TemporaryDirectory()
    try directory.write("ping", "\n https://hc.example/file \n")
    try directory.write("bad", "s3cret\n")
    func url(_ file: String?, _ environment: [String: String] = [:]) throws -> String? {
      var configuration = ProjectConfiguration()
      configuration.maintenance.pingURLFile = file
      return try Project(root: directory.path, configuration: configuration).pingURL(environment: environment)
    }
    #expect(try url("ping", ["TSDB_PING_URL": "http://h/x\n"]) == "http://h/x")
    #expect(try url("ping", ["TSDB_PING_URL": ""]) == "https://hc.example/file")
    #expect(try url(nil) == nil)
    for (file, environment) in [("bad", [:]), ("absent", [:]), ("ping", ["TSDB_PING_URL": "s3cret x"])] {
      let error = try #require(throws: ConfigurationError.self) { try url(file, environment) }
      #expect(!"\(error)".contains("s3cret") && error.hint != nil)
    }
  }
}
