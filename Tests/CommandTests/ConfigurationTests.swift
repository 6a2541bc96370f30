import Foundation
import TestSupport
import Testing

@Suite struct `A configuration that is wrong` {
  struct Case: CustomStringConvertible, Sendable {
    let description: String
    let text: String
    let texts: [String]

    init(_ description: String, _ text: String, _ texts: String...) {
      self.description = description
      self.text = text
      self.texts = texts
    }
  }

  static let cases = [
    Case(
      "unknown key", "migrate:\n  lock_timeuot: 1s\n", "unknown key \"migrate.lock_timeuot\"",
      "--> tsdb.yaml:2:3",
      "did you mean \"migrate.lock_timeout\"?"),
    Case(
      "unknown section", "migrat:\n  wait: 1s\n", "unknown key \"migrat\"", "--> tsdb.yaml:1:1",
      "did you mean \"migrate\"?"),
    Case(
      "key without its section", "# settings\nlock_timeout: 1s\n", "unknown key \"lock_timeout\"",
      "tsdb.yaml:2:1",
      "did you mean \"migrate.lock_timeout\"?"),
    Case(
      "unknown section like nothing", "zzzzzzzzzzzzzz: 1\n",
      "known keys: backup, database, deploy, history, local, maintain, migrate, seed"),
    Case(
      "wrong duration", "migrate:\n  lock_timeout: 1 second\n",
      "\"migrate.lock_timeout\" cannot take this value", "tsdb.yaml:2:17", "a duration such as 500ms or 2s"),
    Case(
      "duration of nothing", "migrate: { lock_timeout: 0 }\n",
      "\"migrate.lock_timeout\" cannot take this value", "tsdb.yaml:1:26"),
    Case(
      "wrong number", "migrate:\n  lock_attempts: many\n", "\"migrate.lock_attempts\" cannot take this value",
      "a number from 1 to 1000"),
    Case("number out of range", "migrate:\n  lock_attempts: 0\n", "a number from 1 to 1000"),
    Case(
      "wrong word", "migrate:\n  order: random\n", "it takes \"dependencies\" or \"names\"", "tsdb.yaml:2:10"),
    Case(
      "mapping for a value", "migrate:\n  wait:\n    a: b\n", "\"migrate.wait\" cannot take this value",
      "tsdb.yaml:3:5"),
    Case(
      "value for a mapping", "migrate: up\n", "\"migrate\" is not a mapping of keys", "tsdb.yaml:1:10",
      "its keys are: directories, order"),
    Case(
      "empty list of directories", "migrate:\n  directories: []\n",
      "\"migrate.directories\" cannot take this value"),
    Case(
      "schema of the system", "history:\n  schema: pg_tsdb\n", "\"history.schema\" cannot take this value",
      "tsdb.yaml:2:11"),
    Case(
      "schema with too long a name", "history:\n  schema: \(String(repeating: "x", count: 64))\n",
      "\"history.schema\" cannot take"),
    Case("a list", "- migrate\n- seed\n", "the file is not a mapping of sections", "tsdb.yaml:1:1"),
    Case("a word", "hello\n", "the file is not a mapping of sections"),
    Case(
      "malformed", "migrate:\n  directories: [a, b\n", "the YAML cannot be read: ", "tsdb.yaml:3:1",
      "check the indentation"),
    Case("an open quote", "history:\n  schema: \"tsdb\n", "the YAML cannot be read: ", "tsdb.yaml:"),
    Case(
      "wrong indentation", "migrate:\n  wait: 1s\n order: names\n", "the YAML cannot be read: ",
      "tsdb.yaml:3:2"),
    Case("tabs", "migrate:\n\twait: 1s\n", "the YAML cannot be read: ", "tsdb.yaml:2:1", "spaces, no tabs"),
    Case(
      "a key given twice", "migrate:\n  wait: 1s\n  wait: 2s\n", "the key \"wait\" is given twice",
      "tsdb.yaml:2:3"),
    Case(
      "a section given twice", "migrate:\n  wait: 1s\nseed:\n  directories: s\nmigrate:\n  wait: 2s\n",
      "the key \"migrate\" is given twice"),
    Case(
      "two documents", "migrate:\n  wait: 1s\n---\nseed:\n  directories: s\n", "the YAML cannot be read: "),
    Case(
      "a URL in the file", "database:\n  url: postgresql://u:planted-secret@h/d\n",
      "unknown key \"database.url\"", "did you mean \"database.url_file\"?"),
  ]

