import Foundation
import TestSupport

extension TestDatabase {
  /// Throws a finding unless `query` returns exactly `expected`, as its rows joined by `|` and `,`.
  func expect(_ expected: String, _ query: String, _ what: String) async throws {
    let found = try await text(query)
    guard found == expected else {
      throw FaultFinding("\(what): expected \"\(expected)\", found \"\(found)\"")
    }
  }

  func text(_ query: String) async throws -> String {
    try await rows(query).map { $0.map { $0 ?? "null" }.joined(separator: "|") }.joined(separator: ",")
  }

  /// What no run may leave behind: invalid indexes, remains of REINDEX, pending detaches, locks, sessions.
  ///
  /// - Parameter isPooled: whether idle sessions are a pooler's.
  func expectNothingLeftBehind(isPooled: Bool = false) async throws {
    try await expect(
      "",
      """
      select indexrelid::regclass from pg_index i join pg_class c on c.oid = i.indexrelid
      where not indisvalid or not indisready or not indislive or relname ~ '_cc(new|old)' order by 1
      """, "invalid indexes")
    try await expect(
      "", "select inhrelid::regclass from pg_inherits where inhdetachpending", "pending detaches")
    try await expectNobodyConnected(isPooled: isPooled)
    try await expect(
      "",
      """
      select locktype, classid, objid, pid from pg_locks
      where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())
      """, "advisory locks")
  }

  /// A backend needs a moment to end after its client has.
  private func expectNobodyConnected(isPooled: Bool) async throws {
    let sessions = """
      select pid, application_name, state, query from pg_stat_activity
      where datname = current_database() and application_name like 'tsdb%' and application_name <> 'tsdb tests'
        and (state <> 'idle' or not \(isPooled))
      """
    let deadline = ContinuousClock.now + .seconds(10)
    while try await text(sessions) != "", ContinuousClock.now < deadline {
      try await Task.sleep(for: .milliseconds(20))
    }
    try await expect("", sessions, "sessions of ours")
  }

  /// The journal holds outcomes only, and every file is recorded as applied, once.
  func expectSoundHistory(applied files: [String]) async throws {
    try await expect(
      files.sorted().map { "\($0)|applied" }.joined(separator: ","),
      "select name, state from tsdb.migrations order by name collate \"C\"", "history")
    try await expect(
      files.sorted().map { "\($0)|1" }.joined(separator: ","),
      """
      select name, count(*) from tsdb.migration_log where action = 'applied' group by name
      order by name collate "C"
      """, "log of what was applied")
    try await expect("0", "select count(*) from tsdb.statements where state <> 'done'", "intents left")
  }
}

/// Runs `tsdb` and throws a finding unless it ends with 0.
func expectDone(_ arguments: [String], in project: TemporaryDirectory, url: String) async throws {
  let result = try await ToolRun.tsdb(
    ["-C", project.path] + arguments, environment: ["DATABASE_URL": url], directory: project.path)
  guard result.exitStatus == 0 else {
    throw FaultFinding("tsdb \(arguments.joined(separator: " ")): \(result)")
  }
}
