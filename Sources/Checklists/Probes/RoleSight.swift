import Postgres

/// Judges the database, and roles, as the server would judge a new session of theirs.
struct RoleSight: Sendable {
  let isInstalled: Bool
  /// Names of settings that this session was given by its client.
  let givenSettings: [String]

  /// A role's name without what would make it an address.
  static func shown(_ name: String) -> String {
    name.contains("@") ? "\(name.prefix { $0 != "@" })…" : name
  }

  /// Other roles that log in, are no superusers, and may insert into a table that the application writes.
  func writers(on connection: borrowing Connection) throws -> [String] {
    try connection.query(
      """
      select r.rolname from pg_roles as r
      where r.rolcanlogin and not r.rolsuper and r.rolname not in (session_user, current_user) and exists (
        select from pg_class as c
        where c.relnamespace = (select n.oid from pg_namespace as n where n.nspname = 'public')
          and c.relname = any ($1::text[]) and c.relkind in ('r', 'p') and has_table_privilege(r.oid, c.oid, 'insert'))
      order by 1
      """, [Quoting.textArray(ApplicationRights.written)]
    ).rows().compactMap(\.[0])
  }

  /// Limits of the database; and its settings for roles that have none of their own, where no role is named.
  func faultsOfDatabase(isRoleNamed: Bool, on connection: borrowing Connection) throws -> [RoleFault] {
    let facts = try connection.query(
      """
      select d.datconnlimit, (
          select count(*) from pg_stat_activity as a
          where a.datid = d.oid and coalesce(a.backend_type, 'client backend') = 'client backend'
            and coalesce(a.application_name, '') !~ '^\(ConnectionProbes.applicationPrefix)( |$)'),
        format('alter database %I', d.datname)
      from pg_database as d where d.datname = current_database()
      """)
    let (alter, limit) = (facts.text(0, 2), facts.integer(0, 0) ?? -1)
    var faults: [RoleFault] = []
    if limit >= 0, (facts.integer(0, 1) ?? 0) >= limit {
      faults.append(
        RoleFault(
          limit == 0
            ? "the database takes no connection (its limit is 0)"
            : "all \(limit) connections that the database allows are taken",
          remedy: "\(alter) connection limit -1"))
    }
    guard !isRoleNamed else { return faults }
    let settings = try RoleSettings.read(of: "0", given: givenSettings, on: connection)
    let resetting = { Self.reset($0, $1, role: "all", database: alter) }
    faults += settings.faults(of: "every role", isSharedJudged: true, reset: resetting)
    faults += try faultsOfPath(
      settings, subject: nil, name: "every role", isSharedJudged: true, on: connection,
      reset: { resetting("search_path", $0) })
    return faults
  }

  /// - Parameter isNamed: whether it was named as the application's: then it must be let do all that documents tell;
  ///   else what programs do.
  func faults(
    of name: String, isNamed: Bool, on connection: borrowing Connection
  ) throws -> [RoleFault] {
    let facts = try connection.query(
      """
      select r.oid, r.rolcanlogin, r.rolsuper, r.rolvaliduntil <= clock_timestamp(), r.rolconnlimit, (
          select count(*) from pg_stat_activity as a
          where a.usesysid = r.oid and coalesce(a.backend_type, 'client backend') = 'client backend'
            and coalesce(a.application_name, '') !~ '^\(ConnectionProbes.applicationPrefix)( |$)'),
        has_database_privilege(r.oid, current_database(), 'connect'), format('%I', r.rolname),
        format('%I', current_database())
      from pg_roles as r where r.rolname = $1
      """, [name])
    let shown = Self.shown(name)
    guard facts.rowCount == 1 else { return [RoleFault("role \(shown) does not exist")] }
    let (role, database) = (facts.text(0, 7), facts.text(0, 8))
    var faults: [RoleFault] = []
    if !facts.isTrue(0, 1) {
      faults.append(.init("role \(shown) may not log in", remedy: "alter role \(role) login"))
    }
    if facts.isTrue(0, 3) {
      faults.append(
        .init("role \(shown) has expired", remedy: "alter role \(role) valid until 'infinity'"))
    }
    if !facts.isTrue(0, 2), let limit = facts.integer(0, 4), limit >= 0, (facts.integer(0, 5) ?? 0) >= limit {
      faults.append(
        .init(
          limit == 0
            ? "role \(shown) is let have no connection"
            : "role \(shown) has all \(limit) connections it is let have",
          remedy: "alter role \(role) connection limit -1"))
    }
    if !facts.isTrue(0, 6) {
      faults.append(
        .init(
          "role \(shown) may not connect to the database",
          remedy: "grant connect on database \(database) to \(role)"))
    }
    let settings = try RoleSettings.read(of: facts.text(0, 0), given: givenSettings, on: connection)
    let resetting = { Self.reset($0, $1, role: role, database: "alter database \(database)") }
    // Where no role is named, what holds for every role is said of the database.
    faults += settings.faults(of: "role \(shown)", isSharedJudged: isNamed, reset: resetting)
    let subject = try subject(of: settings, login: facts.text(0, 0), on: connection)
    if let fault = subject.fault {
      faults.append(
        .init(
          "role \(shown) \(fault)", remedy: settings.values["role"].flatMap { resetting("role", $0.source) }))
    }
    faults += try faultsOfPath(
      settings, subject: subject, name: "role \(shown)", isSharedJudged: isNamed, on: connection,
      reset: { resetting("search_path", $0) })
    if isInstalled {
      faults += try faultsOfRights(subject, shown: shown, isNamed: isNamed, on: connection)
    }
    return faults
  }

