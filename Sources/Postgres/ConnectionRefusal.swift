/// Why a server refused a connection.
///
/// libpq passes on the server's text but not its SQLSTATE, so the code is recovered from the text
/// in English, as servers send it unless `lc_messages` says otherwise.
enum ConnectionRefusal {
  private static let phrases: [(phrase: String, sqlState: String)] = [
    ("sorry, too many clients already", "53300"),
    ("too many connections for", "53300"),
    ("remaining connection slots are reserved", "53300"),
    ("password authentication failed", "28P01"),
    ("no password supplied", "28P01"),
    ("authentication failed", "28000"),
    ("no pg_hba.conf entry", "28000"),
    ("permission denied for database", "42501"),
    ("the database system is starting up", "57P03"),
    ("the database system is shutting down", "57P01"),
    ("the database system is in recovery mode", "57P03"),
    ("the database system is not yet accepting connections", "57P03"),
    ("not currently accepting connections", "55000"),
    ("is not permitted to log in", "28000"),
    // Last, because names stand in most of the texts above.
    ("role \"", "28000"),
    ("database \"", "3D000"),
  ]

  /// The SQLSTATE that belongs to the server's text, `28000` where the text is not known: the
  /// server answered and said no, so trying again does not help.
  static func sqlState(of text: String) -> String {
    guard let refusal = text.firstRange(of: "FATAL:").map({ text[$0.upperBound...] }) else { return "28P01" }
    return phrases.first { refusal.contains($0.phrase) }?.sqlState ?? "28000"
  }
}
