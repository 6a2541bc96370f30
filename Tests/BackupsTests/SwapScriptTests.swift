import Postgres
import TestSupport
import Testing

@testable import Backups

/// The transaction of a swap, run as it stands after the databases have changed since they were looked at.
@Suite struct `The transaction of a swap` {
  @Test(arguments: ["neither", "live", "new"])
  func `renames the databases that were looked at, or nothing`(replaced: String) async throws {
    try await SwapFixture.with(on: try await PostgresCluster.shared) { fixture in
      let kept = fixture.live.name + "_kept"
      let script = try await script(fixture, replaced: replaced, kept: kept)
      let control = fixture.cluster.connect()
      let state = try await control.run { connection in try Self.run(script, on: connection) }
      await control.close()
      #expect(state == (replaced == "neither" ? nil : SwapScript.guardState))
      #expect(try await fixture.content() == (replaced == "neither" ? "new" : "old"))
      #expect(
        try await fixture.content(of: replaced == "neither" ? kept : fixture.new.name) != fixture.content())
      let isDone = try await fixture.cluster.value(script.isDoneQuery)
      #expect(isDone == (replaced == "neither" ? "t" : "f"))
    }
  }

  @Test func `is refused before anybody is sent away when a setting may not be given`() async throws {
    try await SwapFixture.with(on: try await PostgresCluster.shared) { fixture in
      let (live, new) = (fixture.live.name, fixture.new.name)
      let user = "s_\(live)"
      try await fixture.execute(
        """
        create role \(user) login createdb; alter database \(live) owner to \(user);
        alter database \(new) owner to \(user); alter database \(live) set log_min_duration_statement to '1s'
        """)
      let application = fixture.live.connect(user: user)
      let process = try await application.run { try $0.query("select pg_backend_pid()").text(0, 0) }
      try await fixture.expectRefused(
        .failed, "cannot be given the owner, privileges and settings", "as a superuser", user: user)
      let still = try await fixture.cluster.value(
        "select count(*) from pg_stat_activity where pid = \(process)")
      #expect(still == "1")
      await application.close()
      for database in [live, new] {
        try await fixture.execute("alter database \(database) owner to postgres")
      }
      try await fixture.execute("drop role \(user)")
    }
  }

  /// - Returns: the SQLSTATE of what went wrong.
  private static func run(_ script: SwapScript, on connection: borrowing Connection) throws -> String? {
    do {
      try connection.execute(script.text)
      return nil
    } catch {
      // Nothing of it may have been committed.
      guard connection.isInTransaction else { return "\(error.sqlState) outside of the transaction" }
      try connection.execute("rollback")
      return error.sqlState
    }
  }

  /// - Parameter replaced: the database whose name belongs to another one by now.
  private func script(_ fixture: SwapFixture, replaced: String, kept: String) async throws -> SwapScript {
    let (live, new) = (fixture.live.name, fixture.new.name)
    return try await fixture.cluster.connect().run { connection in
      let gone = try Self.oid("template0", on: connection)
      let (old, other) = (try Self.oid(live, on: connection), try Self.oid(new, on: connection))
      guard let wanted = try NameProperties(of: old, on: connection),
        let present = try NameProperties(of: other, on: connection)
      else { throw TestSupportError("no properties") }
      return SwapScript(
        live: .init(name: live, oid: replaced == "live" ? gone : old),
        new: .init(name: new, oid: replaced == "new" ? gone : other), kept: kept, mark: "kept",
        wanted: wanted, present: present, grace: .milliseconds(300))
    }
  }

  private static func oid(_ name: String, on connection: borrowing Connection) throws -> Int {
    let row = try connection.query("select oid from pg_database where datname = $1", [name])
    guard let oid = row.integer(0, 0) else { throw TestSupportError("no database \(name)") }
    return oid
  }
}
