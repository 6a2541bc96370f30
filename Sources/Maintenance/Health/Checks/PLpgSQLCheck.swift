import Postgres

/// Whether PL/pgSQL can be loaded: after a package was upgraded under a running server it cannot, until a restart.
enum PLpgSQLCheck: HealthCheck {
  static let description = HealthCheckDescription(
    "plpgsql", looksAt: "that a new session can run an empty DO block", rights: "usage on language plpgsql")

  struct Facts: Sendable, Equatable {
    /// nil where the block ran.
    var failure: String?
    var sqlState = ""
    var version = ""
  }

  static func facts(_ context: HealthContext, on connection: borrowing Connection) throws -> Facts {
    do throws(PostgresError) {
      try connection.execute("do language plpgsql 'begin end'")
      return Facts()
    } catch {
      guard error.origin == .server else { throw error }
      return Facts(failure: error.message, sqlState: error.sqlState)
    }
  }

  static func verdict(_ facts: Facts, _ context: HealthContext) -> HealthFinding {
    guard let failure = facts.failure else {
      return HealthFinding(name, .ok, "PL/pgSQL can be loaded")
    }
    let state = "SQLSTATE \(facts.sqlState)"
    switch facts.sqlState {
    case "42501":
      return HealthFinding(
        name, .unknown, "PL/pgSQL may not be used by this role", detail: state,
        remedy: "grant usage on language plpgsql to \(context.grantee);")
    case "42704":
      return HealthFinding(
        name, .critical, "there is no PL/pgSQL in this database: \(failure)", detail: state,
        remedy: "create extension plpgsql;")
    case "57014", "55P03":
      return HealthFinding(name, .unknown, "could not look: \(failure)", detail: state)
    default:
      return HealthFinding(
        name, .critical, "PL/pgSQL cannot be loaded: \(failure)",
        detail: "\(state). Every function and DO block in it fails in new sessions.",
        remedy:
          "restart the server, whose files were replaced under it; if that does not help, install its package anew"
      )
    }
  }
}