  @Test(arguments: cases)
  func `is refused with its place, before any server is asked`(_ wrong: Case) async throws {
    let project = try TestProject(nil, ["a.sql": "select 1;", "tsdb.yaml": wrong.text])
    for command in ["migrate up", "migrate new x", "server status", "seed"] {
      let result = try await project.tsdb(command)
      result.expect(64)
      for text in wrong.texts { #expect(result.standardError.contains(text), "no \"\(text)\" in: \(result)") }
      #expect(!result.description.contains("planted-secret"))
    }
    #expect(!FileManager.default.fileExists(atPath: project.directory.path(".tsdb")))
  }

  @Test func `in its encoding`() async throws {
    let project = try TestProject(nil)
    try project.directory.write("tsdb.yaml", bytes: Array("# a".utf8) + [0xF1] + Array("o\n".utf8))
    try await project.tsdb("migrate up").expect(64, "tsdb.yaml is not valid UTF-8")
  }

  @Test(arguments: [
    (
      "TSDB_MIGRATE_LOCK_TIMEOUT", "soon",
      "the environment variable TSDB_MIGRATE_LOCK_TIMEOUT cannot be used", "a duration such as"
    ),
    ("TSDB_MIGRATE_ORDER", "x", "TSDB_MIGRATE_ORDER cannot be used", "\"dependencies\" or \"names\""),
    ("TSDB_HISTORY_SCHEMA", "pg_x", "TSDB_HISTORY_SCHEMA cannot be used", "the name of a schema"),
    (
      "TSDB_MIGRATE_LOCK_TIMEUOT", "1s", "unknown environment variable TSDB_MIGRATE_LOCK_TIMEUOT",
      "did you mean TSDB_MIGRATE_LOCK_TIMEOUT?"
    ),
    (
      "TSDB_DATABASE_URL", "postgresql://u:planted@h/d", "unknown environment variable TSDB_DATABASE_URL",
      "TSDB_DATABASE_URL_FILE"
    ),
  ])
  func `in a variable is refused by name, without its value`(
    name: String, value: String, text: String, hint: String
  ) async throws {
    let project = try TestProject(nil, ["a.sql": "select 1;"])
    let result = try await project.tsdb("migrate up", environment: [name: value])
    result.expect(64, text, hint)
    #expect(!result.description.contains("planted"))
  }

  @Test(arguments: [
    ("migrate upp", "Unexpected argument 'upp'"), ("migrat up", "unexpected arguments: 'migrat'"),
    ("migrate up --dryrun", "Unknown option '--dryrun'"), ("migrate up x", "Unexpected argument 'x'"),
    ("migrate up --to", "Missing value for '--to"),
    ("migrate up --lock-timeout soon", "The value 'soon' is invalid"),
    ("migrate up --lock-timeout 0", "--lock-timeout takes more than 0"),
    ("migrate up --lock-attempts 0", "--lock-attempts takes a number from 1 to 1000"),
    ("migrate accept", "name a migration, or pass --catalog"),
    ("migrate accept a --catalog", "--catalog takes neither a name nor --missing"),
    ("", "error: a command is missing"), ("migrate", "error: a command is missing"),
    ("server", "error: a command is missing"),
    ("--frobnicate migrate up", "Unknown option '--frobnicate'"),
  ])
  func `on the command line is bad usage`(line: String, text: String) async throws {
    let project = try TestProject(nil, ["a.sql": "select 1;"])
    let result = try await project.tsdb(line)
    result.expect(64, text)
    #expect(result.standardOutput.isEmpty)
    #expect(result.standardError.hasPrefix("error: "))
    #expect(!FileManager.default.fileExists(atPath: project.directory.path(".tsdb")))
  }

  @Test func `as a project directory is refused`() async throws {
    let project = try TestProject(nil)
    try await project.tsdb("-C /nonexistent/x migrate up").expect(
      64, "the directory \"/nonexistent/x\" does not exist", "check --project")
  }
}

@Suite struct `Precedence` {
  @Test func `is flag over environment over file over default`() async throws {
    try await withProject(["tsdb.yaml": "migrate:\n  directories: [sql, more]\nhistory:\n  schema: h_file\n"])
    { project, database in
      try project.write("sql/a.sql", "create table a (i int);")
      try project.write("more/b.sql", "create table b (i int);")
      try await project.done("migrate up")
      #expect(try await database.value("select count(*) from h_file.migrations") == "2")
      try project.write("only/c.sql", "create table c (i int);")
      let variables = ["TSDB_HISTORY_SCHEMA": "h_env", "TSDB_MIGRATE_DIRECTORIES": "only"]
      try await project.done("migrate up", environment: variables)
      #expect(try await database.rows("select name from h_env.migrations") == [["c"]])
      let elsewhere = ["DATABASE_URL": "postgresql://nobody@127.0.0.1:1/x"].merging(variables) { $1 }
      let flag = try await project.tsdb(
        ["migrate", "up", "--database-url", database.url], environment: elsewhere)
      #expect(flag.exitStatus == 0 && flag.standardOutput.contains("nothing to do"), "\(flag)")
    }
  }

  @Test func `finds the project from a directory below it`() async throws {
    try await withProject(["a.sql": "select 1;", "deep/er/x.txt": ""]) { project, database in
      let result = try await ToolRun.tsdb(
        ["migrate", "up"], environment: project.environment(), directory: project.directory.path("deep/er"))
      result.expect(0, "ok a")
      try await withProject { other, _ in
        let here = try await other.tsdb(
          "-C \(project.directory.path("deep")) migrate status", environment: ["DATABASE_URL": database.url])
        #expect(here.exitStatus == 0 && here.standardOutput.contains("applied  a"))
      }
    }
  }
}
