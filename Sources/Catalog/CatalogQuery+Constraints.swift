extension CatalogQuery {
  /// The index `id` in text, with what `pg_get_indexdef` leaves out of index row `i`.
  private func indexDefinition(_ id: String) -> String {
    """
    pg_get_indexdef(\(id)) || case when i.indisvalid then '' else e'\\ninvalid' end
      || case when i.indisreplident then e'\\nreplica identity' else '' end
    """
  }

  /// Constraints of tables, each with the index that enforces it.
  ///
  /// Left out: what is inherited; constraint triggers, which are listed as triggers; and not-null
  /// constraints, which PostgreSQL 18 keeps here and every version shows at the column.
  var constraints: String {
    """
    select 'r', c.oid, 'pg_constraint'::regclass::oid, k.oid, 0, 'constraint',
      c.identity || '.' || \(Self.name("k.conname")), concat_ws(e'\\n', pg_get_constraintdef(k.oid),
        (select \(indexDefinition("i.indexrelid")) from pg_index as i
        where i.indexrelid = k.conindid and k.contype in ('p', 'u', 'x'))), 0, null::aclitem[], null::aclitem[]
    from listed as c
    join pg_constraint as k on k.conrelid = c.oid
    where k.contype not in ('t', 'n') and k.conparentid = 0 and k.conislocal
    """
  }

  /// Indexes that enforce no constraint.
  var indexes: String {
    """
    select 'r', c.oid, 'pg_class'::regclass::oid, x.oid, 0, 'index',
      n.name || '.' || \(Self.name("x.relname")), \(indexDefinition("i.indexrelid")), 0, null, null
    from listed as c
    join user_schema as n on n.oid = c.relnamespace
    join pg_index as i on i.indrelid = c.oid
    join pg_class as x on x.oid = i.indexrelid
    where not x.relispartition and not exists (select from pg_constraint as k
      where k.conrelid = i.indrelid and k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x'))
    """
  }

  var triggers: String {
    """
    select 'r', c.oid, 'pg_trigger'::regclass::oid, t.oid, 0, 'trigger',
      c.identity || '.' || \(Self.name("t.tgname")),
      pg_get_triggerdef(t.oid) || \(Self.firing("t.tgenabled")), 0, null, null
    from listed as c
    join pg_trigger as t on t.tgrelid = c.oid
    where not t.tgisinternal and t.tgparentid = 0
    """
  }

  var rules: String {
    """
    select 'r', c.oid, 'pg_rewrite'::regclass::oid, r.oid, 0, 'rule',
      c.identity || '.' || \(Self.name("r.rulename")),
      pg_get_ruledef(r.oid) || \(Self.firing("r.ev_enabled")), 0, null, null
    from listed as c
    join pg_rewrite as r on r.ev_class = c.oid
    where r.rulename <> '_RETURN'
    """
  }

  /// When a trigger or rule fires, unless as usual.
  static func firing(_ expression: String) -> String {
    """
    case \(expression) when 'D' then e'\\ndisabled' when 'R' then e'\\nenabled replica' \
    when 'A' then e'\\nenabled always' else '' end
    """
  }

  var policies: String {
    """
    select 'r', c.oid, 'pg_policy'::regclass::oid, p.oid, 0, 'policy',
      c.identity || '.' || \(Self.name("p.polname")), concat_ws(e'\\n',
        case when p.polpermissive then 'permissive' else 'restrictive' end,
        'for ' || case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update'
          when 'd' then 'delete' else 'all' end,
        'to ' || (select string_agg(case when role = 0 then 'public'
            else \(Self.name("pg_get_userbyid(role)")) end, ', '
          order by case when role = 0 then 'public' else pg_get_userbyid(role) end collate "C")
          from unnest(p.polroles) as role),
        'using (' || pg_get_expr(p.polqual, p.polrelid) || ')',
        'with check (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')'), 0, null, null
    from listed as c
    join pg_policy as p on p.polrelid = c.oid
    """
  }

  var statistics: String {
    """
    select 'r', c.oid, 'pg_statistic_ext'::regclass::oid, s.oid, 0, 'statistics',
      \(Self.name("n.nspname")) || '.' || \(Self.name("s.stxname")),
      pg_get_statisticsobjdef(s.oid)
        || case when s.stxstattarget >= 0 then e'\\nstatistics ' || s.stxstattarget else '' end,
      s.stxowner, null, null
    from listed as c
    join pg_statistic_ext as s on s.stxrelid = c.oid
    join pg_namespace as n on n.oid = s.stxnamespace
    where \(notMember("pg_statistic_ext", "s.oid"))
    """
  }
}
