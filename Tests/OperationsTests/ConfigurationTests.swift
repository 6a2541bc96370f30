import Backups
import Foundation
import Maintenance
import Migrations
import Postgres
import TestSupport
import Testing

@testable import Operations

@Suite struct `tsdb.yaml` {
  private func parse(_ text: String) throws -> ProjectConfiguration {
    try ConfigurationFile.parse(text, path: "tsdb.yaml")
  }

  @Test func `sets every key`() throws {
    let configuration = try parse(
      """
      migrate:
        directories: [sql, more]
        order: names
        lock_timeout: 500ms
        lock_attempts: 3
        wait: 5min
        ignore_drift: ["cron.*", pg_stat_statements]
      seed: { directories: rows }
      history:
        schema: "we ird"
      database:
        url_file: /run/secrets/url
      local:
        database: shop
      backup:
        repository: /srv/backups
        jobs: 5
        compress: gzip:9
        lock_timeout: 5s
        keep: { last: 1, hourly: 2, daily: 3, weekly: 4, monthly: 5, yearly: 6 }
      maintain:
        time_zone: Europe/Madrid
        history: 30d
        nice: 3
        gates: { replica_lag: 10s, archive_backlog: 4, patience: 0 }
        metrics: /var/lib/node/tsdb.prom
        log: log/maintain.jsonl
        ping_url_file: /run/secrets/ping
      deploy:
        checklist: list.md
        schedule: systemd
        schedule_every: 15min
        schedule_wait: 0
        prove: false
        report_language: es
      """)
    var expected = ProjectConfiguration()
    expected.migrationDirectories = ["sql", "more"]
    expected.order = .names
    expected.lockTimeout = .milliseconds(500)
    expected.lockAttempts = 3
    expected.runnerWait = .seconds(300)
    expected.ignoredDrift = ["cron.*", "pg_stat_statements"]
    expected.seedDirectories = ["rows"]
    expected.historySchema = "we ird"
    expected.databaseURLFile = "/run/secrets/url"
    expected.localDatabase = "shop"
    expected.backupRepository = "/srv/backups"
    expected.backupJobs = 5
    expected.backupCompression = "gzip:9"
    expected.backupLockTimeout = .seconds(5)
    expected.backupRetention = RetentionPolicy(
      last: 1, hourly: 2, daily: 3, weekly: 4, monthly: 5, yearly: 6)
    expected.maintenance.timeZone = "Europe/Madrid"
    expected.maintenance.history = .seconds(30 * 86_400)
    expected.maintenance.gates.replicaLag = .seconds(10)
    expected.maintenance.gates.archiveBacklog = 4
    expected.maintenance.gates.patience = .zero
    expected.maintenance.metrics = "/var/lib/node/tsdb.prom"
    expected.maintenance.log = "log/maintain.jsonl"
    expected.maintenance.pingURLFile = "/run/secrets/ping"
    expected.maintenance.niceness = 3
    expected.deploy.checklist = "list.md"
    expected.deploy.schedule = .systemd
    expected.deploy.scheduleEvery = 15
    expected.deploy.scheduleWait = .zero
    expected.deploy.proves = false
    expected.deploy.reportLanguage = "es"
    #expect(configuration == expected)
    #expect(ConfigurationKey.all.count == 35, "a new key belongs into this test")
    #expect(
      configuration.runOptions.lockAttempts == 3 && configuration.runOptions.runnerWait == .seconds(300))
  }

  @Test(arguments: [
    "", "# nothing\n", "---\n", "migrate:\n", "migrate:\nseed:\n", "{}",
    "backup:\n  keep:\n",
  ])
  func `that says nothing leaves the defaults`(text: String) throws {
    #expect(try parse(text) == ProjectConfiguration())
  }

  @Test(arguments: [
    ("migrate:\n  lock_timeout: 0\n", 2, 17), ("migrate:\n  lock_attempts: 1001\n", 2, 18),
    ("\n\nnonsense: 1\n", 3, 1), ("migrate:\n  wait: 1s\n  wiat: 2s\n", 3, 3),
    ("history:\n  schema: ''\n", 2, 11),
    ("local:\n  database: ''\n", 2, 13), ("backup:\n  jobs: 0\n", 2, 9), ("backup:\n  jobs: 65\n", 2, 9),
    ("backup:\n  keep: 7\n", 2, 9), ("backup:\n  keep:\n    dayly: 7\n", 3, 5),
    ("backup:\n  keep: { daily: -1 }\n", 2, 18), ("backup:\n  compress: isal:4\n", 2, 13),
    ("backup:\n  compress: zstd\n", 2, 13), ("backup:\n  lock_timeout: 0\n", 2, 17),
    ("backup:\n  repository: ''\n", 2, 15), ("backup:\n  \"\": 1\n", 2, 3),
    ("seed:\n  directories: [a, [b]]\n", 2, 16),
  ])
  func `with a fault has a place`(text: String, line: Int, column: Int) throws {
    let error = try #require(throws: ConfigurationError.self) { try parse(text) }
    #expect(error.location?.line == line && error.location?.column == column, "\(error)")
    #expect(error.hint != nil)
  }

  @Test func `names the nearest key of a mapping in a section`() throws {
    let key = try #require(throws: ConfigurationError.self) {
      try parse("backup:\n  keep:\n    dayly: 7\n")
    }
    #expect(key.summary == "unknown key \"backup.keep.dayly\"")
    #expect(key.hint == "did you mean \"backup.keep.daily\"?")
    let value = try #require(throws: ConfigurationError.self) { try parse("backup:\n  keep: 7\n") }
    #expect(value.hint == "its keys are: last, hourly, daily, weekly, monthly, yearly")
    let section = try #require(throws: ConfigurationError.self) { try parse("backup: here\n") }
    #expect(section.hint == "its keys are: repository, jobs, compress, lock_timeout, keep")
  }

  @Test func `has a variable for a key of a mapping in a section`() throws {
    let configuration = try ProjectConfiguration().applying(environment: [
      "TSDB_BACKUP_KEEP_DAILY": "30", "TSDB_BACKUP_COMPRESS": "none",
    ])
    #expect(configuration.backupRetention.daily == 30 && configuration.backupRetention.weekly == 4)
    #expect(configuration.backupCompression == "none")
  }

  @Test func `is overridden by variables`() throws {
    var file = ProjectConfiguration()
    file.historySchema = "file"
    file.lockAttempts = 7
    let configuration = try file.applying(environment: [
      "TSDB_HISTORY_SCHEMA": "env", "TSDB_MIGRATE_DIRECTORIES": "a, b", "TSDB_MIGRATE_WAIT": "",
      "TSDB_PG_BINDIR": "/x",
      "TSDB_RECORD": "1", "OTHER": "x",
    ])
    #expect(configuration.historySchema == "env" && configuration.lockAttempts == 7)
    #expect(configuration.migrationDirectories == ["a", "b"] && configuration.runnerWait == .seconds(60))
  }

  @Test func `variables that are wrong are named without their value`() throws {
    let wrong = try #require(throws: ConfigurationError.self) {
      try ProjectConfiguration().applying(environment: ["TSDB_MIGRATE_WAIT": "s3cret"])
    }
    #expect(wrong.summary.contains("TSDB_MIGRATE_WAIT") && !"\(wrong)".contains("s3cret"))
    let unknown = try #require(throws: ConfigurationError.self) {
      try ProjectConfiguration().applying(environment: ["TSDB_MIGRATE_WIAT": "s3cret"])
    }
    #expect(unknown.hint == "did you mean TSDB_MIGRATE_WAIT?" && !"\(unknown)".contains("s3cret"))
  }
}

