import Postgres

/// What can be said about a connection string without showing it.
public enum ConnectionText {
  /// Whether `text`, a URL or `keyword=value` string, holds a password.
  public static func holdsPassword(_ text: String) -> Bool {
    (try? ConnectionSettings(parsing: text))?.holdsPassword ?? false
  }
}
