import Foundation
import Postgres
import Synchronization
import TestSupport
import Testing
import Timekeeping

@testable import Checklists

/// Databases with the application's migrations and its initial configuration, copied from a template.
enum ApplicationDatabase {
  static let files = [
    "migrations/support_troubleshooting_schema.sql", "migrations/support_troubleshooting_feedback_schema.sql",
    "migrations/support_webhooks_schema.sql", "migrations/support_troubleshooting_advanced_schema.sql",
    "migrations/support_troubleshooting_performance_schema.sql", "seeds/support_troubleshooting_config.sql",
  ]
  static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path

  private static let count = Mutex(0)
  private static let template = Task {
    let cluster = try await PostgresCluster.shared
    let name = "checklists_template_\(getpid())"
    try await cluster.connect().run { _ = try $0.execute("create database \(name) template template0") }
    let session = cluster.connect(database: name)
    for file in files {
      let sql = try String(contentsOfFile: "\(root)/\(file)", encoding: .utf8)
      try await session.run { _ = try $0.execute("begin;\n\(sql)\n;commit") }
    }
    await session.close()
    return name
  }

  static func make(_ kind: ScratchDatabase.Kind = .application) async throws -> TestDatabase {
    let source = kind == .application ? try await template.value : "template0"
    let number = count.withLock { count in
      count += 1
      return count
    }
    let cluster = try await PostgresCluster.shared
    let name = "checklists_\(getpid())_\(number)"
    try await cluster.connect().run { _ = try $0.execute("create database \(name) template \(source)") }
    return TestDatabase(named: name, on: cluster)
  }

  static func scratch(_ kind: ScratchDatabase.Kind) async throws -> ScratchDatabase {
    guard kind != .unreachable else { return ScratchDatabase(settings: ScratchDatabase.nowhere) }
    let database = try await make(kind)
    return ScratchDatabase(settings: database.settings, drop: { try? await database.drop() })
  }

  static func with<Result: Sendable>(
    _ kind: ScratchDatabase.Kind = .application, _ body: (TestDatabase) async throws -> Result
  ) async throws -> Result {
    let database = try await make(kind)
    do {
      let result = try await body(database)
      try await database.drop()
      return result
    } catch {
      try? await database.drop()
      throw error
    }
  }

  /// Asks on a session of the probe's own.
  static func ask(
    _ probe: any Probe.Type, _ arguments: [String: String], _ settings: ConnectionSettings,
    deploymentStart: UTCTime? = nil
  ) async throws -> ProbeAnswer {
    let session = Session(settings, applicationName: "tsdb checklist")
    let answer = try await probe.init(arguments: arguments).run(
      ProbeContext(
        settings: settings, session: session, now: .now, schema: "tsdb", deploymentStart: deploymentStart))
    await session.close()
    return answer
  }

  static func ask(
    _ probe: any Probe.Type, _ settings: ConnectionSettings, deploymentStart: UTCTime? = nil
  ) async throws -> ProbeAnswer {
    try await ask(probe, [:], settings, deploymentStart: deploymentStart)
  }
}

/// The probes that need a connection alone.
let connectionOnlyProbes: [any Probe.Type] =
  ConnectionProbes.all + SchemaProbes.all + ConfigurationProbes.all + SecurityProbes.all

@Suite struct SelftestTests {
  @Test(arguments: connectionOnlyProbes.map { $0.name })
  func `each probe turns red on each of its defects, and emptiness proves none`(name: String) async throws {
    let selftest = Selftest(
      probes: connectionOnlyProbes.filter { $0.name == name }, makeScratch: ApplicationDatabase.scratch)
    let report = await selftest.run()
    for failure in report.failures {
      Issue.record(
        "\(failure.defect ?? failure.control): \(failure.problem ?? ""); saw: \(failure.observed ?? "")")
    }
    #expect(report.isPassed)
    #expect(report.results.contains { $0.control == "defect" })
  }

