extension CatalogQuery {
  /// What is only read as a whole: rare, small, or text that others' definitions depend on.
  var otherSections: [String] {
    [
      extensions, collations, conversions, operators, operatorClasses, operatorFamilies, casts, languages,
      textSearchConfigurations, textSearchDictionaries, eventTriggers, publications, wrappers, servers,
      defaultPrivileges,
    ]
  }

  /// The start of a section for rows `o` of `catalog`, whose column prefix is `prefix`.
  ///
  /// `schema` joins the object's schema as `n` and leaves out those of others.
  private func section(
    _ catalog: String, _ prefix: String, kind: String, identity: String, definition: String,
    schema: Bool = true, acl: String = "null, null", owner: String? = nil, joins: String = "",
    condition: String = "o.oid >= 16384"
  ) -> String {
    let join = schema ? "join user_schema as n on n.oid = o.\(prefix)namespace" : ""
    return """
      select 'x', 0, '\(catalog)'::regclass::oid, o.oid, 0, '\(kind)', \(identity), \(definition),
        \(owner ?? "o.\(prefix)owner"), \(acl)
      from \(catalog) as o
      \(join) \(joins)
      where \(condition) and \(notMember(catalog, "o.oid"))
      """
  }

  private func qualified(_ name: String) -> String { "n.name || '.' || \(Self.name(name))" }

  private var extensions: String {
    section(
      "pg_extension", "ext", kind: "extension", identity: Self.name("o.extname"),
      definition: """
        'version ' || o.extversion || e'\\nschema ' || (select \(Self.name("e.nspname")) from pg_namespace as e \
        where e.oid = o.extnamespace)
        """, schema: false, condition: "true")
  }

  /// The locale's column has another name in each of the last versions.
  private var collations: String {
    section(
      "pg_collation", "coll", kind: "collation", identity: qualified("o.collname"),
      definition: """
        concat_ws(e'\\n', 'provider ' || o.collprovider::text, 'locale ' || coalesce(to_jsonb(o) ->> 'colllocale', \
        to_jsonb(o) ->> 'colliculocale', o.collcollate), case o.collprovider when 'c' then 'ctype ' || o.collctype end, \
        'rules ' || (to_jsonb(o) ->> 'collicurules'), case when not o.collisdeterministic then 'not deterministic' end)
        """)
  }

  private var conversions: String {
    section(
      "pg_conversion", "con", kind: "conversion", identity: qualified("o.conname"),
      definition: """
        concat_ws(' ', case when o.condefault then 'default' end, pg_encoding_to_char(o.conforencoding), 'to', \
        pg_encoding_to_char(o.contoencoding), 'by', o.conproc::regproc)
        """)
  }

  private var operators: String {
    func type(_ id: String) -> String { "case when \(id) = 0 then 'none' else format_type(\(id), null) end" }
    return section(
      "pg_operator", "opr", kind: "operator",
      identity:
        "n.name || '.' || o.oprname || '(' || \(type("o.oprleft")) || ', ' || \(type("o.oprright")) || ')'",
      definition: """
        concat_ws(e'\\n', 'function ' || o.oprcode::regprocedure, \
        case when o.oprcom <> 0 then 'commutator ' || o.oprcom::regoperator end, \
        case when o.oprnegate <> 0 then 'negator ' || o.oprnegate::regoperator end, \
        case when o.oprrest <> 0 then 'restrict ' || o.oprrest::regproc end, \
        case when o.oprjoin <> 0 then 'join ' || o.oprjoin::regproc end, \
        case when o.oprcanhash then 'hashes' end, case when o.oprcanmerge then 'merges' end)
        """,
      condition: "o.oprcode <> 0")
  }

  private static func family(_ id: String) -> String {
    """
    (select \(name("fn.nspname")) || '.' || \(name("f.opfname")) from pg_opfamily as f \
    join pg_namespace as fn on fn.oid = f.opfnamespace where f.oid = \(id))
    """
  }

