import Postgres

/// A reason why a role would not get in or could not work.
struct RoleFault: Sendable, Equatable {
  let text: String
  /// Statements to type.
  let remedy: String?

  init(_ text: String, remedy: String? = nil) {
    self.text = text
    self.remedy = remedy
  }
}

/// The settings that a new session of a role would begin with, of those that decide whether the application works.
struct RoleSettings: Sendable, Equatable {
  /// Where a value comes from, the strongest first (PostgreSQL, "ALTER ROLE", notes).
  enum Source: Int, Sendable {
    case roleInDatabase = 1
    case role, database, allRoles, server

    var isOfRole: Bool { self == .roleInDatabase || self == .role }
  }

  struct Value: Sendable, Equatable {
    let text: String
    let source: Source
  }

  /// By name in lower case.
  let values: [String: Value]

  static let timeouts = [
    "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout",
    "transaction_timeout",
  ]
  static let judged =
    ["default_transaction_read_only", "search_path", "role", "session_replication_role"] + timeouts

  /// Below it a timeout ends what the application does, in milliseconds: a statement over a large table, or the wait
  /// for the client's next message.
  static let shortestTimeout = 100.0

  /// In milliseconds; nil for what is no time. A number alone is milliseconds.
  static func milliseconds(_ text: String) -> Double? {
    let text = text.filter { $0 != " " }
    let unit = text.drop { $0.isNumber || $0 == "." || $0 == "-" }
    guard let number = Double(text.dropLast(unit.count)) else { return nil }
    let factors = ["": 1, "ms": 1, "us": 0.001, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000]
    return factors[String(unit)].map { number * $0 }
  }

  /// The schemas of a search path as they are written: case folds outside of quotes.
  static func schemas(_ path: String) -> [String] {
    var schemas: [String] = []
    var name = ""
    var isQuoted = false
    var wasQuoted = false
    func end() {
      if !name.isEmpty || wasQuoted { schemas.append(name) }
      (name, wasQuoted) = ("", false)
    }
    for character in path {
      switch character {
      case "\"":
        // Two of them within quotes are one.
        if !isQuoted, wasQuoted { name.append("\"") }
        isQuoted.toggle()
        wasQuoted = true
      case "," where !isQuoted: end()
      case _ where !isQuoted && character.isWhitespace: continue
      default: name += isQuoted ? String(character) : character.lowercased()
      }
    }
    end()
    return schemas
  }

  /// What of these settings keeps the application from working; the search path is judged with the schemas there are.
  ///
  /// - Parameter isSharedJudged: whether those count that are not the role's own.
  func faults(
    of subject: String, isSharedJudged: Bool, reset: (String, Source) -> String?
  ) -> [RoleFault] {
    var faults: [RoleFault] = []
    func add(_ name: String, _ value: Value, _ what: String) {
      guard isSharedJudged || value.source.isOfRole else { return }
      faults.append(
        RoleFault(
          "\(name) is \(value.text) for \(subject)\(Self.place(value.source)): \(what)",
          remedy: reset(name, value.source)))
    }
    if let value = values["default_transaction_read_only"],
      ["on", "true", "yes", "1", "t", "y", "tr", "tru", "ye"].contains(value.text.lowercased())
    {
      add("default_transaction_read_only", value, "it may only read")
    }
    if let value = values["session_replication_role"], value.text.lowercased() == "replica" {
      add("session_replication_role", value, "no trigger fires")
    }
    for name in Self.timeouts {
      guard let value = values[name], let span = Self.milliseconds(value.text), span > 0,
        span < Self.shortestTimeout
      else { continue }
      add(name, value, "too short to work")
    }
    return faults
  }

  static func place(_ source: Source) -> String {
    switch source {
    case .roleInDatabase: " in this database"
    case .role: ""
    case .database: " by the database"
    case .allRoles: " by a setting of all roles"
    case .server: " by the server"
    }
  }
}

extension RoleSettings {
  /// - Parameters:
  ///   - role: an object identifier; 0 for any role that has no settings of its own.
  ///   - given: names that this session was given by its client, whose values are nobody else's.
  static func read(of role: String, given: [String], on connection: borrowing Connection) throws
    -> RoleSettings
  {
    // The server's own value is hidden where the role that asks, or its client, has another: then it is taken to be
    // PostgreSQL's default.
    let rows = try connection.query(
      """
      with own as (
        select lower(split_part(c.entry, '=', 1)) as name, substr(c.entry, strpos(c.entry, '=') + 1) as value,
          s.setrole, s.setdatabase
        from pg_db_role_setting as s cross join unnest(s.setconfig) as c (entry)
        where s.setdatabase in (0, (select d.oid from pg_database as d where d.datname = current_database())))
      select name, value, case when setrole <> 0 and setdatabase <> 0 then 1 when setrole <> 0 then 2
          when setdatabase <> 0 then 3 else 4 end as source
      from own where setrole in (0, $1::oid) and name = any ($2::text[])
      union all
      select p.name, case when p.name = any ($3::text[]) or exists (
          select from own as o where o.name = p.name
            and o.setrole in (0, (select r.oid from pg_roles as r where r.rolname = session_user)))
        then p.boot_val else p.reset_val end, 5
      from pg_settings as p where p.name = any ($2::text[]) and p.name <> 'role'
      order by source desc
      """, [role, Quoting.textArray(judged), Quoting.textArray(given)])
    var values: [String: Value] = [:]
    for row in 0..<rows.rowCount {
      guard let source = rows.integer(row, 2).flatMap(Source.init(rawValue:)) else { continue }
      values[rows.text(row, 0)] = Value(text: rows.text(row, 1), source: source)
    }
    return RoleSettings(values: values)
  }
}