  /// The statement that takes a setting away.
  private static func reset(
    _ setting: String, _ source: RoleSettings.Source, role: String, database: String
  ) -> String? {
    switch source {
    case .roleInDatabase: "alter role \(role) in \(database.dropFirst("alter ".count)) reset \(setting)"
    case .role: "alter role \(role) reset \(setting)"
    case .database: "\(database) reset \(setting)"
    case .allRoles: "alter role all reset \(setting)"
    case .server: "alter system reset \(setting); select pg_reload_conf()"
    }
  }
}

extension RoleSight {
  /// Whose privileges count in a new session.
  struct Subject: Sendable {
    let identifier: String
    let name: String
    /// As GRANT reads it.
    let quoted: String
    let isLogin: Bool
    /// Why a session does not become the role that its settings name.
    var fault: String?
  }

  private func subject(
    of settings: RoleSettings, login: String, on connection: borrowing Connection
  ) throws -> Subject {
    let wanted = settings.values["role"]?.text
    let rows = try connection.query(
      """
      select r.oid, r.rolname, format('%I', r.rolname), r.oid = $1::oid,
        pg_has_role($1::oid, r.oid, case when current_setting('server_version_num')::integer >= 160000 then 'SET'
          else 'MEMBER' end)
      from pg_roles as r where r.oid = $1::oid or r.rolname = $2 order by r.oid <> $1::oid
      """, [login, wanted])
    let own = Subject(
      identifier: login, name: rows.text(0, 1), quoted: rows.text(0, 2), isLogin: true)
    guard let wanted, wanted != "none", wanted != own.name else { return own }
    guard rows.rowCount == 2, rows.isTrue(1, 4) else {
      var own = own
      own.fault = "cannot become role \(Self.shown(wanted)), as its setting demands"
      return own
    }
    return Subject(
      identifier: rows.text(1, 0), name: rows.text(1, 1), quoted: rows.text(1, 2), isLogin: false)
  }

  /// Whether names without a schema lead to the application's objects.
  private func faultsOfPath(
    _ settings: RoleSettings, subject: Subject?, name: String, isSharedJudged: Bool,
    on connection: borrowing Connection, reset: (RoleSettings.Source) -> String?
  ) throws -> [RoleFault] {
    guard let value = settings.values["search_path"] else { return [] }
    let place = RoleSettings.place(value.source)
    let schemas = RoleSettings.schemas(value.text).compactMap { $0 == "$user" ? subject?.name : $0 }
    guard schemas.contains("public") else {
      guard isSharedJudged || value.source.isOfRole else { return [] }
      return [
        RoleFault("search_path does not reach public for \(name)\(place)", remedy: reset(value.source))
      ]
    }
    guard isInstalled else { return [] }
    let hidden = try connection.query(
      """
      select e.name from unnest($1::text[]) as e (name)
      where 'public' <> (
        select s.name from unnest($2::text[]) with ordinality as s (name, place)
        join pg_namespace as n on n.nspname = s.name join pg_class as c on c.relnamespace = n.oid and c.relname = e.name
        where $3::oid is null or has_schema_privilege($3::oid, n.oid, 'usage')
        order by s.place limit 1)
      order by 1
      """,
      [
        Quoting.textArray(ApplicationRights.relations.map(\.name)), Quoting.textArray(schemas),
        subject?.identifier,
      ]
    ).rows().compactMap(\.[0])
    guard !hidden.isEmpty else { return [] }
    return [
      RoleFault(
        "search_path leads \(name)\(place) to others in place of \(ProbeText.names(hidden))",
        remedy: reset(value.source))
    ]
  }

