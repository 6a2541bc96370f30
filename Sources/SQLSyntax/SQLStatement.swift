/// One statement of a file.
public struct SQLStatement: Sendable {
  /// Its bytes in the source, without the semicolon and without white space and comments around it.
  public let byteRange: Range<Int>
  /// Its text, exactly as in the source.
  public let text: String
  /// Where it starts.
  public let start: SourcePosition
  /// What it does, as far as a runner must know.
  public let kind: StatementKind
  /// PostgreSQL's name for the command, such as `CREATE TABLE`, without row counts.
  public let commandTag: String
  /// Whether the parser understood it.
  public let analysis: Analysis
  /// Why PostgreSQL refuses it inside a transaction block, as a clause such as "create index concurrently
  /// cannot run inside a transaction block"; `nil` when it can run there, as far as the text tells.
  public let cannotRunInTransaction: String?
  /// What exists after it that did not before, each once. A table or view also brings its row type, a
  /// serial or identity column its sequence, a key its index.
  public let creates: [ObjectReference]
  /// What no longer exists under its name afterwards.
  public let drops: [ObjectReference]
  /// What must exist for it to succeed, each once, roughly in textual order. Built-in functions and types may be among them by
  /// their bare names; names of CTEs, columns and aliases are not.
  public let uses: [ObjectReference]
  /// What the body of a routine uses when it is a string, and what a DO block uses. PostgreSQL checks the body
  /// of an SQL function when it is created, so its names are in `uses` as well; a PL/pgSQL body only when it runs, and what is listed for one is found by
  /// looking at its tokens, not by parsing it.
  public let bodyUses: [ObjectReference]
  /// What it does cannot be read from its text: a DO block, `execute`, or a statement that was not analysed.
  public let isOpaque: Bool
  /// Whether a common table expression of it inserts, updates or deletes; PostgreSQL allows that at the top
  /// level only. False where the statement was not analysed.
  public let changesRowsInWith: Bool
  /// Whether it creates a table, view or sequence that ends with the session. False where the statement was
  /// not analysed.
  public let createsTemporary: Bool

  /// Whether the parser understood a statement.
  public enum Analysis: Sendable, Hashable {
    /// It did, and everything here rests on the syntax tree.
    case analysed
    /// It did not: the statement is wrong, or newer than PostgreSQL 15. `kind` and `commandTag` are then
    /// guessed from the first words and nothing is known about the objects; only the server can tell.
    case notAnalysed(ParseProblem)
  }

  /// Whether it begins or ends a transaction or sets a savepoint.
  public var isTransactionControl: Bool {
    if case .transactionControl = kind { true } else { false }
  }

  /// Whether the parser understood it.
  public var isAnalysed: Bool { analysis == .analysed }
}

/// What the parser of PostgreSQL 15 says about a statement it does not accept.
public struct ParseProblem: Sendable, Hashable {
  /// Its message, lower case, without the quoted text.
  public let message: String
  /// The place it points to; the start of the statement when it names none.
  public let position: SourcePosition
}