@Suite struct `The choice of a database` {
  private func choose(
    flag: String? = nil, _ environment: [String: String] = [:], urlFile: String? = nil,
    root: String = "/nonexistent"
  ) throws -> ConnectionChoice {
    var configuration = ProjectConfiguration()
    configuration.databaseURLFile = urlFile
    return try ConnectionChoice(
      flag: flag, environment: environment, project: Project(root: root, configuration: configuration))
  }

  private func source(_ choice: ConnectionChoice) -> String {
    switch choice {
    case .configured(let settings, let source): "\(source) \(settings["dbname"] ?? "-")"
    case .localServer: "local"
    }
  }

  @Test func `is flag over DATABASE_URL over file over libpq's variables over the private server`() throws {
    let directory = try TemporaryDirectory()
    try directory.write("url", "  \n postgresql://h/file\n".replacingOccurrences(of: "  \n ", with: ""))
    var environment = ["DATABASE_URL": "postgresql://h/env", "PGHOST": "h"]
    #expect(
      try source(choose(flag: "postgresql://h/flag", environment, urlFile: "url", root: directory.path))
        == "--database-url flag")
    #expect(try source(choose(environment, urlFile: "url", root: directory.path)) == "DATABASE_URL env")
    environment["DATABASE_URL"] = ""
    #expect(try source(choose(environment, urlFile: "url", root: directory.path)) == "url file")
    #expect(
      try source(choose(environment, urlFile: directory.path("url"))) == "\(directory.path("url")) file")
    #expect(try source(choose(environment)) == "PGHOST -")
    #expect(try source(choose(["PGHOST": ""])) == "local")
    #expect(try source(choose(["PGPASSWORD": "x"])) == "local", "a password alone names no server")
  }

  @Test func `ignores line ends and blanks around a URL`() throws {
    let directory = try TemporaryDirectory()
    try directory.write("url", "\r\n  postgresql://h/file \r\n")
    #expect(try source(choose(urlFile: "url", root: directory.path)) == "url file")
    #expect(try source(choose(["DATABASE_URL": "postgresql://h/env\n"])) == "DATABASE_URL env")
  }

  @Test(arguments: ["PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGSERVICE"])
  func `is libpq's where its variables name one`(variable: String) throws {
    #expect(try source(choose([variable: "x"])) == "\(variable) -")
  }

  @Test(arguments: [
    "nonsense", "postgresql://u:s3cret@x@h/d", "postgresql://u:s3c/ret@h/d", "postgresql://u:p@h:s3cret/d",
    "password=s3cret x",
    "\"postgresql://u:s3cret@h/d\"",
  ])
  func `from a text that is none is refused without showing it`(text: String) throws {
    let error = try #require(throws: ConfigurationError.self) { try choose(flag: text) }
    #expect(error.summary == "the database URL from --database-url cannot be read")
    for piece in ["s3c", "ret", "nonsense", "u:"] { #expect(!"\(error)".contains(piece), "\(error)") }
  }

  @Test(arguments: [
    "postgresql://u:p@h:5432/d", "postgres://h1:1,h2:2/d?target_session_attrs=primary",
    "postgresql://%2Ftmp%2Fx:5433/d",
    "host=h user='a b'", "host=h password=a://b@c@d/e", "postgresql:///d?host=/tmp&user=a@b",
    "postgresql://u:p%40x%2Fy@h/d",
    "postgresql://[::1]:5/d", "postgresql://",
    "postgresql://u@h/d@x".replacingOccurrences(of: "@x", with: "%40x"),
  ])
  func `takes what libpq takes`(text: String) throws {
    #expect(throws: Never.self) { try choose(flag: text) }
  }

  @Test func `says whether a text holds a password`() {
    #expect(
      ConnectionText.holdsPassword("postgresql://u:p@h/d") && ConnectionText.holdsPassword("password=x"))
    #expect(ConnectionText.holdsPassword("postgresql://h/d?password=x"))
    #expect(!ConnectionText.holdsPassword("postgresql://u@h/d") && !ConnectionText.holdsPassword("nonsense"))
    #expect(!ConnectionText.holdsPassword("postgresql://u:@h/d"))
  }
}