  private func faultsOfRights(
    _ subject: Subject, shown: String, isNamed: Bool, on connection: borrowing Connection
  ) throws -> [RoleFault] {
    let relations = ApplicationRights.relations.filter { isNamed || $0.isUsedByProgram }
    let pairs = relations.flatMap { relation in relation.privileges.map { (relation.name, $0) } }
    let functions =
      ApplicationRights.functionsOfPrograms + (isNamed ? ApplicationRights.functionsOfDocuments : [])
    // Identity columns need no right on their sequences; defaults that call nextval do.
    let lacking = try connection.query(
      """
      select 'usage', 'schema public', 'schema public'
        where not has_schema_privilege($1::oid, 'public', 'usage')
      union all
      select w.privilege, 'public.' || w.relation, w.relation
        from unnest($2::text[], $3::text[]) as w (relation, privilege)
        join pg_class as c on c.relname = w.relation and c.relnamespace = 'public'::regnamespace
        where not has_table_privilege($1::oid, c.oid, w.privilege)
      union all
      select 'usage', 'sequence ' || s.oid::regclass, s.relname
        from pg_attrdef as a
        join pg_depend as d on d.classid = 'pg_attrdef'::regclass and d.objid = a.oid
          and d.refclassid = 'pg_class'::regclass
        join pg_class as s on s.oid = d.refobjid and s.relkind = 'S'
        join pg_class as c on c.oid = a.adrelid and c.relnamespace = 'public'::regnamespace
        where (c.relname::text, 'insert') in (select * from unnest($2::text[], $3::text[]))
          -- Conditions have no order of their own, and the function refuses what is no sequence.
          and case when s.relkind = 'S' then not has_sequence_privilege($1::oid, s.oid, 'usage, update') end
      union all
      select 'execute', 'function ' || p.oid::regprocedure, p.proname
        from pg_proc as p
        where p.pronamespace = 'public'::regnamespace and p.proname = any ($4::text[])
          and not has_function_privilege($1::oid, p.oid, 'execute')
      """,
      [
        subject.identifier, Quoting.textArray(pairs.map(\.0)), Quoting.textArray(pairs.map(\.1)),
        Quoting.textArray(functions),
      ]
    ).rows()
    let who = subject.isLogin ? "role \(shown)" : "role \(shown), as \(Self.shown(subject.name)),"
    var faults: [RoleFault] = []
    for privilege in ["usage", "select", "insert", "update", "execute"] {
      let rows = lacking.filter { $0[0] == privilege }
      guard !rows.isEmpty else { continue }
      faults.append(
        RoleFault(
          "\(who) lacks \(privilege) on \(ProbeText.names(rows.compactMap { $0[2] }))",
          remedy: Self.grants(privilege, rows.compactMap { $0[1] }, to: subject.quoted)))
    }
    return try faults + faultsOfPolicies(subject, who, relations.map(\.name), on: connection)
  }

  /// One statement for the tables, one for each of the others.
  private static func grants(_ privilege: String, _ objects: [String], to role: String) -> String {
    let tables = objects.filter { !$0.contains(" ") }
    let others = objects.filter { $0.contains(" ") }
    return ((tables.isEmpty ? [] : [tables.joined(separator: ", ")]) + others)
      .map { "grant \(privilege) on \($0) to \(role)" }.joined(separator: "; ")
  }

  /// Row security without a policy for the role hides every row and refuses every new one.
  private func faultsOfPolicies(
    _ subject: Subject, _ who: String, _ relations: [String], on connection: borrowing Connection
  ) throws -> [RoleFault] {
    let hidden = try connection.query(
      """
      select c.relname from pg_class as c cross join pg_roles as r
      where r.oid = $1::oid and c.relnamespace = 'public'::regnamespace and c.relname = any ($2::text[])
        and c.relrowsecurity and not r.rolsuper and not r.rolbypassrls
        and (c.relforcerowsecurity or not pg_has_role(r.oid, c.relowner, 'usage'))
        and not exists (select from pg_policy as p where p.polrelid = c.oid and p.polpermissive
          and exists (select from unnest(p.polroles) as m (oid)
            where case when m.oid = 0 then true else pg_has_role(r.oid, m.oid, 'usage') end))
      order by 1
      """, [subject.identifier, Quoting.textArray(relations)]
    ).rows().compactMap(\.[0])
    guard !hidden.isEmpty else { return [] }
    return [
      RoleFault(
        "row security hides all rows of \(ProbeText.names(hidden)) from \(who)",
        remedy: hidden.map { "alter table public.\($0) disable row level security" }.joined(separator: "; "))
    ]
  }
}
