import Foundation
import Maintenance
import Postgres
import TestSupport
import Testing
import Timekeeping

@Suite struct PartitionsMigrationTests {
  /// All that the catalogue says of the table's partitions, but for numbers that differ each time.
  private static let catalogue = """
    select c.relname, pg_get_expr(c.relpartbound, c.oid), obj_description(c.oid), c.relacl::text,
      pg_get_userbyid(c.relowner), c.reloptions::text, c.relreplident, c.relpersistence, c.relrowsecurity,
      (select string_agg(concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
        a.attstorage, a.attcompression, pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum)), '; '
        order by a.attnum)
        from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
        where a.attrelid = c.oid and a.attnum > 0),
      (select string_agg(concat_ws(' ', conname, pg_get_constraintdef(k.oid), coninhcount, conislocal,
        connoinherit, conparentid <> 0, convalidated), '; ' order by conname) from pg_constraint k where conrelid = c.oid),
      (select string_agg(concat_ws(' ', pg_get_indexdef(x.indexrelid), indisvalid, indisprimary,
        (select inhparent::regclass from pg_inherits where inhrelid = x.indexrelid), obj_description(indexrelid)), '; '
        order by x.indexrelid::regclass::text)
        from pg_index x where indrelid = c.oid),
      (select count(*) from pg_trigger where tgrelid = c.oid)
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'public.support_troubleshooting_audit_log'::regclass
    order by 1
    """

  @Test func `the application's partitions come out as its own migration makes them`() async throws {
    try await withDatabase { database in
      let directory = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../migrations")
      for name in [
        "support_troubleshooting_schema", "support_troubleshooting_feedback_schema",
        "support_webhooks_schema",
        "support_troubleshooting_advanced_schema", "support_troubleshooting_performance_schema",
      ] {
        let sql = try String(contentsOf: directory.appending(path: name + ".sql"), encoding: .utf8)
        try await database.execute(sql)
      }
      let before = try await database.rows(Self.catalogue)
      #expect(before.count >= 5)
      let table = "public.support_troubleshooting_audit_log"
      var months = PartitionPeriod.periods(.month, from: .now, ahead: 3)
      months.removeFirst()
      for month in months {
        let name = "\(table)_\(month.suffix(.month))"
        try await database.execute(
          """
          insert into \(table) (table_name, record_id, action, changed_at)
            values ('x', '1', 'INSERT', '\(month.start)');
          create table public.kept as select * from \(name);
          drop table \(name);
          insert into \(table) overriding system value select * from public.kept;
          drop table public.kept;
          """)
      }
      let rows = try await database.rows("select * from \(table) order by id")
      var run = SampleRun()
      run.now = .now
      let result = try await run([PartitionRule(table: table, ahead: 3)], on: database)
      #expect(result.outcome == .ok, "\(result)")
      #expect(result.objects.map(\.action) == ["created", "created", "created"])
      #expect(result.rows == 3)
      let after = try await database.rows(Self.catalogue)
      for (old, new) in zip(before, after) { #expect(old == new) }
      #expect(before.count == after.count)
      #expect(try await database.rows("select * from \(table) order by id") == rows)
      #expect(try await database.value("select count(*) from \(table)_default") == "0")
      // The migration itself finds nothing to do then.
      let sql = try String(
        contentsOf: directory.appending(path: "support_troubleshooting_performance_schema.sql"),
        encoding: .utf8)
      try await database.execute(sql)
      #expect(try await database.rows(Self.catalogue) == before)
    }
  }
}