  private var operatorClasses: String {
    section(
      "pg_opclass", "opc", kind: "operator class",
      identity: qualified("o.opcname") + " || ' using ' || am.amname",
      definition: """
        concat_ws(e'\\n', 'for ' || format_type(o.opcintype, null), case when o.opcdefault then 'default' end, \
        'family ' || \(Self.family("o.opcfamily")), \
        case when o.opckeytype <> 0 then 'storage ' || format_type(o.opckeytype, null) end)
        """, joins: "join pg_am as am on am.oid = o.opcmethod")
  }

  private var operatorFamilies: String {
    section(
      "pg_opfamily", "opf", kind: "operator family",
      identity: qualified("o.opfname") + " || ' using ' || am.amname",
      definition: """
        concat_ws(e'\\n', (select string_agg(concat_ws(' ', 'operator', p.amopstrategy, p.amopopr::regoperator, \
        'order by ' || \(Self.family("nullif(p.amopsortfamily, 0)"))), e'\\n' \
        order by p.amopstrategy, p.amopopr::regoperator::text collate "C") \
        from pg_amop as p where p.amopfamily = o.oid), \
        (select string_agg(concat_ws(' ', 'function', p.amprocnum, format_type(p.amproclefttype, null), \
        format_type(p.amprocrighttype, null), p.amproc::regprocedure), e'\\n' \
        order by p.amprocnum, p.amproc::regprocedure::text collate "C") \
        from pg_amproc as p where p.amprocfamily = o.oid))
        """, joins: "join pg_am as am on am.oid = o.opfmethod")
  }

  private var casts: String {
    section(
      "pg_cast", "cast", kind: "cast",
      identity: "'(' || format_type(o.castsource, null) || ' as ' || format_type(o.casttarget, null) || ')'",
      definition: """
        concat_ws(' ', case o.castmethod when 'i' then 'with inout' when 'b' then 'without function' \
        else 'with ' || o.castfunc::regprocedure end, case o.castcontext when 'i' then 'implicit' \
        when 'a' then 'assignment' else 'explicit' end)
        """, schema: false, owner: "0")
  }

  private var languages: String {
    section(
      "pg_language", "lan", kind: "language", identity: Self.name("o.lanname"),
      definition: """
        concat_ws(e'\\n', case when o.lanpltrusted then 'trusted' end, 'handler ' || o.lanplcallfoid::regproc, \
        case when o.laninline <> 0 then 'inline ' || o.laninline::regproc end, \
        case when o.lanvalidator <> 0 then 'validator ' || o.lanvalidator::regproc end)
        """, schema: false, acl: "o.lanacl, acldefault('l', o.lanowner)")
  }

  private var textSearchConfigurations: String {
    section(
      "pg_ts_config", "cfg", kind: "text search configuration", identity: qualified("o.cfgname"),
      definition: """
        'parser ' || (select \(Self.name("pn.nspname")) || '.' || \(Self.name("p.prsname")) from pg_ts_parser as p \
        join pg_namespace as pn on pn.oid = p.prsnamespace where p.oid = o.cfgparser) || coalesce((select \
        string_agg(e'\\n' || m.maptokentype || ' ' || m.mapdict::regdictionary, '' order by m.maptokentype, m.mapseqno) \
        from pg_ts_config_map as m where m.mapcfg = o.oid), '')
        """)
  }

  private var textSearchDictionaries: String {
    section(
      "pg_ts_dict", "dict", kind: "text search dictionary", identity: qualified("o.dictname"),
      definition: """
        concat_ws(e'\\n', 'template ' || (select \(Self.name("tn.nspname")) || '.' || \(Self.name("t.tmplname")) \
        from pg_ts_template as t join pg_namespace as tn on tn.oid = t.tmplnamespace where t.oid = o.dicttemplate), \
        o.dictinitoption)
        """)
  }

