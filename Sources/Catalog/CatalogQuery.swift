import Postgres

/// How much of the catalogue a query reads.
enum CatalogScope: Sendable {
  case everything
  /// The groups whose ids are parameters: an `oid[]` for each of these kinds, in their order.
  case groups([CatalogGroup.Kind])

  func covers(_ kind: CatalogGroup.Kind) -> Bool {
    switch self {
    case .everything: true
    case .groups(let kinds): kinds.contains(kind)
    }
  }
}

/// The text of the query that reads a scope of the catalogue.
///
/// Each section is a select with the columns of ``columns``. Sections are joined by `union all` into
/// one statement, so that all of them see one snapshot. No literal holds a backslash, except in
/// `e''` strings: the server reads the text before it executes the settings sent with it.
struct CatalogQuery {
  let scope: CatalogScope
  let excludedSchemas: [String]
  /// Such as 150020.
  let serverVersion: Int

  /// What each section selects, by position.
  ///
  /// `class`, `object` and `column_number` are the object's address as `pg_description` has it.
  static let columns =
    "(group_kind, group_id, class, object, column_number, kind, identity, definition, owner, acl, default_acl)"

  var text: String {
    """
    with user_schema as materialized (
      select n.*, \(Self.name("n.nspname")) as name
      from pg_namespace as n
      where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
        and n.nspname <> all (\(Quoting.literal(Quoting.textArray(excludedSchemas)))::text[])
    ), \(relations), object \(Self.columns) as materialized (
      \(sections.joined(separator: "\nunion all\n"))
    )
    select o.group_kind, o.group_id, o.class, o.object, o.column_number, o.kind, o.identity, o.definition,
      case when o.owner <> 0 then pg_get_userbyid(o.owner) end,
      case when o.acl is not null then nullif(\(Self.sortedACL("o.acl")), \(Self.sortedACL("o.default_acl"))) end,
      \(comment)
    from object as o
    """
  }

  private var sections: [String] {
    let parts: [(kind: CatalogGroup.Kind, sections: [String])] = [
      (.relation, relationSections), (.routine, routineSections), (.type, typeSections),
      (.schema, [schemas]), (.other, otherSections),
    ]
    return parts.filter { scope.covers($0.kind) }.flatMap(\.sections)
  }

  private var comment: String {
    let condition = "d.classoid = o.class and d.objoid = o.object and d.objsubid = o.column_number"
    return "(select d.description from pg_description as d where \(condition))"
  }

  private var schemas: String {
    """
    select 'n', n.oid, 'pg_namespace'::regclass::oid, n.oid, 0, 'schema', n.name, '', n.nspowner, n.nspacl,
      acldefault('n', n.nspowner)
    from user_schema as n
    where \(notMember("pg_namespace", "n.oid")) \(restriction("n.oid", .schema))
    """
  }
}

extension CatalogQuery {
  /// `expression`, of type `name`, as it stands in an identity.
  ///
  /// Unlike `quote_ident` it quotes no key words, because their list grows with every version.
  static func name(_ expression: String) -> String {
    """
    case when \(expression) ~ '^[a-z_][a-z0-9_]*$' then \(expression)::text \
    else '"' || replace(\(expression)::text, '"', '""') || '"' end
    """
  }

  /// A condition that leaves out members of extensions.
  func notMember(_ catalog: String, _ id: String) -> String {
    // Of these, the server makes some itself as parts of others: a range type's constructors.
    let types = ["pg_proc", "pg_cast"].contains(catalog) ? "in ('e', 'i')" : "= 'e'"
    return """
      not exists (select from pg_depend as m where m.classid = '\(catalog)'::regclass and m.objid = \(id) \
      and m.deptype \(types))
      """
  }

  /// A further condition that keeps to the scope's groups of one kind; empty for a full read.
  func restriction(_ id: String, _ kind: CatalogGroup.Kind) -> String {
    guard case .groups(let kinds) = scope else { return "" }
    return kinds.firstIndex(of: kind).map { "and \(id) = any ($\($0 + 1))" } ?? "and false"
  }

  /// An access list as text, one entry a line in byte order; null where it is empty.
  static func sortedACL(_ expression: String) -> String {
    """
    (select coalesce(string_agg(entry::text, e'\\n' order by entry::text collate "C"), 'none') \
    from unnest(\(expression)) as entry)
    """
  }

  /// `name=value` options in byte order, separated by commas; null where there are none.
  ///
  /// Minor releases from 15.20 keep a version of their own among a column's options, which `pg_dump`
  /// leaves out as well.
  static func options(_ expression: String) -> String {
    """
    case when \(expression) is not null then (select string_agg(entry, ', ' order by entry collate "C") \
    from unnest(\(expression)) as entry where not starts_with(entry, 'pg_attver=')) end
    """
  }

  /// Options of foreign objects, without the values of those that may be secrets.
  static func foreignOptions(_ expression: String) -> String {
    """
    case when \(expression) is not null then (select string_agg(entry, ', ' order by entry collate "C") from (
      select case when split_part(option, '=', 1) ~* '(pass|secret|token|key|credential)'
        then split_part(option, '=', 1) || '=***' else option end as entry
      from unnest(\(expression)) as option) as redacted) end
    """
  }

  /// The qualified name of the collation `id`; null for 0.
  static func collation(_ id: String) -> String {
    """
    (select \(name("cn.nspname")) || '.' || \(name("co.collname")) from pg_collation as co \
    join pg_namespace as cn on cn.oid = co.collnamespace where co.oid = \(id))
    """
  }

  /// The qualified name of the relation `id`; null where there is none.
  static func relation(_ id: String) -> String {
    """
    (select \(name("rn.nspname")) || '.' || \(name("rc.relname")) from pg_class as rc \
    join pg_namespace as rn on rn.oid = rc.relnamespace where rc.oid = \(id))
    """
  }
}
