/// An SQL file as a list of statements.
public struct SQLScript: Sendable {
  /// Where the statements were found.
  public let source: SourceText
  /// All statements, in order; empty ones are left out.
  public let statements: [SQLStatement]

  /// Splits and analyses a file.
  ///
  /// The boundaries of statements are PostgreSQL's own: its scanner finds the candidates, and wherever its
  /// grammar (of version 15) accepts the text, the grammar decides. A statement it does not accept is kept as
  /// `.notAnalysed`. Linear in the size of the text. Runs on one thread of its own and waits for it; may be
  /// called from any thread.
  ///
  /// String constants are read with `standard_conforming_strings = on`, the server's default: a session
  /// that runs the statements must not switch it off.
  public static func parse(_ source: SourceText) throws(SQLSyntaxError) -> SQLScript {
    let result = ParserThread.shared.run { shapes -> Result<[SQLStatement], SQLSyntaxError> in
      do throws(SQLSyntaxError) {
        var parser = ScriptParser(source: source, text: try Tokenizer.tokenize(source), shapes: shapes)
        return .success(parser.parse())
      } catch {
        return .failure(error)
      }
    }
    return SQLScript(source: source, statements: try result.get())
  }

  /// The pair of statements `begin; … commit;` around everything else, as files written for psql have it.
  ///
  /// Only a plain `begin` or `start transaction`, without isolation level or access mode, as the first statement
  /// and a plain `commit` or `end` as the last one are a pair: a runner that has a transaction of its own can
  /// leave both out.
  public var outerTransaction: OuterTransaction? {
    guard statements.count >= 2, let first = statements.first, let last = statements.last,
      first.kind == .transactionControl(.begin(hasModes: false)),
      last.kind == .transactionControl(.commit(chain: false))
    else { return nil }
    return OuterTransaction(begin: first, commit: last)
  }

  /// All transaction control but the outer pair: what would end the runner's own transaction.
  public var innerTransactionControl: [SQLStatement] {
    statementsWithoutOuterTransaction.filter(\.isTransactionControl)
  }

  /// The statements between the outer pair, or all of them when there is none.
  public var statementsWithoutOuterTransaction: [SQLStatement] {
    outerTransaction == nil ? statements : Array(statements.dropFirst().dropLast())
  }
}

/// A redundant `begin; … commit;` around a file.
public struct OuterTransaction: Sendable {
  /// The first statement of the file.
  public let begin: SQLStatement
  /// The last statement of the file.
  public let commit: SQLStatement
}
