import Foundation
import TestSupport
import Testing

@Suite struct `Help` {
  static let commands = [
    "", "migrate", "migrate up", "migrate status", "migrate verify", "migrate down", "migrate new",
    "migrate accept", "seed", "restore", "backup", "backup create", "backup list", "backup show",
    "backup verify", "backup prune", "maintain", "maintain run", "maintain status", "schedule",
    "schedule install", "schedule show", "schedule diff", "schedule remove", "check",
    "checklist", "checklist run", "checklist list", "checklist attest", "checklist verify",
    "checklist selftest", "deploy", "rollback", "status", "report", "erase",
    "server", "server start", "server stop", "server status", "server url", "server psql", "server destroy",
  ]

  static let golden = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
    "Golden")

  /// `TSDB_RECORD=1` writes the files anew, and fails.
  @Test(arguments: commands)
  func `is as it was agreed, with an example and the exit statuses`(_ command: String) async throws {
    let result = try await ToolRun.tsdb(command.split(separator: " ").map(String.init) + ["--help"])
    #expect(result.exitStatus == 0 && result.standardError.isEmpty)
    let help = result.standardOutput
    #expect(help.contains("EXAMPLES\n") && help.contains("tsdb "), "\(help)")
    // A plugin's statuses are its own.
    let status = command == "check" ? "2  CRITICAL" : "75   try again later"
    #expect(help.contains("EXIT STATUS\n") && help.contains(status))
    #expect(!help.contains("\u{1B}"))
    let file = Self.golden.appendingPathComponent(
      "tsdb \(command)".split(separator: " ").joined(separator: "-") + ".txt")
    if ProcessInfo.processInfo.environment["TSDB_RECORD"] == "1" {
      try help.write(to: file, atomically: true, encoding: .utf8)
      Issue.record("recorded \(file.lastPathComponent)")
    } else {
      #expect(
        try help == String(contentsOf: file, encoding: .utf8), "run with TSDB_RECORD=1 if the change is meant"
      )
    }
  }

  @Test(arguments: [["--version"], ["--json", "--version"]])
  func `and version go to standard output`(_ arguments: [String]) async throws {
    let result = try await ToolRun.tsdb(arguments)
    #expect(result.exitStatus == 0 && result.standardOutput == "0.1.0\n" && result.standardError.isEmpty)
  }

  @Test(arguments: [
    ["--json", "migrate", "--help"], ["-C", "/nonexistent", "migrate", "up", "-h"],
    ["help", "migrate", "up"],
  ])
  func `is given behind global options`(_ arguments: [String]) async throws {
    let result = try await ToolRun.tsdb(arguments)
    #expect(result.exitStatus == 0 && result.standardOutput.contains("USAGE: tsdb migrate"), "\(result)")
  }

  @Test(arguments: ["bash", "zsh", "fish"])
  func `for the shell is generated`(_ shell: String) async throws {
    let result = try await ToolRun.tsdb(["--generate-completion-script", shell])
    #expect(
      result.exitStatus == 0 && result.standardOutput.contains("migrate")
        && result.standardOutput.contains("dry-run"))
    guard shell == "bash" else { return }
    let check = try await ToolRun(
      executable: "/bin/bash", ["-n"], environment: [:], input: result.standardOutput
    ).finish()
    #expect(check.exitStatus == 0, "\(check)")
  }
}

