import SQLSyntax

/// A migration file parsed and checked, ready to be sent.
///
/// A pure value: everything that can be refused without a server is refused here.
struct PreparedScript: Sendable {
  let file: MigrationFile
  let script: SQLScript
  /// What is sent, without an absorbed outer BEGIN and COMMIT.
  let statements: [SQLStatement]
  /// Whether an outer BEGIN and COMMIT were absorbed.
  let hasAbsorbedTransaction: Bool
  let tokenChecksum: Checksum

  /// - Throws: ``MigrationError`` of kind `invalidInput`, with the place.
  init(_ file: MigrationFile) throws(MigrationError) {
    self.file = file
    let source = SourceText(file.text)
    do {
      script = try SQLScript.parse(source)
      tokenChecksum = try Checksum(ofTokens: source)
    } catch {
      throw MigrationError(
        .invalidInput, error.message, detail: error.detail, hint: error.hint,
        location: SourceLocation(path: file.path, line: error.position.line, column: error.position.column),
        excerpt: source.excerpt(at: error.position))
    }
    var statements = script.statements
    hasAbsorbedTransaction = script.outerTransaction != nil && file.directives.isTransactional
    if hasAbsorbedTransaction { statements = Array(statements.dropFirst().dropLast()) }
    self.statements = statements
    try refuseUnusable()
  }

  private func refuseUnusable() throws(MigrationError) {
    if statements.isEmpty {
      throw MigrationError(
        .invalidInput, "the file has no statements",
        hint: "write its SQL, or remove the file",
        location: SourceLocation(path: file.path, line: 1, column: 1))
    }
    for statement in statements {
      if statement.isTransactionControl {
        throw refusal(
          statement, "\(statement.commandTag) is not allowed in a migration",
          detail: "tsdb opens and commits the transaction, together with the history row.",
          hint: file.directives.isTransactional
            ? "remove it; for statements that cannot run in a transaction, use \"-- tsdb: transaction off\""
            : "remove it; the file says \"transaction off\"")
      }
      if let reason = statement.cannotRunInTransaction, file.directives.isTransactional {
        throw refusal(
          statement, reason, detail: "Nothing was sent to the server.",
          hint: "put it into a file of its own with this line at the top:\n      -- tsdb: transaction off")
      }
      if !file.directives.isTransactional, let reason = statement.cannotBeContinued {
        throw refusal(
          statement, "\(statement.commandTag) is not allowed in a \"transaction off\" file: \(reason)",
          detail: "Such a file must be able to continue in another session. Nothing was sent to the server.",
          hint: "put it into a file without the directive, with what needs it")
      }
      if case .createIndex(let index) = statement.kind, index.concurrently, index.index == nil {
        throw refusal(
          statement, "an index built concurrently needs a name here",
          detail: "Without one it could not be found again after a crash, and a second one would be built.",
          hint: "create index concurrently NAME on …")
      }
    }
  }

  private func refusal(
    _ statement: SQLStatement, _ summary: String, detail: String, hint: String
  ) -> MigrationError {
    MigrationError(
      .invalidInput, summary, detail: detail, hint: hint,
      location: SourceLocation(path: file.path, line: statement.start.line, column: statement.start.column),
      excerpt: script.source.excerpt(at: statement.start))
  }

  /// Whether the file may keep the server from counting changed rows of the catalogue.
  var mayHideChanges: Bool { file.text.contains("track_counts") }

  /// What the file creates, as texts for the history.
  var createdObjects: [String] {
    var seen: Set<String> = []
    return script.statements.flatMap(\.creates).map(\.historyText).filter { seen.insert($0).inserted }
  }
}

extension PreparedScript {
  /// Whether nothing happens but that tables, indexes, views and sequences are created, so that the
  /// transaction's locks show all of it. CREATE TABLE AS runs a query and with it any function.
  var onlyCreatesRelations: Bool {
    statements.allSatisfy { statement in
      statement.isAnalysed && !statement.isOpaque
        && ["CREATE TABLE", "CREATE INDEX", "CREATE VIEW", "CREATE SEQUENCE"].contains(statement.commandTag)
    }
  }
}

extension ObjectReference {
  /// `kind:name` or `kind:schema` US `name`, with the unit separator, which no sane name holds.
  var historyText: String { "\(kind.rawValue):" + (schema.map { "\($0)\u{1F}\(name)" } ?? name) }

  init?(historyText: String) {
    guard let colon = historyText.firstIndex(of: ":"),
      let kind = Kind(rawValue: String(historyText[..<colon]))
    else { return nil }
    let parts = historyText[historyText.index(after: colon)...].split(
      separator: "\u{1F}", maxSplits: 1, omittingEmptySubsequences: false)
    guard let last = parts.last else { return nil }
    self.init(kind, schema: parts.count == 2 ? String(parts[0]) : nil, name: String(last))
  }
}

extension SQLStatement {
  /// Whether the statement only changes the session, so that a run that continues must repeat it.
  var isSessionSetting: Bool { commandTag == "SET" || commandTag == "RESET" || isSettingBySelect }

  /// `select set_config('search_path', '', false)`, as pg_dump writes it.
  private var isSettingBySelect: Bool {
    // What lives in pg_catalog is not among the uses when it is qualified.
    guard case .select = kind, isAnalysed, !changesRowsInWith, text.lowercased().contains("set_config")
    else { return false }
    return uses.allSatisfy {
      $0.kind == .function && $0.name == "set_config" && ($0.schema ?? "pg_catalog") == "pg_catalog"
    }
  }

  /// Why a `transaction off` file with the statement could not be continued after a crash.
  fileprivate var cannotBeContinued: String? {
    if createsTemporary { return "what is temporary ends with the session" }
    switch commandTag {
    case "PREPARE": return "a prepared statement ends with the session"
    case "DECLARE CURSOR": return "a cursor ends with the session"
    case "DISCARD ALL": return "it would give up the lock that keeps other runs away"
    default: return nil
    }
  }
}
