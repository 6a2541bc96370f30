import Foundation
import Maintenance
import Postgres
import Processes
import SystemPackage
import TestSupport
import Testing

@Suite struct SQLFileTests {
  @Test func `each statement is a transaction of its own, and rows are summed`() async throws {
    try await withDatabase { database in
      try await database.execute(
        "create schema app; alter role postgres in database \(database.name) set search_path = app")
      let result = try await BodyRun(database)(
        job(
          "create table t (id int)", "insert into t select generate_series(1, 3)",
          "delete from t where id = 1",
          "vacuum t", "do $$ begin raise warning 'careful'; end $$"))
      #expect(result.outcome == .ok)
      #expect(result.rows == 4)
      #expect(result.objects.map(\.detail) == ["CREATE TABLE", "INSERT 0 3", "DELETE 1", "VACUUM", "DO"])
      #expect(try await database.value("select count(*) from app.t") == "2")
    }
  }

  @Test func `the first that fails ends the run, with line and SQLSTATE`() async throws {
    try await withDatabase { database in
      let result = try await BodyRun(database)(
        job("create table public.t (id int)", "select 1,\n  nothing\n from public.t", "drop table public.t"))
      #expect(result.outcome == .failed)
      #expect(result.reason == #"maintenance/x.sql:12: column "nothing" does not exist"#)
      #expect(result.sqlState == "42703")
      #expect(result.backlog == 2)
      #expect(try await database.value("select to_regclass('public.t') is not null") == "t")
    }
  }

  @Test(arguments: [
    "begin", "set session characteristics as transaction read only", "set search_path = nowhere",
    "set role pg_monitor", "set statement_timeout = '1ms'", "set lock_timeout = 0",
  ])
  func `whatever a file sets, the run is recorded`(statement: String) async throws {
    try await withDatabase { database in
      let result = try await BodyRun(database)(job(statement))
      #expect(result.outcome == (statement == "begin" ? .failed : .ok))
      #expect(
        try await database.value("select outcome from tsdb.job_runs")
          == (statement == "begin" ? "failed" : "ok"))
      if statement == "begin" { #expect(result.reason?.contains("leaves a transaction open") == true) }
    }
  }

  @Test func `a statement that others wait behind gives way`() async throws {
    try await withDatabase { database in
      try await database.execute(
        "create table public.t (id int); create table public.s (seconds int); insert into public.s values (30)"
      )
      let run = BodyRun(database)
      let job = job("with w as (insert into public.t values (1)) select pg_sleep(seconds) from public.s")
      async let result = run(job)
      try await wait(database, for: RefreshViewsTests.holdsLock("public.t", "RowExclusiveLock"))
      let start = ContinuousClock.now
      try await database.execute("alter table public.t add column more int")
      #expect(ContinuousClock.now - start < .seconds(10))
      try await database.execute("update public.s set seconds = 0")
      try await database.execute("alter table public.t add column again int")
      let ended = try await result
      #expect(ended.outcome == .ok)
      #expect(ended.yields >= 1)
      #expect(try await database.value("select count(*) from public.t") == "1")
    }
  }

  private func job(_ statements: String...) -> SQLFileJob {
    SQLFileJob(
      path: "maintenance/x.sql",
      statements: statements.enumerated().map { SQLFileStatement(text: $1, line: 1 + 10 * $0) })
  }
}

@Suite struct CommandTests {
  @Test func `it runs in the directory, with the environment and the job's name`() async throws {
    let result = try await run(
      ["sh", "-c", "pwd; echo $TSDB_JOB $GIVEN ${DATABASE_URL-none} $#", "a b"], ["GIVEN": "yes"])
    #expect(result.outcome == .ok)
    #expect(result.objects.first?.detail == "/tmp\nsample yes none 0")
  }

  @Test func `the arguments are not read by a shell`() async throws {
    let result = try await run(["printf", "%s", "$HOME; exit 3 `id` *"])
    #expect(result.outcome == .ok)
    #expect(result.objects.first?.detail == "$HOME; exit 3 `id` *")
  }

  @Test func `status 75 is a skip, others are failures with the last line`() async throws {
    let later = try await run(["sh", "-c", "echo not now; exit 75"])
    #expect(later.outcome == .skipped)
    #expect(later.reason == "not now")
    let failed = try await run(["sh", "-c", "echo out; echo bad >&2; exit 3"])
    #expect(failed.outcome == .failed)
    #expect(failed.reason == #""sh" ended with status 3: bad"#)
    let killed = try await run(["sh", "-c", "kill -9 $$"])
    #expect(killed.reason == #""sh" was ended by signal 9"#)
  }