@Suite struct `JSON` {
  @Test func `is one document on standard output for every result`() async throws {
    try await withProject([
      "a.sql": "create table a (i int primary key);", "a.down.sql": "drop table a;",
      "a.verify.sql": "select i from a;",
      "seeds/s.sql": "insert into a values (1) on conflict do nothing;",
    ]) { project, database in
      let dryRun = try await project.tsdb("migrate up --dry-run --json").json()
      #expect((dryRun["files"] as? [[String: Any]])?.first?["name"] as? String == "a")
      let up = try await project.tsdb("migrate up --json").json()
      #expect((up["applied"] as? [[String: Any]])?.first?["statements"] as? Int == 1)
      #expect(up["database"] as? String == database.name && up["up_to_date"] as? Int == 0)
      let status = try await project.tsdb("--json migrate status").json()
      let migration = (status["migrations"] as? [[String: Any]])?.first
      #expect(
        migration?["state"] as? String == "applied" && migration?["applied_by"] as? String == "postgres")
      #expect(status["server_version"] as? Int ?? 0 > 150_000)
      let verify = try await project.tsdb("migrate --json verify").json()
      #expect((verify["migrations"] as? [[String: Any]])?.first?["script"] as? String == "passed")
      let seed = try await project.tsdb("--json seed").json()
      #expect((seed["files"] as? [[String: Any]])?.first?["rows"] as? Int == 1)
      let accept = try await project.tsdb("migrate accept a --json").json()
      #expect(accept["changed"] as? Bool == false)
      let preview = try await project.tsdb("migrate down --dry-run --json").json()
      #expect(preview["names"] as? [String] == ["a"])
      let down = try await project.tsdb("-q --json migrate down --yes").json()
      #expect((down["undone"] as? [[String: Any]])?.count == 1)
      let new = try await project.tsdb("--json migrate new b").json()
      #expect((new["files"] as? [String])?.count == 3)
      let server = try await project.tsdb("--json server status").json()
      #expect(server["state"] as? String == "absent")
      #expect(try await project.tsdb("--json server stop").json()["outcome"] as? String == "was-not-running")
      #expect(try await project.tsdb("--json server destroy").json()["destroyed"] as? Bool == false)
    }
  }

  @Test func `is one document on standard output for every error, and text for people on standard error`()
    async throws
  {
    try await withProject(["a.sql": "select 1;\nselect nosuch;"]) { project, database in
      func error(_ line: String, environment: [String: String] = [:]) async throws -> [String: Any] {
        let result = try await project.tsdb(line, environment: environment)
        let error = try #require(try result.json()["error"] as? [String: Any], "\(result)")
        #expect(error["status"] as? Int == result.exitStatus.map(Int.init))
        #expect(result.standardError.contains("error: \(error["message"] as? String ?? "")"), "\(result)")
        return error
      }
      let statement = try await error("migrate up --json")
      #expect(statement["location"] as? String == "migrations/a.sql:2:8")
      #expect(statement["sql_state"] as? String == "42703")
      #expect(statement["excerpt"] as? String == "select nosuch;\n       ^")
      #expect((statement["detail"] as? String)?.contains("\"a\" was rolled back.") == true)
      #expect(
        try await error("--json migrate up --to zzzzzz")["hint"] as? String
          == "run \"tsdb migrate status\" to see the names")
      #expect(try await error("--json migrate down --to zzzzzz --yes")["status"] as? Int == 64)
      #expect(try await error("--json migrate verify --name zzzzzz")["status"] as? Int == 64)
      #expect(try await error("--json migrate accept zzzzzz")["status"] as? Int == 64)
      #expect(try await error("--json migrate new a")["status"] as? Int == 64)
      #expect(try await error("--json seed")["status"] as? Int == 64)
      #expect(try await error("--json server url")["status"] as? Int == 1)
      #expect(try await error("--json migrate upp")["message"] as? String == "Unexpected argument 'upp'")
      #expect(try await error("migrate up --json --frobnicate")["status"] as? Int == 64)
      let away = ["DATABASE_URL": "postgresql://u@127.0.0.1:1/x"]
      #expect(try await error("--json migrate status", environment: away)["status"] as? Int == 75)
      #expect(
        try await error("--json migrate status", environment: ["DATABASE_URL": "nonsense"])["status"] as? Int
          == 64)
      try project.write("tsdb.yaml", "x: y")
      #expect(try await error("--json migrate status")["location"] as? String == "tsdb.yaml:1:1")
    }
  }
}

@Suite struct `Output` {
  @Test func `is not coloured unless it goes to a terminal that wants it`() async throws {
    try await withProject(["a.sql": "select 1;", "b.sql": "do $$ begin raise warning 'w'; end $$;"]) {
      project, database in
      for line in [
        "migrate up", "migrate status", "migrate verify", "migrate up --to zz", "migrate up --dry-run",
      ] {
        let result = try await project.tsdb(line, environment: ["TERM": "xterm-256color"])
        #expect(!result.description.contains("\u{1B}"), "\(result)")
      }
      // The same on a terminal, which script(1) provides.
      for (variable, isColoured) in [(["NO_COLOR": "1"], false), ([:], true), (["TERM": "dumb"], false)]
        as [([String: String], Bool)]
      {
        let environment = ["PATH": "/usr/bin:/bin", "TERM": "xterm", "DATABASE_URL": database.url].merging(
          variable
        ) { $1 }
        let result = try await ToolRun(
          executable: "/usr/bin/script", ["-qec", "\(try ToolRun.toolPath()) migrate status", "/dev/null"],
          environment: environment, directory: project.directory.path
        ).finish()
        #expect(
          result.standardOutput.contains("applied")
            && result.standardOutput.contains("\u{1B}[32m") == isColoured, "\(result)")
      }
    }
  }

  @Test func `is only the result and warnings when quiet, and each statement when verbose`() async throws {
    let files: KeyValuePairs = [
      "a.sql": "select 1;\ndo $$ begin raise notice 'n'; raise warning 'w'; end $$;"
    ]
    try await withProject(files) { project, database in
      let quiet = try await project.tsdb("-q migrate up")
      #expect(quiet.exitStatus == 0 && quiet.standardOutput.hasPrefix("applied 1 migration"))
      #expect(quiet.standardError == "warning: w (migrations/a.sql:2:1)\n")
    }
    try await withProject(files) { project, database in
      try await project.tsdb("migrate up --verbose").expect(
        0, "a:1: select\n", "a:2: do\n", "notice: n", "ok a (2 statements")
    }
  }

  @Test(arguments: [
    "migrate status", "migrate status --json", "--help", "migrate up --help",
    "--generate-completion-script bash",
  ])
  func `to a reader that has gone away is no failure`(_ line: String) async throws {
    try await withProject { project, database in
      for number in 0..<50 { try project.write("m\(number).sql", "select 1;") }
      // The writer's status, with the reader closed before anything is written.
      let script = "{ sleep 0.2; \(try ToolRun.toolPath()) \(line); echo status $? >&2; } | true; sleep 3"
      let result = try await ToolRun(
        executable: "/bin/bash", ["-c", script], environment: project.environment(["PATH": "/usr/bin:/bin"]),
        directory: project.directory.path
      ).finish()
      #expect(result.standardError == "status 0\n", "\(result)")
    }
  }

  @Test func `to a full disk is a failure`() async throws {
    try await withProject(["a.sql": "select 1;"]) { project, database in
      for line in ["migrate status", "--json migrate status", "--help"] {
        let result = try await ToolRun(
          executable: "/bin/bash", ["-c", "\(try ToolRun.toolPath()) \(line) > /dev/full"],
          environment: project.environment(["PATH": "/usr/bin:/bin"]), directory: project.directory.path
        ).finish()
        result.expect(1, "error: the result could not be written: No space left on device")
      }
    }
  }

  @Test func `of status aligns its columns, also with long and wide names`() async throws {
    try await withProject([
      "a.sql": "-- tsdb: version 1.0.0\nselect 1;", "a_much_longer_name.sql": "select 1;",
    ]) { project, database in
      try await project.done("migrate up --to a")
      let lines = try await project.done("migrate status").split(separator: "\n")
      #expect(lines[0].hasPrefix("STATE    MIGRATION           VERSION  APPLIED"), "\(lines)")
      #expect(lines[1].hasPrefix("applied  a                   1.0.0    20"))
      #expect(lines[2].hasPrefix("pending  a_much_longer_name"))
    }
  }
}