  /// Not a superuser: the role that a project's databases belong to.
  @Test func `an ordinary owner of the scratch databases can break them all`() async throws {
    let selftest = Selftest(probes: connectionOnlyProbes) { kind in
      guard kind != .unreachable else { return ScratchDatabase(settings: ScratchDatabase.nowhere) }
      let database = try await ApplicationDatabase.make(kind)
      try await database.execute(
        """
        do $$ begin create role checklists_owner login; exception when duplicate_object or unique_violation then null; end $$;
        alter database \(database.name) owner to checklists_owner;
        do $$ declare v_name text; begin
          for v_name in
            select format('alter %s public.%I owner to checklists_owner',
              case relkind when 'v' then 'view' when 'm' then 'materialized view' else 'table' end, relname)
            from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm')
            union all
            select format('alter function %s owner to checklists_owner', oid::regprocedure)
            from pg_proc where pronamespace = 'public'::regnamespace
          loop execute v_name; end loop;
        end $$
        """)
      return ScratchDatabase(
        settings: database.settings(user: "checklists_owner"), drop: { try? await database.drop() })
    }
    let report = await selftest.run()
    for failure in report.failures {
      Issue.record("\(failure.probe), \(failure.defect ?? failure.control): \(failure.problem ?? "")")
    }
    #expect(report.isPassed)
  }

  @Test func `probes have names of two parts, each once, and say what they look at`() {
    let names = connectionOnlyProbes.map { $0.name }
    #expect(Set(names).count == names.count)
    #expect(names.allSatisfy { $0.split(separator: ".").count == 2 })
    #expect(connectionOnlyProbes.allSatisfy { !$0.summary.isEmpty && !$0.summary.hasSuffix(".") })
  }

  @Test func `an argument that no probe knows is refused before anything is asked`() {
    for probe in connectionOnlyProbes {
      #expect(throws: ChecklistError.self) { try probe.init(arguments: ["tsdb_stranger": "1"]) }
    }
  }

  @Test(arguments: [
    ("broken.never-red", "it is proved, not failed, when broken"),
    ("broken.always-red", "it is red before anything is broken"),
    ("broken.empty", "an empty database proves it"),
    ("broken.open", "it leaves a transaction open"),
    ("broken.writes", "it leaves rows changed"),
    ("broken.talks", "its answer holds an address or several lines"),
    ("broken.silent", "it does not say what it asked or saw"),
    ("broken.defectless", "it names no defect"),
    ("broken.unbreakable", "it could not be broken (SQLSTATE 42P01)"),
    ("broken.believes", "it is proved without a server"),
  ])
  func `a probe that is not what it should be does not pass`(name: String, problem: String) async throws {
    let probe = try #require(brokenProbes.first { $0.name == name })
    let report = await Selftest(probes: [probe], makeScratch: ApplicationDatabase.scratch).run()
    #expect(!report.isPassed)
    #expect(report.failures.contains { $0.problem == problem }, "\(report.failures.map(\.problem))")
  }

  @Test func `a probe that is what it should be passes`() async throws {
    let report = await Selftest(probes: [SoundProbe.self], makeScratch: ApplicationDatabase.scratch).run()
    #expect(report.isPassed, "\(report.failures)")
    #expect(report.results.map(\.control) == ["defect", "empty-database", "no-server"])
    #expect(report.results[0].before == .proved && report.results[0].after == .failed)
  }

  @Test func `a defect in files is made in the scratch project, and fails where there is none`() async throws
  {
    let without = await Selftest(probes: [FileProbe.self], makeScratch: ApplicationDatabase.scratch).run()
    #expect(without.failures.map(\.problem) == ["the scratch database has no project"])
    let report = await Selftest(probes: [FileProbe.self]) { kind in
      let made = Mutex<[ScratchChange]>([])
      let scratch = try await ApplicationDatabase.scratch(kind)
      return ScratchDatabase(
        settings: scratch.settings,
        ask: { probe, context in
          let answer = await probe.run(context)
          // The project was changed between the two questions.
          guard answer.state == .proved, !made.withLock(\.isEmpty) else { return answer }
          return ProbeAnswer(.failed, asked: answer.asked, observed: "the file is gone")
        },
        change: { changes in made.withLock { $0 += changes } }, drop: scratch.drop)
    }.run()
    #expect(report.isPassed, "\(report.failures)")
    #expect(report.results[0].observed == "the file is gone")
  }

  @Test func `no scratch database, no pass`() async {
    let selftest = Selftest(probes: [SoundProbe.self]) { _ in throw CancellationError() }
    let report = await selftest.run()
    #expect(report.results[0].problem == "no scratch database could be made")
    #expect(!report.isPassed)
  }

  @Test func `no probes, no pass`() async {
    let report = await Selftest(probes: [], makeScratch: ApplicationDatabase.scratch).run()
    #expect(!report.isPassed)
  }

  @Test func `a report is written as JSON with its verdicts`() async throws {
    let report = await Selftest(probes: [SoundProbe.self], makeScratch: ApplicationDatabase.scratch).run()
    let json = try #require(
      JSONSerialization.jsonObject(with: JSONEncoder().encode(report)) as? [String: Any])
    #expect(json["passed"] as? Bool == true)
    let results = try #require(json["results"] as? [[String: Any]])
    #expect(results[0]["defect"] as? String == "the table is gone")
    #expect(results[0]["after"] as? String == "failed")
    #expect(results[0]["passed"] as? Bool == true)
  }
}

