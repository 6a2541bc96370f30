import Crypto

/// A query that the server plans once per session; planning takes longer than a small read.
///
/// Prepared by SQL rather than by protocol, and only when the session does not have it, which is asked
/// inside the transaction: behind a transaction pooler the next one may be served by another session.
struct PreparedQuery {
  let types: [String]
  let query: String

  /// Starts the name of each such statement.
  static let prefix = "tsdb_catalog_"

  /// Names its text, so that a pooled session never runs that of another version.
  var name: String {
    let digest = SHA256.hash(data: Array(query.utf8))
    return Self.prefix
      + digest.prefix(12).map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
  }

  /// The statements that run it with `parameters`, which are literals.
  func text(_ parameters: [String], known: Set<String>) -> String {
    let name = name
    let preparation =
      known.contains(name) ? "" : "prepare \(name) (\(types.joined(separator: ", "))) as \(query); "
    return preparation + "execute \(name) (\(parameters.joined(separator: ", ")))"
  }
}
