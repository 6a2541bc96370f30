import Migrations
import Postgres

/// Where the database is, by the order of precedence.
public enum ConnectionChoice: Sendable, Equatable {
  /// `--database-url`, `DATABASE_URL`, `database.url_file` or libpq's own variables.
  case configured(ConnectionSettings, source: String)
  /// Nothing is configured: the private local server.
  case localServer

  /// libpq's variables that say which server or database is meant.
  static let libpqVariables = ["PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGSERVICE"]

  /// Decides without connecting.
  ///
  /// - Throws: ``ConfigurationError`` for a URL that cannot be read; it names the source and never
  ///   repeats the URL.
  public init(
    flag: String?, environment: [String: String], project: Project
  ) throws(ConfigurationError) {
    if let flag {
      self = .configured(try Self.settings(flag, source: "--database-url"), source: "--database-url")
    } else if let url = environment["DATABASE_URL"], !url.isEmpty {
      self = .configured(try Self.settings(url, source: "DATABASE_URL"), source: "DATABASE_URL")
    } else if let path = project.configuration.databaseURLFile {
      self = .configured(
        try Self.settings(try Self.url(inFile: path, root: project.root), source: path), source: path)
    } else if let variable = Self.libpqVariables.first(where: { environment[$0]?.isEmpty == false }) {
      self = .configured(ConnectionSettings(), source: variable)
    } else {
      self = .localServer
    }
  }

  private static func settings(_ text: String, source: String) throws(ConfigurationError)
    -> ConnectionSettings
  {
    do {
      // Files and secret stores like to add a line end, which would become part of the database's name.
      return try ConnectionSettings(parsing: text.trimmed)
    } catch {
      throw ConfigurationError(
        "the database URL from \(source) cannot be read", detail: error.detail, hint: error.hint)
    }
  }

  private static func url(inFile path: String, root: String) throws(ConfigurationError) -> String {
    guard let bytes = try? SQLFiles.read(path, root: root),
      let text = String(validating: bytes, as: UTF8.self),
      let line = text.split(whereSeparator: \.isNewline).map({ String($0).trimmed }).first(where: {
        !$0.isEmpty
      })
    else {
      throw ConfigurationError(
        "the file \"\(path)\" named by database.url_file cannot be read or is empty",
        hint: "put the URL into its first line and make it readable for you alone (chmod 600)")
    }
    return line
  }
}

extension String {
  /// Without white space and line ends around it.
  fileprivate var trimmed: String {
    var text = self[...].drop(while: \.isWhitespace)
    while text.last?.isWhitespace == true { text.removeLast() }
    return String(text)
  }
}