@Suite struct `The project` {
  @Test func `is the nearest directory upwards with tsdb.yaml, else with migrations, else where we are`()
    throws
  {
    let directory = try TemporaryDirectory()
    try directory.write("outer/tsdb.yaml", "history:\n  schema: outer\n")
    try directory.write("outer/inner/migrations/a.sql", "select 1;")
    try directory.write("outer/inner/deep/x", "")
    try directory.write("plain/migrations/a.sql", "select 1;")
    try directory.write("plain/sub/x", "")
    try directory.write("nothing/x", "")
    func project(_ path: String) throws -> Project {
      try Project(containing: directory.path(path), environment: [:])
    }
    #expect(try project("outer/inner/deep").root == directory.path("outer"))
    #expect(try project("outer/inner/deep").configuration.historySchema == "outer")
    #expect(try project("outer").hasConfigurationFile)
    #expect(try project("plain/sub").root == directory.path("plain"))
    #expect(try project("plain/sub/../sub/.").root == directory.path("plain"))
    #expect(try project("nothing").root == directory.path("nothing"))
    #expect(try project("plain").migrations().files.map(\.path) == ["migrations/a.sql"])
    #expect(try project("plain").serverDirectory == directory.path("plain/.tsdb/server"))
    #expect(throws: ConfigurationError.self) { try project("absent") }
    #expect(throws: ConfigurationError.self) { try project("nothing/x") }
  }
}
