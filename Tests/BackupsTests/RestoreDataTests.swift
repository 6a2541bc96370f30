import Postgres
import SystemPackage
import TestSupport
import Testing

@testable import Backups

@Suite struct `rows restored into tables that exist` {
  private static let schema = """
    create table c (id integer primary key, b integer);
    create table b (id integer primary key, a integer);
    create table a (id integer primary key, parent integer);
    create sequence s;
    """
  private static let keys = """
    alter table c add constraint c_b foreign key (b) references b;
    alter table b add constraint b_a foreign key (a) references a;
    alter table a add constraint a_a foreign key (parent) references a;
    """
  private static let rows = """
    insert into a select n, nullif((n + 1) % 500, 0) from generate_series(0, 499) n;
    insert into b select n, n % 500 from generate_series(1, 700) n;
    insert into c select n, 1 + n % 700 from generate_series(1, 900) n;
    select setval('s', 42); select lo_from_bytea(4711, 'large');
    """

  private func load(
    _ archive: FilePath, _ settings: ConnectionSettings, acceptsRows: Bool = false
  ) async throws -> RestoreReport {
    let options = RestoreOptions(target: .new(""), jobs: 2, historySchema: "tsdb")
    return try await RestoreDataRun(
      source: try RestoreSource(opening: archive), settings: settings, options: options,
      acceptsRows: acceptsRows
    ) { _ in }.run()
  }

  @Test(.database) func `come in the order of the foreign keys, all or none`() async throws {
    let database = try #require(TestDatabase.current)
    try await database.execute(Self.schema + Self.rows + Self.keys)
    let directory = try TemporaryDirectory()
    let archive = try await database.dump(directory)
    try await withDatabase { other in
      try await other.execute(Self.schema + Self.keys)
      let report = try await load(archive, other.settings)
      #expect(report.rows == 2100)
      #expect(report.checked == "content")
      let facts = try await other.rows(
        "select (select count(*) from a), (select count(*) from c), (select last_value from s), convert_from(lo_get(4711), 'UTF8')"
      )
      #expect(facts == [["500", "900", "42", "large"]])

      // A second time they are refused, or added where that is wanted and possible.
      await #expect(throws: BackupError.self) { try await load(archive, other.settings) }
      await #expect(throws: BackupError.self) { try await load(archive, other.settings, acceptsRows: true) }
      try await other.execute("delete from c; delete from b; select lo_unlink(4711)")
      await #expect(throws: BackupError.self) { try await load(archive, other.settings, acceptsRows: true) }
      let left = try await other.rows("select (select count(*) from a), (select count(*) from b)")
      #expect(left == [["500", "0"]])
    }
  }

  @Test(.database) func `are refused where foreign keys form a circle, unless one can wait`() async throws {
    let database = try #require(TestDatabase.current)
    try await database.execute(Self.schema + Self.rows + Self.keys)
    try await database.execute(
      "update a set parent = null; alter table a add constraint a_c foreign key (id) references c not valid")
    let directory = try TemporaryDirectory()
    let archive = try await database.dump(directory)
    try await withDatabase { other in
      try await other.execute(
        Self.schema + Self.keys
          + "alter table a add constraint a_c foreign key (id) references c not valid; insert into c select 0, null; delete from c"
      )
      do {
        _ = try await load(archive, other.settings)
        Issue.record("loaded")
      } catch let error as BackupError {
        #expect(error.message.contains("form a circle"))
        #expect(error.message.contains("\"a_c\""))
      }
      try await other.execute("alter table b alter constraint b_a deferrable")
      // Now the order exists; the row 0 of a has no c.
      do {
        _ = try await load(archive, other.settings)
        Issue.record("loaded")
      } catch let error as BackupError {
        #expect(error.message.contains("violates foreign key constraint"))
      }
      let left = try await other.value("select count(*) from c")
      #expect(left == "0")
    }
  }

  @Test func `are ordered by what they refer to`() {
    let keys = [
      DataOrder.ForeignKey(name: "x", from: 0, to: 1, isDeferrable: false),
      DataOrder.ForeignKey(name: "y", from: 1, to: 2, isDeferrable: false),
      DataOrder.ForeignKey(name: "self", from: 2, to: 2, isDeferrable: false),
    ]
    #expect(DataOrder(count: 3, keys).tables == [2, 1, 0])
    let back = DataOrder.ForeignKey(name: "z", from: 2, to: 0, isDeferrable: false)
    #expect(DataOrder(count: 3, keys + [back]).circle.map(\.name) == ["x", "y", "z"])
    let waiting = DataOrder.ForeignKey(name: "z", from: 2, to: 0, isDeferrable: true)
    #expect(DataOrder(count: 3, keys + [waiting]).circle.isEmpty)
  }
}
