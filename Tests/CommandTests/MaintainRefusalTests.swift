import Foundation
import Postgres
import TestSupport
import Testing

/// What `tsdb maintain` says where it cannot work.
@Suite struct `tsdb maintain cannot` {
  @Test(arguments: [
    (job: "r: { kind: retntion, schedule: \"0 0 * * *\" }", text: "retention"),
    (job: "r: { kind: analyze, schedule: \"0 0 31 2 *\" }", text: "r.schedule"),
    (job: "r: { kind: analyze, schedule: \"61 * * * *\" }", text: "r.schedule"),
    (job: "r: { kind: analyze, every: 5s }", text: "r.every"),
    (job: "r: { kind: analyze, every: 1h, budgit: 1h }", text: "budget"),
    (job: "r: { kind: analyze, every: 1h, only_after: s }", text: "\"s\""),
    (job: "r: { kind: sql, every: 1h }", text: "file"),
    (job: "analyze: { schedule: \"0 0 * * *\", every: 1h }", text: "every"),
  ])
  func `read a wrong configuration: 64 with the place`(_ job: String, _ text: String) async throws {
    let project = try TestProject(nil, ["tsdb.yaml": maintainConfiguration(job)])
    for command in ["maintain", "maintain --plan", "maintain status"] {
      // Nobody is asked: the configuration comes first.
      let result = try await project.tsdb(
        command, environment: ["DATABASE_URL": "postgresql://postgres@127.0.0.1:9/app"])
      #expect(result.exitStatus == 64, "\(result)")
      #expect(result.standardError.contains(text), "no \"\(text)\" in \(result)")
      #expect(result.standardError.contains("tsdb.yaml:"), "no place: \(result)")
    }
  }

  @Test func `know an unknown time zone: 64`() async throws {
    try await withProject(["tsdb.yaml": maintainConfiguration("", more: ["time_zone: Europe/Madird"])]) {
      project, _ in
      try await project.tsdb("maintain").expect(64, "time_zone", "tsdb.yaml:2", "such as Europe/Madrid")
    }
  }

  @Test func `read a job's file that is missing or wrong: the run of that job fails, with the place`()
    async throws
  {
    let jobs = """
      one: { kind: sql, \(yearly), file: none.sql }
      two: { kind: sql, \(yearly), file: wrong.sql }
      three: { kind: sql, \(yearly), file: good.sql }
      """
    try await withProject(["tsdb.yaml": maintainConfiguration(jobs)]) { project, database in
      try project.directory.write("wrong.sql", "select 1;\nselct 2;\n")
      try project.directory.write("good.sql", "select 1;\n")
      let result = try await project.tsdb("maintain")
      #expect(result.standardError.contains("none.sql"), "\(result)")
      #expect(try await database.jobRuns().contains("three ok hand"), "one bad file must not keep the others")
      #expect(result.exitStatus == 1)
    }
  }

  @Test(arguments: ["maintain", "maintain --plan", "maintain status", "maintain analyze"])
  func `reach a server that is away: 75`(_ command: String) async throws {
    let project = try TestProject(nil, ["tsdb.yaml": maintainConfiguration("analyze: { \(yearly) }")])
    let port = try PostgresCluster.freePort()
    let result = try await project.tsdb(
      command, environment: ["DATABASE_URL": "postgresql://postgres@127.0.0.1:\(port)/app"])
    result.expect(
      75, "error: cannot connect: connection to server at \"127.0.0.1\"", "Connection refused", "hint: ")
    #expect(result.standardOutput.isEmpty)
    #expect(result.standardError.split(separator: "\n").count <= 5, "\(result)")
  }

