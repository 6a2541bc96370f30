import Foundation
import TestSupport

/// A database and a project directory under faults.
struct FaultTarget: Sendable {
  let base: TestDatabase
  let project: TemporaryDirectory

  /// An empty database with the mixed project beside it.
  static func mixed(on cluster: PostgresCluster, hasSettings: Bool = true) async throws -> FaultTarget {
    let target = FaultTarget(
      base: try await TestDatabase.create(on: cluster), project: try TemporaryDirectory())
    try MixedProject.write(to: target.project, hasSettings: hasSettings)
    try await target.base.execute(MixedProject.preparation)
    return target
  }

  /// A session of its own: the server may have been killed under the last one.
  func fresh() -> TestDatabase { base.reconnected() }
}

/// `migrate up` on the mixed project.
struct MixedUp: FaultSubject {
  static let command = ["migrate", "up"]

  let target: FaultTarget
  var cluster: PostgresCluster { target.base.cluster }
  var database: String { target.base.name }
  var project: TemporaryDirectory { target.project }

  static func prepare(on cluster: PostgresCluster) async throws -> MixedUp {
    MixedUp(target: try await .mixed(on: cluster))
  }

  func checkInterrupted() async throws {
    try await target.fresh().expectWholeFiles()
  }

  func checkFinished() async throws { try await target.expectAllApplied() }
}

extension FaultTarget {
  /// Every file of the mixed project is applied and recorded, once, and nothing else is left.
  func expectAllApplied(isPooled: Bool = false) async throws {
    let database = fresh()
    try await database.expectWholeFiles()
    try await database.expectSoundHistory(applied: MixedProject.files)
    try await database.expect(
      MixedProject.runs.sorted().map { "\($0)|1" }.joined(separator: ","),
      "select name, count(*) from run_count group by name order by name collate \"C\"", "runs of each file")
    try await database.expect(
      MixedProject.journal.sorted { $0.key < $1.key }.map { "\($0.key)|\($0.value)" }.joined(separator: ","),
      "select migration, count(*) from tsdb.statements group by 1 order by 1", "journal")
    try await database.expect(
      "200|\(MixedProject.rows)", "select sum(balance)::int, count(*) from accounts", "balances")
    try await database.expect(
      "f|t",
      """
      select exists (select from pg_inherits where inhrelid = 'events_2024'::regclass),
        to_regclass('accounts_old_idx') is null and to_regclass('totals_total_idx') is null
      """, "partition detached, indexes dropped")
    try await database.expectNothingLeftBehind(isPooled: isPooled)
    try await expectDone(["migrate", "status", "--check"], in: project, url: database.url)
    try await expectDone(["migrate", "verify"], in: project, url: database.url)
  }
}

extension TestDatabase {
  /// Every transactional file is there with its history row, or neither is; all seen at one moment.
  func expectWholeFiles() async throws {
    guard try await value("select to_regclass('tsdb.migrations') is not null") == "t" else {
      return try await expect("0", "select count(*) from run_count", "runs without a history")
    }
    let rows = MixedProject.probes.map { probe in
      let truths = probe.expressions.map { "(\($0))::int" }.joined(separator: " + ")
      return """
        select '\(probe.file)', \(truths), \(probe.expressions.count), (select state from tsdb.migrations
          where name = '\(probe.file)')
        """
    }
    for row in try await self.rows(rows.joined(separator: " union all ")) {
      let isWhole = row[1] == row[2] && row[3] == "applied"
      let isAbsent = row[1] == "0" && row[3] == nil
      guard isWhole || isAbsent else {
        throw FaultFinding("a file is applied by half, or not recorded: \(row)")
      }
    }
    try await expect(
      "", "select name from tsdb.migrations where state = 'running' and transactional", "running files")
    try await expect(
      "t", "select count(*) <= 1 from tsdb.migrations where state = 'running'", "no two running files")
    try await expect("t", "select count(*) <= 1 from tsdb.statements where state = 'started'", "intents")
  }
}

/// `migrate down --all --yes` on the applied mixed project.
struct MixedDown: FaultSubject {
  static let command = ["migrate", "down", "--all", "--yes"]

  let target: FaultTarget
  var cluster: PostgresCluster { target.base.cluster }
  var database: String { target.base.name }
  var project: TemporaryDirectory { target.project }

  static func prepare(on cluster: PostgresCluster) async throws -> MixedDown {
    let target = try await FaultTarget.mixed(on: cluster)
    try await expectDone(["migrate", "up"], in: target.project, url: target.base.url)
    return MixedDown(target: target)
  }

  func checkInterrupted() async throws {
    let database = target.fresh()
    // A file is recorded, or counted as undone, and never both or neither.
    try await database.expect(
      MixedProject.files.map { "\($0)|1" }.joined(separator: ","),
      """
      select name, count(*) from (select name from tsdb.migrations union all select name from down_count) f
      group by name order by name collate "C"
      """, "applied or undone")
    try await database.expect(
      "t",
      """
      select (to_regclass('accounts') is null) = exists (select from down_count where name = 'a_accounts')
        and (to_regclass('events') is null) = exists (select from down_count where name = 'b_events')
        and (to_regclass('accounts_email_idx') is null) = exists (select from down_count where name = 'c_indexes')
        and (to_regclass('totals') is null) = exists (select from down_count where name = 'd_totals')
        and (to_regclass('labels') is null) = exists (select from down_count where name = 'e_labels')
      """, "objects and history agree")
  }

  func checkFinished() async throws {
    let database = target.fresh()
    try await database.expect(
      "0|0", "select (select count(*) from tsdb.migrations), (select count(*) from tsdb.statements)",
      "history")
    try await database.expect(
      MixedProject.files.map { "\($0)|1" }.joined(separator: ","),
      "select name, count(*) from down_count group by name order by name collate \"C\"", "undone once")
    try await database.expect(
      "down_count,run_count",
      "select relname from pg_class where relnamespace = 'public'::regnamespace order by 1", "objects")
    try await database.expectNothingLeftBehind()
  }
}

/// `seed` with four files.
struct MixedSeed: FaultSubject {
  static let command = ["seed"]

  let target: FaultTarget
  var cluster: PostgresCluster { target.base.cluster }
  var database: String { target.base.name }
  var project: TemporaryDirectory { target.project }

  static func prepare(on cluster: PostgresCluster) async throws -> MixedSeed {
    let target = try await FaultTarget.mixed(on: cluster)
    try await target.base.execute("create table settings (key text primary key, value text)")
    return MixedSeed(target: target)
  }

  func checkInterrupted() async throws {
    let database = target.fresh()
    let isThere = try await database.value("select to_regclass('tsdb.seeds') is not null") == "t"
    guard isThere else { return try await database.expect("0", "select count(*) from settings", "rows") }
    try await database.expect(
      "t",
      """
      select (select array_agg(name order by name) from tsdb.seeds) is not distinct from
          (select array_agg(name order by name) from run_count)
        and (select count(*) from settings) = 3000 * (select count(*) from tsdb.seeds)
      """, "seeds are recorded and there, or neither")
  }

  func checkFinished() async throws {
    let database = target.fresh()
    try await database.expect(
      MixedProject.seedNames.map { "\($0)|1" }.joined(separator: ","),
      "select name, count(*) from run_count group by name order by name", "each seed once")
    try await database.expect("12000", "select count(*) from settings", "rows")
    try await database.expectNothingLeftBehind()
  }
}
