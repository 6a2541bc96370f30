extension ChangedGroups {
  /// By catalogue, a select of the groups that its new rows belong to; each ends in a condition.
  static let rows: [(catalog: String, query: String)] = [
    (
      "pg_class",
      """
      select 'r', case when x.relkind in ('i', 'I') then i.indrelid else x.oid end
      from pg_class as x left join pg_index as i on i.indexrelid = x.oid
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
      select case when n.nspname ~ '^pg_' then 'system' else 'f' end, x.oid
      from pg_proc as x join pg_namespace as n on n.oid = x.pronamespace where \(new("x"))
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
      where \(new("x")) and not exists (select from pg_type as e where e.oid = x.typelem and e.typarray = x.oid)
        and (x.typrelid = 0 or exists (select from pg_class as c where c.oid = x.typrelid and c.relkind = 'c'))
      """
    ),
    ("pg_enum", "select 't', x.enumtypid from pg_enum as x where \(new("x"))"),
    ("pg_namespace", "select 'n', x.oid from pg_namespace as x where \(new("x"))"),
    (
      "pg_description",
      """
      select case x.classoid when 'pg_class'::regclass then 'r' when 'pg_trigger'::regclass then 'r'
          when 'pg_proc'::regclass then 'f' when 'pg_namespace'::regclass then 'n'
          when 'pg_type'::regclass then case when t.typrelid <> 0 then 'r' else 't' end
          when 'pg_constraint'::regclass then case when k.conrelid <> 0 then 'r' else 't' end
          else 'comment' end,
        case x.classoid when 'pg_class'::regclass then \(owner(of: "x.objoid"))
          when 'pg_trigger'::regclass then (select g.tgrelid from pg_trigger as g where g.oid = x.objoid)
          when 'pg_type'::regclass then case when t.typrelid <> 0 then t.typrelid else t.oid end
          when 'pg_constraint'::regclass then case when k.conrelid <> 0 then k.conrelid else k.contypid end
          else x.objoid end
      from pg_description as x
      left join pg_type as t on x.classoid = 'pg_type'::regclass and t.oid = x.objoid
      left join pg_constraint as k on x.classoid = 'pg_constraint'::regclass and k.oid = x.objoid
      where \(new("x"))
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