  @Test(.enabled(if: PgBouncer.isInstalled), arguments: [PgBouncer.PoolMode.session, .transaction])
  func `work through a pooler: 64, and nothing is made`(_ mode: PgBouncer.PoolMode) async throws {
    try await withProject(["tsdb.yaml": maintainConfiguration("analyze: { \(yearly) }")]) {
      project, database in
      try await PgBouncer.with(mode, for: database.cluster) { pooler in
        let there = ["DATABASE_URL": pooler.url(database: database.name)]
        for command in ["maintain", "maintain analyze"] {
          let result = try await database.expectUnchanged {
            try await project.tsdb(command, environment: there)
          }
          result.expect(
            64, "error: a connection pooler stands between tsdb and the server", "Nothing was run.",
            "hint: connect directly")
          #expect(result.standardOutput.isEmpty)
        }
        // Looking is possible.
        #expect(try await project.done("maintain --plan", environment: there).contains("would run 1 job"))
        try await project.done("maintain status", environment: there)
      }
    }
  }

  @Test func `record its runs without the right to make the table: the GRANT is named, and helps`()
    async throws
  {
    try await withProject(["tsdb.yaml": maintainConfiguration("analyze: { \(yearly) }")]) {
      project, database in
      let role = database.name + "_role"
      try await database.execute("create role \(role) login")
      do {
        let there = ["DATABASE_URL": database.cluster.url(database: database.name, user: role)]
        let result = try await database.expectUnchanged {
          try await project.tsdb("maintain", environment: there)
        }
        result.expect(
          1, "permission denied for database", "Nothing was run.", "sqlstate: 42501",
          "hint: grant create on database \"\(database.name)\" to \"\(role)\"")
        #expect(result.standardError.split(separator: "\n").count <= 5, "\(result)")
        try await database.execute("grant create on database \(database.name) to \(role)")
        try await project.tsdb("maintain", environment: there).expectQuiet()
        #expect(try await database.jobRuns() == ["analyze ok hand"])
        try await database.execute("drop owned by \(role); drop role \(role)")
      } catch {
        try? await database.execute("drop owned by \(role); drop role \(role)")
        throw error
      }
    }
  }

  /// The schema belongs to the role that migrates; another maintains.
  @Test func `read another role's records: the GRANT is named`() async throws {
    try await withProject([
      "tsdb.yaml": maintainConfiguration("quick: { kind: command, \(yearly), run: [/bin/true] }")
    ]) {
      project, database in
      try await project.done("maintain")
      let role = database.name + "_role"
      try await database.execute("create role \(role) login")
      do {
        let there = ["DATABASE_URL": database.cluster.url(database: database.name, user: role)]
        for command in ["maintain", "maintain status", "maintain --plan"] {
          try await project.tsdb(command, environment: there).expect(
            1, "permission denied for schema tsdb", "sqlstate: 42501", "hint: grant usage on schema")
        }
        try await database.execute("grant usage on schema tsdb to \(role)")
        try await project.tsdb("maintain status", environment: there).expect(
          1, "permission denied for table job_runs", "hint: grant select, insert, update, delete on")
        try await database.execute("grant select, insert, update, delete on tsdb.job_runs to \(role)")
        try await project.tsdb("maintain quick", environment: there).expectQuiet()
        try await database.execute("drop owned by \(role); drop role \(role)")
      } catch {
        try? await database.execute("drop owned by \(role); drop role \(role)")
        throw error
      }
    }
  }

  @Test func `write on a standby: 1, whether or not the table is there; looking works`() async throws {
    try await PostgresCluster.with { primary in
      try await withProject(["tsdb.yaml": maintainConfiguration("analyze: { \(yearly) }")], on: primary) {
        project, database in
        let standby = try await primary.createStandby()
        try await primary.waitForReplay(on: standby)
        let there = ["DATABASE_URL": standby.url(database: database.name)]
        try await project.tsdb("maintain", environment: there).expect(
          1, "error: the server is a read-only standby", "Nothing was run.", "connect to the primary")
        try await project.done("maintain")
        try await primary.waitForReplay(on: standby)
        try await project.tsdb("maintain analyze", environment: there).expect(
          1, "error: the server is a read-only standby", "Nothing was run.")
        try await project.tsdb("maintain", environment: there).expectQuiet()
        #expect(try await project.done("maintain status", environment: there).contains("not-due"))
        #expect(try await project.done("maintain --plan", environment: there).contains("would run 0 jobs"))
        await standby.destroy()
      }
    }
  }
}
