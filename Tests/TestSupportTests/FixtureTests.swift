import Foundation
import Postgres
import TestSupport
import Testing

@Suite struct `The fixtures` {
  @Test func `a database is there for one test and gone afterwards`() async throws {
    let name = try await withDatabase { database in
      try await database.execute("create table t (a int); insert into t values (1), (2)")
      #expect(try await database.value("select count(*) from t") == "2")
      return database.name
    }
    let cluster = try await PostgresCluster.shared
    #expect(try await cluster.value("select count(*) from pg_database where datname = '\(name)'") == "0")
  }

  @Test(.database) func `the trait gives a database`() async throws {
    let database = try #require(TestDatabase.current)
    #expect(try await database.value("select current_database()") == database.name)
  }

  @Test func `forty programs at once all end with their own output`() async throws {
    let outputs = try await withThrowingTaskGroup(of: (Int, ToolRun.Result).self) { group in
      for number in 0..<40 {
        group.addTask {
          let run = try ToolRun(
            executable: "/bin/sh",
            ["-c", "cat; head -c 300000 /dev/zero | tr '\\0' x; echo $N >&2; sleep 0.3; exit \(number)"],
            environment: ["N": String(number), "PATH": "/usr/bin:/bin"], input: "hello \(number) ")
          return (number, try await run.finish())
        }
      }
      return try await group.reduce(into: [Int: ToolRun.Result]()) { $0[$1.0] = $1.1 }
    }
    for number in 0..<40 {
      let result = try #require(outputs[number])
      #expect(result.exitStatus == Int32(number))
      #expect(result.standardError == "\(number)\n")
      #expect(result.standardOutput.utf8.count > 300_000)
      #expect(result.standardOutput.hasPrefix("hello \(number) x"))
    }
  }

  @Test func `a program can be signalled, and one that is late is killed`() async throws {
    let run = try ToolRun(executable: "/bin/sleep", ["60"], environment: [:])
    run.send(signal: SIGTERM)
    let result = try await run.finish()
    #expect(result.signal == SIGTERM && result.exitStatus == nil)
    let late = try ToolRun(executable: "/bin/sleep", ["60"], environment: [:])
    await #expect(throws: TestSupportError.self) { try await late.finish(within: .milliseconds(100)) }
    #expect(!late.isRunning)
  }

  @Test func `the built executable runs with a clean environment`() async throws {
    let result = try await ToolRun.tsdb(["--help"])
    #expect(result.exitStatus == 0)
    #expect(result.standardOutput.contains("USAGE"))
  }

  @Test func `a private cluster survives being killed`() async throws {
    try await PostgresCluster.with { cluster in
      let session = cluster.connect()
      _ = try await session.run { try $0.execute("create table t (a int)").rowCount }
      try await cluster.kill9()
      let error = await #expect(throws: PostgresError.self) {
        try await cluster.connect().run { _ = try $0.execute("select 1") }
      }
      #expect(error?.isServerUnavailable == true)
      try await cluster.start()
      #expect(try await cluster.value("select count(*) from t") == "0")
    }
  }

  @Test func `a standby follows and refuses to write`() async throws {
    try await PostgresCluster.with { primary in
      let standby = try await primary.createStandby()
      _ = try await primary.connect().run { try $0.execute("create table t (a int)").rowCount }
      try await primary.waitForReplay(on: standby)
      #expect(try await standby.value("select count(*) from t") == "0")
      let error = await #expect(throws: PostgresError.self) {
        try await standby.connect().run { _ = try $0.execute("insert into t values (1)") }
      }
      #expect(error?.isReadOnlyTransaction == true)
      await standby.destroy()
    }
  }

  @Test(.enabled(if: PgBouncer.isInstalled), arguments: [PgBouncer.PoolMode.session, .transaction])
  func `pgbouncer passes statements on`(mode: PgBouncer.PoolMode) async throws {
    try await withDatabase { database in
      try await PgBouncer.with(mode, for: database.cluster, poolSize: 2) { pooler in
        let settings = pooler.settings(database: database.name)
        try await withThrowingTaskGroup(of: String.self) { group in
          for _ in 0..<8 {
            group.addTask {
              try await Session(settings, applicationName: "test").run {
                try $0.query("select current_database()").text(0, 0)
              }
            }
          }
          for try await name in group { #expect(name == database.name) }
        }
      }
    }
  }

  @Test(.seeded) func `a seed gives the same numbers again`() {
    var first = SeededGenerator()
    var second = SeededGenerator(seed: SeedTrait.seed)
    #expect((0..<10).map { _ in first.next() } == (0..<10).map { _ in second.next() })
    var known = SeededGenerator(seed: 1_234_567)
    // From the reference implementation.
    #expect(known.next() == 6_457_827_717_110_365_317)
  }
}
