import TestSupport
import Testing

/// Work that counts its steps in the sequence `public.steps` and stops at one of them until it is ended: a test's moments
/// are places in the work, not times, and so in the midst of it on a machine of any speed.
struct WorkSteps {
  let database: TestDatabase

  init(_ database: TestDatabase) async throws {
    self.database = database
    try await database.execute("create sequence public.steps")
  }

  /// What counts a step, in PL/pgSQL.
  ///
  /// - Parameter stop: at which the work stops; nil for never.
  static func count(stop: Int?) -> String {
    let pause = stop.map { "if n >= \($0) then perform pg_catalog.pg_sleep(600); end if;" } ?? ""
    return "declare n bigint := pg_catalog.nextval('public.steps'); begin \(pause)"
  }

  /// Counts from the beginning again.
  func reset() async throws {
    try await database.execute("alter sequence public.steps restart")
  }

  /// Waits until the work has come to this step.
  func reach(_ step: Int) async throws {
    try await wait(database, for: "last_value >= \(step) and is_called from public.steps")
  }
}
