import Postgres

/// Indexes that are the same but for their names: each but one costs writes and space for nothing.
enum DuplicateIndexesCheck: HealthCheck {
  static let description = HealthCheckDescription(
    "duplicate-indexes",
    looksAt:
      "valid indexes of the same table, method, columns, operator classes, expressions, predicate and uniqueness"
  )

  /// Indexes that are alike; the first is the one to keep.
  struct Group: Sendable, Equatable {
    struct Index: Sendable, Equatable {
      let name: String
      let bytes: Int64
      /// The constraint that it is of, quoted.
      let constraint: String?
    }
    let table: String
    let indexes: [Index]
  }

  static func facts(_ context: HealthContext, on connection: borrowing Connection) throws -> [Group] {
    // Kept is what a constraint or the replica identity needs, else the oldest. The parts of a partitioned index
    // come and go with it.
    let result = try connection.query(
      """
      with index as (
        select i.indexrelid, i.indrelid::regclass::text as tab, format('%I.%I', n.nspname, c.relname) as name,
          case when c.relkind = 'I' then 0 else pg_relation_size(c.oid) end as bytes, quote_ident(k.conname) as conname,
          row_number() over same as place, count(*) over (partition by i.indrelid, c.relam, i.indkey::text,
            i.indclass::text, i.indcollation::text, i.indoption::text, i.indnkeyatts, i.indisunique, i.indimmediate,
            i.indisexclusion, to_jsonb(i) ->> 'indnullsnotdistinct', pg_get_expr(i.indexprs, i.indrelid),
            pg_get_expr(i.indpred, i.indrelid), k.conexclop) as alike,
          first_value(i.indexrelid) over same as first
        from pg_index as i join pg_class as c on c.oid = i.indexrelid
        join pg_namespace as n on n.oid = c.relnamespace
        left join pg_constraint as k on k.conindid = c.oid and k.conrelid = i.indrelid and k.contype in ('p', 'u', 'x')
        where i.indisvalid and c.relpersistence <> 't' and not c.relispartition
          and n.nspname not in ('pg_catalog', 'pg_toast')
        window same as (partition by i.indrelid, c.relam, i.indkey::text,
            i.indclass::text, i.indcollation::text, i.indoption::text, i.indnkeyatts, i.indisunique, i.indimmediate,
            i.indisexclusion, to_jsonb(i) ->> 'indnullsnotdistinct', pg_get_expr(i.indexprs, i.indrelid),
            pg_get_expr(i.indpred, i.indrelid), k.conexclop
          order by i.indisprimary desc, i.indisreplident desc, k.oid is null,
            not exists (select from pg_constraint as f where f.conindid = c.oid and f.contype = 'f'), i.indexrelid)
      )
      select first, tab, name, bytes, conname from index where alike > 1 order by tab, first, place
      """)
    var groups: [(first: String, table: String, indexes: [Group.Index])] = []
    for row in 0..<result.rowCount {
      let index = Group.Index(
        name: result.text(row, 2), bytes: Int64(result.text(row, 3)) ?? 0, constraint: result[row, 4])
      if groups.last?.first == result.text(row, 0) {
        groups[groups.count - 1].indexes.append(index)
      } else {
        groups.append((result.text(row, 0), result.text(row, 1), [index]))
      }
    }
    return groups.map { Group(table: $0.table, indexes: $0.indexes) }
  }

  static func verdict(_ groups: [Group], _ context: HealthContext) -> HealthFinding {
    let problems = groups.flatMap { group in
      group.indexes.dropFirst().map { index in
        HealthProblem(
          .warning, "index \(index.name) on \(group.table) is the same as \(group.indexes[0].name)",
          detail: "It takes \(HealthText.bytes(index.bytes)), and every write pays for it.",
          remedy: index.constraint.map { "alter table \(group.table) drop constraint \($0);" }
            ?? "drop index concurrently \(index.name);")
      }
    }
    return HealthFinding(
      name, problems: problems, several: "duplicate indexes", fine: "no duplicate indexes",
      performance: [
        PerformanceData("duplicate_indexes", Double(problems.count)),
        PerformanceData(
          "duplicate_index_bytes",
          Double(groups.flatMap { $0.indexes.dropFirst() }.reduce(0) { $0 + $1.bytes }), unit: .bytes),
      ])
  }
}
