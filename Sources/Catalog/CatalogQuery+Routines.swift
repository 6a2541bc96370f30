extension CatalogQuery {
  var routineSections: [String] { [functions, aggregates] }

  /// `p` with the types of its arguments.
  private var signature: String {
    "n.name || '.' || \(Self.name("p.proname")) || '(' || oidvectortypes(p.proargtypes) || ')'"
  }

  private var functions: String {
    """
    select 'f', p.oid, 'pg_proc'::regclass::oid, p.oid, 0,
      case p.prokind when 'p' then 'procedure' else 'function' end, \(signature), pg_get_functiondef(p.oid),
      p.proowner, p.proacl, acldefault('f', p.proowner)
    from pg_proc as p
    join user_schema as n on n.oid = p.pronamespace
    where p.prokind <> 'a' and \(notMember("pg_proc", "p.oid")) \(restriction("p.oid", .routine))
    """
  }

  private var aggregates: String {
    func part(_ label: String, _ function: String) -> String {
      "case when a.\(function) <> 0 then '\(label) ' || a.\(function)::regprocedure end"
    }
    return """
      select 'f', p.oid, 'pg_proc'::regclass::oid, p.oid, 0, 'aggregate', \(signature), concat_ws(e'\\n',
        'arguments ' || pg_get_function_arguments(p.oid), 'returns ' || pg_get_function_result(p.oid),
        'kind ' || a.aggkind::text || ' ' || a.aggnumdirectargs,
        \(part("sfunc", "aggtransfn")), 'stype ' || format_type(a.aggtranstype, null),
        'sspace ' || nullif(a.aggtransspace, 0), 'initcond ' || quote_literal(a.agginitval),
        \(part("finalfunc", "aggfinalfn")), case when a.aggfinalextra then 'finalfunc_extra' end,
        'finalfunc_modify ' || a.aggfinalmodify::text,
        \(part("combinefunc", "aggcombinefn")), \(part("serialfunc", "aggserialfn")),
        \(part("deserialfunc", "aggdeserialfn")), \(part("msfunc", "aggmtransfn")),
        \(part("minvfunc", "aggminvtransfn")),
        case when a.aggmtranstype <> 0 then 'mstype ' || format_type(a.aggmtranstype, null) end,
        'msspace ' || nullif(a.aggmtransspace, 0), 'minitcond ' || quote_literal(a.aggminitval),
        \(part("mfinalfunc", "aggmfinalfn")), case when a.aggmfinalextra then 'mfinalfunc_extra' end,
        'mfinalfunc_modify ' || a.aggmfinalmodify::text,
        case when a.aggsortop <> 0 then 'sortop ' || a.aggsortop::regoperator end,
        'parallel ' || p.proparallel::text),
        p.proowner, p.proacl, acldefault('f', p.proowner)
      from pg_proc as p
      join pg_aggregate as a on a.aggfnoid = p.oid
      join user_schema as n on n.oid = p.pronamespace
      where \(notMember("pg_proc", "p.oid")) \(restriction("p.oid", .routine))
      """
  }
}