  @Test func `of endless output the end is kept, without control characters and secrets`() async throws {
    let url = "postgresql://me:s3cretword@localhost/db"
    let result = try await run(
      [
        "sh", "-c",
        #"yes 0123456789 | head -c 2000000; echo; printf '\033[31mred\033[0m \007%s and s3cretword\n' "$DATABASE_URL"; exit 1"#,
      ],
      ["DATABASE_URL": url])
    let detail = try #require(result.objects.first?.detail)
    #expect(detail.utf8.count <= 4096 && detail.utf8.count > 4000)
    #expect(detail.hasSuffix("red *** and ***"))
    #expect(result.reason == #""sh" ended with status 1: red *** and ***"#)
  }

  @Test func `at the end of its budget it is ended with what it started, also when it does not listen`()
    async throws
  {
    let start = ContinuousClock.now
    let result = try await run(
      ["sh", "-c", "trap '' TERM; echo $$; sleep 1000 & echo $!; wait; wait; sleep 1000"],
      budget: .milliseconds(500))
    #expect(result.outcome == .failed)
    #expect(result.reason?.contains("budget") == true)
    #expect(ContinuousClock.now - start < .seconds(60))
    let numbers = result.objects.first?.detail?.split(separator: "\n").compactMap { pid_t($0) } ?? []
    #expect(numbers.count == 2)
    for number in numbers { #expect(await isGone(number)) }
  }

  @Test func `one that listens has time to clean up`() async throws {
    let result = try await run(
      ["sh", "-c", "trap 'echo cleaned up; exit 0' TERM; sleep 1000 & wait"], budget: .milliseconds(300),
      grace: .seconds(60))
    // Ended by us, whatever its status says.
    #expect(result.outcome == .failed)
    #expect(result.objects.first?.detail == "cleaned up")
  }

  #if os(Linux)
    @Test func `it ends with the thread that started it`() async throws {
      let process = try await BlockingThread.run {
        var child = ChildProcess(executable: "/bin/sleep", arguments: ["1000"], environment: [])
        child.diesWithThread = true
        return try child.start(output: .standardError, inheriting: nil, newSession: true)
      }
      #expect(await isGone(process))
      var status: Int32 = 0
      #expect(waitpid(process, &status, 0) == process)
      #expect(status & 0x7f == SIGTERM)
    }
  #endif

  @Test func `what it leaves in the background is not waited for`() async throws {
    let start = ContinuousClock.now
    let result = try await run(["sh", "-c", "sleep 30 & echo done"])
    #expect(result.outcome == .ok)
    #expect(result.objects.first?.detail == "done")
    #expect(ContinuousClock.now - start < .seconds(25))
  }

  @Test func `a cancelled run ends it`() async throws {
    try await withDatabase { database in
      let task = Task {
        try await BodyRun(database)(
          CommandJob(["sh", "-c", "sleep 1000"], directory: "/tmp", environment: [:], grace: .seconds(1)))
      }
      try await wait(database, for: RefreshViewsTests.isWorking)
      try await Task.sleep(for: .milliseconds(300))
      task.cancel()
      let result = try await task.value
      #expect(result.outcome == .failed)
      #expect(result.reason == "interrupted")
      #expect(try await database.value("select reason from tsdb.job_runs") == "interrupted")
    }
  }

  @Test(arguments: [
    ["no-such-program-anywhere"], ["/tmp"], ["./no-such-file"], ["/etc/passwd"], [""], [],
  ])
  func `a program that cannot be run is said`(command: [String]) async throws {
    let result = try await run(command)
    #expect(result.outcome == .failed)
    #expect(result.reason?.isEmpty == false)
  }

  private func run(
    _ command: [String], _ environment: [String: String] = [:], budget: Duration = .seconds(60),
    grace: Duration = .milliseconds(500)
  ) async throws -> JobResult {
    var environment = environment
    environment["PATH"] = "/usr/bin:/bin"
    let all = environment
    return try await withDatabase { database in
      try await BodyRun(database, budget: budget)(
        CommandJob(command, directory: "/tmp", environment: all, grace: grace))
    }
  }

  /// Orphans are taken over by another process, which may take its time to notice.
  private func isGone(_ process: pid_t) async -> Bool {
    for _ in 0..<200 {
      if kill(process, 0) != 0 { return true }
      let state = (try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)) ?? ""
      if state.contains(") Z ") { return true }
      try? await Task.sleep(for: .milliseconds(50))
    }
    return false
  }
}
