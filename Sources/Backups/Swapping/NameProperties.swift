import Postgres

/// What belongs to a database's name rather than to its content: who owns it, who may connect, the
/// settings that its sessions start with.
///
/// A restored database gets these from the database whose name it takes.
struct NameProperties: Sendable, Equatable {
  /// A privilege on the database.
  struct Grant: Sendable, Hashable {
    /// nil for PUBLIC.
    var grantee: String?
    let privilege: String
    let isGrantable: Bool
  }

  /// A setting of `pg_db_role_setting`, with its value as stored there.
  struct Setting: Sendable, Hashable {
    /// nil for `ALTER DATABASE … SET`.
    let role: String?
    let name: String
    let value: String
  }

  var owner: String
  var grants: Set<Grant>
  /// In the order of the catalogue.
  var settings: [Setting]
  var connectionLimit: Int
  var allowsConnections: Bool
  var isTemplate: Bool
  var comment: String?
}

extension NameProperties {
  /// Reads the properties of the database `oid`; nil when it is not there.
  init?(of oid: Int, on connection: borrowing Connection) throws(PostgresError) {
    let row = try connection.query(
      """
      select pg_get_userbyid(datdba), datconnlimit, datallowconn, datistemplate,
        shobj_description(oid, 'pg_database')
      from pg_catalog.pg_database where oid = \(oid)
      """)
    guard row.rowCount == 1 else { return nil }
    let grants = try connection.query(
      """
      select r.rolname, a.privilege_type, a.is_grantable
      from pg_catalog.pg_database d
        cross join aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
        left join pg_catalog.pg_roles r on r.oid = a.grantee
      where d.oid = \(oid) and (a.grantee = 0 or r.oid is not null)
      """)
    let settings = try connection.query(
      """
      select r.rolname, split_part(c, '=', 1), substr(c, strpos(c, '=') + 1)
      from pg_catalog.pg_db_role_setting s cross join unnest(s.setconfig) with ordinality u(c, n)
        left join pg_catalog.pg_roles r on r.oid = s.setrole
      where s.setdatabase = \(oid) and (s.setrole = 0 or r.oid is not null)
      order by r.rolname nulls first, u.n
      """)
    self.init(
      owner: row.text(0, 0),
      grants: Set(
        (0..<grants.rowCount).map {
          Grant(grantee: grants[$0, 0], privilege: grants.text($0, 1), isGrantable: grants.isTrue($0, 2))
        }),
      settings: (0..<settings.rowCount).map {
        Setting(role: settings[$0, 0], name: settings.text($0, 1), value: settings.text($0, 2))
      },
      connectionLimit: row.integer(0, 1) ?? -1, allowsConnections: row.isTrue(0, 2),
      isTemplate: row.isTrue(0, 3), comment: row[0, 4])
  }
}

extension NameProperties {
  /// The statements that give `database`, which has the properties `current`, these properties.
  ///
  /// All of them can run in one transaction. Grants made by others than the owner become the owner's.
  func statements(for database: String, having current: NameProperties) -> [String] {
    let target = Quoting.identifier(database)
    var statements: [String] = []
    if owner != current.owner {
      statements.append("alter database \(target) owner to \(Quoting.identifier(owner))")
    }
    statements += grantStatements(for: target, having: current)
    statements += settingStatements(for: target, having: current)
    var options: [String] = []
    if connectionLimit != current.connectionLimit { options.append("connection limit \(connectionLimit)") }
    if allowsConnections != current.allowsConnections {
      options.append("allow_connections \(allowsConnections)")
    }
    if isTemplate != current.isTemplate { options.append("is_template \(isTemplate)") }
    if !options.isEmpty {
      statements.append("alter database \(target) with \(options.joined(separator: " "))")
    }
    if comment != current.comment {
      statements.append("comment on database \(target) is \(Quoting.literal(comment))")
    }
    return statements
  }

  private func grantStatements(for target: String, having current: NameProperties) -> [String] {
    // ALTER DATABASE OWNER hands the old owner's privileges to the new one.
    let present = Set(
      current.grants.map { grant in
        var grant = grant
        if grant.grantee == current.owner { grant.grantee = owner }
        return grant
      })
    guard present != grants else { return [] }
    func name(_ grantee: String?) -> String { grantee.map { Quoting.identifier($0) } ?? "public" }
    let revoked = Set(present.map { name($0.grantee) }).sorted().map {
      "revoke all on database \(target) from \($0) cascade"
    }
    let granted = grants.map {
      "grant \($0.privilege.lowercased()) on database \(target) to \(name($0.grantee))"
        + ($0.isGrantable ? " with grant option" : "")
    }
    return revoked + granted.sorted()
  }

  private func settingStatements(for target: String, having current: NameProperties) -> [String] {
    var roles: [String?] = []
    for setting in current.settings + settings where !roles.contains(setting.role) {
      roles.append(setting.role)
    }
    return roles.flatMap { role -> [String] in
      let wanted = settings.filter { $0.role == role }
      let present = current.settings.filter { $0.role == role }
      guard wanted != present else { return [] }
      let subject =
        role.map { "alter role \(Quoting.identifier($0)) in database \(target)" }
        ?? "alter database \(target)"
      return (present.isEmpty ? [] : ["\(subject) reset all"])
        + wanted.map { "\(subject) set \(Quoting.identifier($0.name)) to \($0.valueList)" }
    }
  }
}

extension NameProperties.Setting {
  /// Settings that the server stores as a list of quoted names, and wants back as a list of literals.
  ///
  /// Source: `variable_is_guc_list_quote` in PostgreSQL's `dumputils.c`.
  private static let quotedLists: Set = [
    "local_preload_libraries", "search_path", "session_preload_libraries", "shared_preload_libraries",
    "temp_tablespaces", "unix_socket_directories",
  ]

  /// What follows in `SET name TO …`.
  var valueList: String {
    guard Self.quotedLists.contains(name.lowercased()) else { return Quoting.literal(value) }
    let elements = Self.elements(of: value)
    return elements.isEmpty ? "''" : elements.map { Quoting.literal($0) }.joined(separator: ", ")
  }

  /// The names in a stored list: separated by commas, in double quotes where they have to be.
  private static func elements(of list: String) -> [String] {
    var elements: [String] = []
    var element = ""
    var (isQuoted, wasQuoted) = (false, false)
    for scalar in list.unicodeScalars {
      switch scalar {
      case "\"":
        // The second of a doubled quote opens again what the first closed.
        if !isQuoted, wasQuoted { element.unicodeScalars.append(scalar) }
        isQuoted.toggle()
        wasQuoted = true
      case "," where !isQuoted:
        elements.append(element)
        (element, wasQuoted) = ("", false)
      case " " where !isQuoted: break
      default: element.unicodeScalars.append(scalar)
      }
    }
    return element.isEmpty && !wasQuoted ? elements : elements + [element]
  }
}
