/// The first words of a statement, in lower case; anything that is not a word stands as an empty string.
///
/// They name the command, and they are all there is to go by for a statement the parser does not know.
struct LeadingWords {
  private let words: [String]

  init(_ text: TokenizedText, tokens: Range<Int>) {
    words = tokens.prefix(12).map { text.word(at: $0) ?? "" }
  }

  func starts(with expected: String...) -> Bool { words.starts(with: expected) }

  subscript(index: Int) -> String { index < words.count ? words[index] : "" }

  func contains(_ word: String) -> Bool { words.contains(word) }

  /// PostgreSQL's name for the command.
  var commandTag: String {
    switch self[0] {
    case "create", "alter", "drop": return "\(self[0]) \(objectKind)".uppercased()
    case "commit", "end": return self[1] == "prepared" ? "COMMIT PREPARED" : "COMMIT"
    case "begin", "savepoint", "release", "insert", "update", "delete", "merge", "copy", "do",
      "vacuum", "analyze", "truncate", "grant", "revoke", "comment", "call", "execute", "explain", "reindex",
      "cluster", "set", "reset", "show", "listen", "notify", "unlisten", "load", "checkpoint", "fetch",
      "move":
      return self[0].uppercased()
    case "select", "values", "table", "", "with": return "SELECT"
    case "start": return "START TRANSACTION"
    case "abort": return "ROLLBACK"
    case "rollback": return self[1] == "prepared" ? "ROLLBACK PREPARED" : "ROLLBACK"
    case "prepare": return self[1] == "transaction" ? "PREPARE TRANSACTION" : "PREPARE"
    case "analyse": return "ANALYZE"
    case "declare": return "DECLARE CURSOR"
    case "close": return self[1] == "all" ? "CLOSE CURSOR ALL" : "CLOSE CURSOR"
    case "lock": return "LOCK TABLE"
    case "refresh": return "REFRESH MATERIALIZED VIEW"
    case "security": return "SECURITY LABEL"
    case "import": return "IMPORT FOREIGN SCHEMA"
    case "reassign": return "REASSIGN OWNED"
    case "discard": return "DISCARD \(self[1])".uppercased()
    case "deallocate": return self[1] == "all" ? "DEALLOCATE ALL" : "DEALLOCATE"
    default: return self[0].uppercased()
    }
  }

  /// The object of create, alter and drop: the words behind the modifiers.
  private var objectKind: String {
    let modifiers: Set<String> = [
      "or", "replace", "temp", "temporary", "unlogged", "global", "local", "unique", "recursive", "trusted",
      "procedural", "constraint", "default",
    ]
    let index = words.dropFirst().firstIndex { !modifiers.contains($0) } ?? words.count
    switch (self[index], self[index + 1]) {
    case ("materialized", _), ("event", _), ("access", _), ("user", "mapping"), ("large", _), ("owned", _):
      return "\(self[index]) \(self[index + 1])"
    case ("foreign", "data"): return "foreign data wrapper"
    case ("foreign", _): return "foreign table"
    case ("text", _): return "text search \(self[index + 2])"
    case ("operator", "class"), ("operator", "family"): return "operator \(self[index + 1])"
    case ("privileges", _): return "default privileges"
    case ("group", _), ("user", _): return "role"
    case (let word, _): return word
    }
  }

  /// What a statement the parser does not know must at least be treated as.
  var guessedKind: StatementKind {
    switch self[0] {
    case "begin", "start": .transactionControl(.begin(hasModes: true))
    case "commit", "end":
      .transactionControl(self[1] == "prepared" ? .commitPrepared : .commit(chain: contains("chain")))
    case "rollback", "abort":
      if self[1] == "prepared" {
        .transactionControl(.rollbackPrepared)
      } else {
        .transactionControl(contains("to") ? .rollbackToSavepoint : .rollback)
      }
    case "savepoint": .transactionControl(.savepoint)
    case "release": .transactionControl(.releaseSavepoint)
    case "prepare" where self[1] == "transaction": .transactionControl(.prepareTransaction)
    case "insert": .insert(.unknown)
    case "update": .update
    case "delete": .delete
    case "merge": .merge
    case "select", "values": .select
    case "call": .call
    case "copy": .copy
    case "do": .doBlock
    case "vacuum": .vacuum
    case "analyze", "analyse": .analyze
    case "alter" where self[1] == "system": .alterSystem
    default: .other
    }
  }
}