/// Red where its table is gone.
private struct SoundProbe: Probe {
  static let name = "sound.table"
  static let summary = "the table of errors"
  static let defects = [
    ProbeDefect("the table is gone", sql: "drop table public.support_troubleshooting_errors")
  ]
  init() {}
  init(arguments: [String: String]) throws(ChecklistError) {}

  func run(_ context: ProbeContext) async -> ProbeAnswer {
    let question = ProbeQuestion("the table")
    return await question.answer(context.session) {
      _ = try $0.query("select 1 from public.support_troubleshooting_errors limit 1")
      return question.proved("it is there")
    }
  }
}

/// Red where its project says so.
private struct FileProbe: Probe {
  static let name = "sound.file"
  static let summary = "a file"
  static let defects = [ProbeDefect("the file is gone", changes: [.remove("file")])]
  init(arguments: [String: String]) throws(ChecklistError) {}

  func run(_ context: ProbeContext) async -> ProbeAnswer {
    await SoundProbe().run(context)
  }
}

private let brokenProbes: [any Probe.Type] = [
  NeverRed.self, AlwaysRed.self, EmptyProved.self, LeavesOpen.self, Writes.self, Talks.self, Silent.self,
  Defectless.self, Unbreakable.self, Believes.self,
]

private protocol BrokenProbe: Probe {
  init()
}

extension BrokenProbe {
  static var summary: String { "nothing" }
  static var defects: [ProbeDefect] { [ProbeDefect("nothing", sql: "select 1")] }
  init(arguments: [String: String]) throws(ChecklistError) { self.init() }
}

private struct NeverRed: BrokenProbe {
  static let name = "broken.never-red"
  func run(_ context: ProbeContext) async -> ProbeAnswer { ProbeAnswer(.proved, asked: "a", observed: "b") }
}

private struct AlwaysRed: BrokenProbe {
  static let name = "broken.always-red"
  func run(_ context: ProbeContext) async -> ProbeAnswer { ProbeAnswer(.failed, asked: "a", observed: "b") }
}

private struct EmptyProved: BrokenProbe {
  static let name = "broken.empty"
  func run(_ context: ProbeContext) async -> ProbeAnswer { ProbeAnswer(.proved, asked: "a", observed: "b") }
}

private struct LeavesOpen: BrokenProbe {
  static let name = "broken.open"
  func run(_ context: ProbeContext) async -> ProbeAnswer {
    try? await context.session.run { _ = try $0.execute("begin") }
    return ProbeAnswer(.unknown, asked: "a", observed: "b")
  }
}

private struct Writes: BrokenProbe {
  static let name = "broken.writes"
  func run(_ context: ProbeContext) async -> ProbeAnswer {
    try? await context.session.run { connection in
      _ = try connection.execute(
        "insert into public.support_troubleshooting_errors (error_type, error_message, severity, category) values ('', '', 'low', 'unknown')"
      )
    }
    return ProbeAnswer(.unknown, asked: "a", observed: "b")
  }
}

private struct Talks: BrokenProbe {
  static let name = "broken.talks"
  func run(_ context: ProbeContext) async -> ProbeAnswer {
    ProbeAnswer(.unknown, asked: "a", observed: "somebody@example.invalid")
  }
}

private struct Silent: BrokenProbe {
  static let name = "broken.silent"
  func run(_ context: ProbeContext) async -> ProbeAnswer { ProbeAnswer(.unknown, asked: "a", observed: "") }
}

private struct Defectless: BrokenProbe {
  static let name = "broken.defectless"
  static var defects: [ProbeDefect] { [] }
  func run(_ context: ProbeContext) async -> ProbeAnswer { ProbeAnswer(.unknown, asked: "a", observed: "b") }
}

private struct Unbreakable: BrokenProbe {
  static let name = "broken.unbreakable"
  static var defects: [ProbeDefect] { [ProbeDefect("nothing", sql: "drop table public.is_not_there")] }
  func run(_ context: ProbeContext) async -> ProbeAnswer { ProbeAnswer(.unknown, asked: "a", observed: "b") }
}

private struct Believes: BrokenProbe {
  static let name = "broken.believes"
  func run(_ context: ProbeContext) async -> ProbeAnswer { ProbeAnswer(.proved, asked: "a", observed: "b") }
}
