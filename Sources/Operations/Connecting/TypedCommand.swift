import Postgres
import Processes

/// Commands for a person to type, whose words no shell takes apart.
public enum TypedCommand {
  /// `psql` on another database of the same server, by what of the connection is no secret.
  ///
  /// Keywords that libpq takes from its variables are left to them.
  public static func psql(_ settings: Postgres.ConnectionSettings, database: String) -> String {
    var settings = settings
    settings["dbname"] = database
    let text = ["host", "hostaddr", "port", "user", "service", "sslmode", "dbname"].compactMap { keyword in
      settings[keyword].flatMap { $0.isEmpty ? nil : "\(keyword)=\(value($0))" }
    }.joined(separator: " ")
    return "psql " + text.shellWord
  }

  /// `arguments`, which need no quoting, and after them a name of whatever is in it.
  public static func tsdb(_ arguments: String, _ name: String) -> String {
    // What begins with a hyphen would be an option.
    "tsdb \(arguments) \(name.hasPrefix("-") ? "-- " : "")\(name.shellWord)"
  }

  /// Of a conninfo string. Source: PostgreSQL manual, "Keyword/Value Connection Strings".
  private static func value(_ text: String) -> String {
    let isPlain = text.unicodeScalars.allSatisfy { !$0.properties.isWhitespace && $0 != "'" && $0 != "\\" }
    if isPlain { return text }
    return "'" + text.reduce(into: "") { $0 += $1 == "'" || $1 == "\\" ? "\\\($1)" : "\($1)" } + "'"
  }
}