  private var eventTriggers: String {
    section(
      "pg_event_trigger", "evt", kind: "event trigger", identity: Self.name("o.evtname"),
      definition: """
        concat_ws(e'\\n', 'on ' || o.evtevent, 'tags ' || \(Self.options("o.evttags")), \
        'function ' || o.evtfoid::regproc) || \(Self.firing("o.evtenabled"))
        """, schema: false)
  }

  /// Columns that newer versions added are shown where they differ from the default.
  private var publications: String {
    let schemas = """
      (select string_agg('schema ' || \(Self.name("s.nspname")), e'\\n' order by s.nspname collate "C") \
      from pg_publication_namespace as p join pg_namespace as s on s.oid = p.pnnspid where p.pnpubid = o.oid)
      """
    let columns = """
      (select ' (' || string_agg(\(Self.name("a.attname")), ', ' order by a.attnum) || ')' from pg_attribute as a \
      where a.attrelid = p.prrelid and a.attnum = any (p.prattrs))
      """
    let detail =
      serverVersion >= 150_000
      ? "|| coalesce(\(columns), '') || coalesce(' where ' || pg_get_expr(p.prqual, p.prrelid), '')" : ""
    return section(
      "pg_publication", "pub", kind: "publication", identity: Self.name("o.pubname"),
      definition: """
        concat_ws(e'\\n', case when o.puballtables then 'all tables' end, concat_ws(' ', 'publish', \
        case when o.pubinsert then 'insert' end, case when o.pubupdate then 'update' end, \
        case when o.pubdelete then 'delete' end, case when o.pubtruncate then 'truncate' end), \
        case when o.pubviaroot then 'via root' end, \
        'generated columns ' || nullif(to_jsonb(o) ->> 'pubgencols', 'n'), \
        \(serverVersion >= 150_000 ? schemas : "null"), \
        (select string_agg('table ' || \(Self.relation("p.prrelid")) \(detail), e'\\n' \
        order by \(Self.relation("p.prrelid")) collate "C") from pg_publication_rel as p where p.prpubid = o.oid))
        """, schema: false)
  }

  private var wrappers: String {
    section(
      "pg_foreign_data_wrapper", "fdw", kind: "foreign-data wrapper", identity: Self.name("o.fdwname"),
      definition: """
        concat_ws(e'\\n', case when o.fdwhandler <> 0 then 'handler ' || o.fdwhandler::regproc end, \
        case when o.fdwvalidator <> 0 then 'validator ' || o.fdwvalidator::regproc end, \
        'options ' || \(Self.foreignOptions("o.fdwoptions")))
        """, schema: false, acl: "o.fdwacl, acldefault('F', o.fdwowner)")
  }

  /// User mappings are left out: they name roles and hold secrets.
  private var servers: String {
    section(
      "pg_foreign_server", "srv", kind: "foreign server", identity: Self.name("o.srvname"),
      definition: """
        concat_ws(e'\\n', 'wrapper ' || w.fdwname, 'type ' || o.srvtype, 'version ' || o.srvversion, \
        'options ' || \(Self.foreignOptions("o.srvoptions")))
        """, schema: false, acl: "o.srvacl, acldefault('S', o.srvowner)",
      joins: "join pg_foreign_data_wrapper as w on w.oid = o.srvfdw")
  }

  private var defaultPrivileges: String {
    """
    select 'x', 0, 'pg_default_acl'::regclass::oid, o.oid, 0, 'default privileges',
      \(Self.name("pg_get_userbyid(o.defaclrole)")) || coalesce(' in ' || n.name, '') || ' on '
        || case o.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions'
          when 'T' then 'types' when 'n' then 'schemas' else o.defaclobjtype::text end,
      \(Self.sortedACL("o.defaclacl")), 0, null, null
    from pg_default_acl as o
    left join user_schema as n on n.oid = o.defaclnamespace
    where n.oid is not null or o.defaclnamespace = 0
    """
  }
}