@Suite struct `The private server` {
  /// A server that has all it needs, and no client programs beside it.
  private func bareInstallation(in directory: TemporaryDirectory) throws -> String {
    let binaries = URL(fileURLWithPath: "/usr/lib/postgresql/15/bin")
    let files = FileManager.default
    let copy = directory.path("usr/lib/postgresql/15")
    try files.createDirectory(atPath: copy + "/bin", withIntermediateDirectories: true)
    try files.createDirectory(
      atPath: directory.path("usr/share/postgresql"), withIntermediateDirectories: true)
    for program in ["initdb", "postgres", "pg_ctl"] {
      try files.copyItem(
        atPath: binaries.appendingPathComponent(program).path, toPath: "\(copy)/bin/\(program)")
    }
    try files.createSymbolicLink(
      atPath: copy + "/lib",
      withDestinationPath: binaries.deletingLastPathComponent().appendingPathComponent("lib").path)
    try files.createSymbolicLink(
      atPath: directory.path("usr/share/postgresql/15"), withDestinationPath: "/usr/share/postgresql/15")
    return copy + "/bin"
  }

  @Test(.enabled(if: FileManager.default.fileExists(atPath: "/usr/lib/postgresql/15/bin/postgres")))
  func `works without psql, and says so when psql is asked for`() async throws {
    let project = try TestProject(nil, ["a.sql": "select 1;"])
    let environment = ["PATH": "/nonexistent", "TSDB_PG_BINDIR": try bareInstallation(in: project.directory)]
    let up = try await project.tsdb("migrate up", environment: environment)
    up.expect(0, "made and started a private local server in ", "(no database is configured)", "ok a")
    try await project.tsdb("server psql", environment: environment)
      .expect(64, "error: psql is not installed", "hint: apt-get install postgresql-client")
    #expect(
      try await project.tsdb("--json server status", environment: environment).json()["state"] as? String
        == "running")
    try await project.tsdb("server destroy", environment: environment).expect(
      64, "needs to be confirmed", "pass --yes")
    try await project.done("server destroy --yes", environment: environment)
    #expect(!FileManager.default.fileExists(atPath: project.directory.path(".tsdb/server")))
  }

  @Test func `is not made of binaries that are not there`() async throws {
    let project = try TestProject(nil, ["a.sql": "select 1;"])
    let environment = ["TSDB_PG_BINDIR": project.directory.path("nothing-here")]
    for line in ["server psql", "server start", "migrate up"] {
      try await project.tsdb(line, environment: environment)
        .expect(
          1, "TSDB_PG_BINDIR is not a directory of PostgreSQL server binaries", "hint: set TSDB_PG_BINDIR")
    }
    #expect(!FileManager.default.fileExists(atPath: project.directory.path(".tsdb/server/data")))
  }
}

@Suite struct `What a server says` {
  @Test func `does not command the terminal`() async throws {
    try await withProject([
      "a.sql":
        #"do $$ begin raise notice e'\x1b[2Jgone'; raise exception e'\x1b]0;title\x07' using hint = e'\rhint'; end $$;"#
    ]) { project, _ in
      for command in ["migrate up", "migrate up --json"] {
        let result = try await project.tsdb(command)
        #expect(result.exitStatus == 1)
        for control in ["\u{1B}", "\u{07}", "\r"] {
          #expect(!(result.standardError + result.standardOutput).contains(control), "\(result)")
        }
        #expect(result.standardError.contains("\u{FFFD}[2Jgone"))
      }
    }
  }
}
