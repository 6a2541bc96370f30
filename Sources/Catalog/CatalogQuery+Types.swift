extension CatalogQuery {
  var typeSections: [String] { [types, domainConstraints] }

  /// Enums, domains, ranges and base types; composite types are relations, and array and
  /// multirange types come with the type that they are made of.
  private var types: String {
    """
    select 't', t.oid, 'pg_type'::regclass::oid, t.oid, 0,
      case t.typtype when 'd' then 'domain' else 'type' end, n.name || '.' || \(Self.name("t.typname")),
      case t.typtype
        when 'e' then 'enum' || coalesce((select string_agg(e'\\n' || quote_literal(e.enumlabel), ''
          order by e.enumsortorder) from pg_enum as e where e.enumtypid = t.oid), '')
        when 'd' then concat_ws(' ', format_type(t.typbasetype, t.typtypmod),
          case when t.typcollation <> b.typcollation then 'collate ' || \(Self.collation("t.typcollation")) end,
          case when t.typnotnull then 'not null' end,
          'default ' || coalesce(pg_get_expr(t.typdefaultbin, 0), quote_literal(t.typdefault)))
        when 'r' then (select concat_ws(e'\\n', 'range', 'subtype ' || format_type(r.rngsubtype, null),
            'operator class ' || \(Self.name("ocn.nspname")) || '.' || \(Self.name("oc.opcname")),
            'collate ' || \(Self.collation("r.rngcollation")),
            case when r.rngcanonical <> 0 then 'canonical ' || r.rngcanonical::regprocedure end,
            case when r.rngsubdiff <> 0 then 'subtype difference ' || r.rngsubdiff::regprocedure end,
            'multirange ' || format_type(r.rngmultitypid, null))
          from pg_range as r
          join pg_opclass as oc on oc.oid = r.rngsubopc
          join pg_namespace as ocn on ocn.oid = oc.opcnamespace
          where r.rngtypid = t.oid)
        else concat_ws(e'\\n', 'base', 'input ' || t.typinput::regproc, 'output ' || t.typoutput::regproc,
          case when t.typreceive <> 0 then 'receive ' || t.typreceive::regproc end,
          case when t.typsend <> 0 then 'send ' || t.typsend::regproc end,
          'length ' || t.typlen, 'alignment ' || t.typalign::text, 'storage ' || t.typstorage::text,
          'category ' || t.typcategory::text, case when t.typbyval then 'by value' end,
          'default ' || quote_literal(t.typdefault), 'delimiter ' || quote_literal(t.typdelim::text),
          case when t.typelem <> 0 then 'element ' || format_type(t.typelem, null) end) end,
      t.typowner, t.typacl, acldefault('T', t.typowner)
    from pg_type as t
    join user_schema as n on n.oid = t.typnamespace
    left join pg_type as b on b.oid = t.typbasetype
    where t.typtype in ('b', 'd', 'e', 'r') and t.typrelid = 0 and t.typisdefined
      and not exists (select from pg_type as e where e.typarray = t.oid and e.oid = t.typelem)
      and \(notMember("pg_type", "t.oid")) \(restriction("t.oid", .type))
    """
  }

  private var domainConstraints: String {
    """
    select 't', t.oid, 'pg_constraint'::regclass::oid, k.oid, 0, 'constraint',
      n.name || '.' || \(Self.name("t.typname")) || '.' || \(Self.name("k.conname")),
      pg_get_constraintdef(k.oid), 0, null, null
    from pg_type as t
    join user_schema as n on n.oid = t.typnamespace
    join pg_constraint as k on k.contypid = t.oid
    where k.contype <> 'n' and \(notMember("pg_type", "t.oid")) \(restriction("t.oid", .type))
    """
  }
}
