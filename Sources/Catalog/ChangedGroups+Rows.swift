extension ChangedGroups {
  /// By catalogue, a select of the groups that its new rows belong to; each ends in a condition.
  ///
  /// New rows are few, which the planner cannot know, so what belongs to them is looked up by
  /// subqueries: joins would read the other table as a whole.
  static let rows: [(catalog: String, query: String)] = [
    (
      "pg_class",
      """
      select 'r', case when x.relkind in ('i', 'I')
        then (select i.indrelid from pg_index as i where i.indexrelid = x.oid) else x.oid end
      from pg_class as x
      where \(new("x")) and x.relkind <> 't'
      """
    ),
    (
      "pg_attribute",
      """
      select 'r', \(owner(of: "x.attrelid"))
      from (select distinct a.attrelid from pg_attribute as a where \(new("a")) and a.attnum > 0) as x
      where true
      """
    ),
    (
      "pg_constraint",
      """
      select case when x.conrelid <> 0 then 'r' else 't' end,
        case when x.conrelid <> 0 then x.conrelid else x.contypid end
      from pg_constraint as x where \(new("x"))
      """
    ),
    relations("pg_index", "x.indrelid"),
    relations("pg_trigger", "x.tgrelid"),
    relations("pg_rewrite", "x.ev_class"),
    relations("pg_policy", "x.polrelid"),
    relations("pg_sequence", "x.seqrelid"),
    relations("pg_partitioned_table", "x.partrelid"),
    relations("pg_statistic_ext", "x.stxrelid"),
    relations("pg_inherits", owner(of: "x.inhrelid")),
    (
      "pg_proc",
      """
      select case when (select n.nspname from pg_namespace as n where n.oid = x.pronamespace) ~ '^pg_'
        then 'system' else 'f' end, x.oid
      from pg_proc as x where \(new("x"))
      """
    ),
    ("pg_aggregate", "select 'f', x.aggfnoid::oid from pg_aggregate as x where \(new("x"))"),
    // Row types come with their relation, array types with their element.
    (
      "pg_type",
      """
      select case when x.typrelid <> 0 then 'r' when x.typtype = 'b' then 'base' else 't' end,
        case when x.typrelid <> 0 then x.typrelid else x.oid end
      from pg_type as x
      where \(new("x"))
        and coalesce((select e.typarray <> x.oid from pg_type as e where e.oid = x.typelem), true)
        and (x.typrelid = 0 or (select c.relkind = 'c' from pg_class as c where c.oid = x.typrelid))
      """
    ),
    ("pg_enum", "select 't', x.enumtypid from pg_enum as x where \(new("x"))"),
    ("pg_namespace", "select 'n', x.oid from pg_namespace as x where \(new("x"))"),
    (
      "pg_description",
      """
      select split_part(o.address, ' ', 1), split_part(o.address, ' ', 2)::oid
      from (
        select case x.classoid
          when 'pg_class'::regclass then 'r ' || \(owner(of: "x.objoid"))
          when 'pg_trigger'::regclass then (select 'r ' || t.tgrelid from pg_trigger as t where t.oid = x.objoid)
          when 'pg_type'::regclass then (select case when t.typrelid <> 0 then 'r ' || t.typrelid
            else 't ' || t.oid end from pg_type as t where t.oid = x.objoid)
          when 'pg_constraint'::regclass then (select case when k.conrelid <> 0 then 'r ' || k.conrelid
            else 't ' || k.contypid end from pg_constraint as k where k.oid = x.objoid)
          when 'pg_proc'::regclass then 'f ' || x.objoid
          when 'pg_namespace'::regclass then 'n ' || x.objoid
          else 'comment 0' end as address
        from pg_description as x
        where \(new("x"))
      ) as o
      where o.address <> ''
      """
    ),
  ]

  private static func relations(_ catalog: String, _ id: String) -> (catalog: String, query: String) {
    (catalog, "select 'r', \(id) from \(catalog) as x where \(new("x"))")
  }

  private static func new(_ row: String) -> String { "age(\(row).xmin) <= (select age from horizon)" }

  /// `relation` where it is a table or the like, its table where it is an index; nothing where TOAST.
  private static func owner(of relation: String) -> String {
    """
    (select case c.relkind when 'i' then i.indrelid when 'I' then i.indrelid when 't' then null else c.oid end
      from pg_class as c left join pg_index as i on i.indexrelid = c.oid where c.oid = \(relation))
    """
  }
}
