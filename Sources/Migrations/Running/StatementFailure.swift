import Postgres
import SQLSyntax

extension MigrationError {
  /// The server's refusal of `statement`, with the place in the file.
  ///
  /// The server counts characters in the statement it was sent; the place is counted in the file.
  init(_ error: PostgresError, in statement: SQLStatement, of script: SQLScript, path: String, kept: String) {
    let place =
      error.position.map { script.source.position(ofCharacter: $0, from: statement.byteRange.lowerBound) }
      ?? Self.placeInBlock(error, statement, script) ?? statement.start
    let context = [error.detail, Self.internalContext(error), kept].compactMap { $0 }
    self.init(
      error.isServerUnavailable || error.isLockTimeout ? .tryAgain : .failed, error.message,
      detail: context.joined(separator: "\n"),
      hint: error.hint ?? Self.hint(for: error),
      location: SourceLocation(path: path, line: place.line, column: place.column),
      excerpt: script.source.excerpt(at: place), sqlState: error.sqlState)
  }

  /// The line of a DO block that failed, where the server tells it: `PL/pgSQL function inline_code_block line 3 at …`.
  ///
  /// PL/pgSQL counts from the line on which the body's quote opens.
  private static func placeInBlock(
    _ error: PostgresError, _ statement: SQLStatement, _ script: SQLScript
  ) -> SourcePosition? {
    guard case .doBlock = statement.kind, let context = error.context,
      let block = context.firstRange(of: "inline_code_block"),
      let opening = statement.text.utf8.firstIndex(where: {
        $0 == UInt8(ascii: "$") || $0 == UInt8(ascii: "'")
      })
    else { return nil }
    let digits = context[block.upperBound...].drop { !$0.isNumber && !$0.isNewline }.prefix { $0.isNumber }
    guard let number = Int(digits), number > 0 else { return nil }
    let text = statement.text.utf8
    let body = statement.byteRange.lowerBound + text.distance(from: text.startIndex, to: opening)
    guard let line = script.source.byteRange(ofLine: script.source.position(at: body).line + number - 1),
      line.lowerBound < statement.byteRange.upperBound
    else { return nil }
    let blanks = script.source.utf8[line].prefix { $0 == 0x20 || $0 == 0x09 }.count
    return script.source.position(at: number == 1 ? statement.byteRange.lowerBound : line.lowerBound + blanks)
  }

  /// A failure outside any statement of a file: connecting, locking, recording.
  public init(_ error: PostgresError, during activity: String, kept: String? = nil) {
    // A cancel request that we did not send is a failure like any other.
    if error.isCancellation, Task.isCancelled {
      self = .interrupted(kept: kept)
      return
    }
    self.init(
      error.isServerUnavailable || error.isLockTimeout ? .tryAgain : .failed,
      "\(activity): \(error.message)",
      detail: [error.detail, kept].compactMap { $0 }.joined(separator: "\n").nilIfEmpty,
      hint: error.hint ?? Self.hint(for: error), sqlState: error.sqlState.nilIfEmpty)
  }

  private static func internalContext(_ error: PostgresError) -> String? {
    guard let context = error.context else { return nil }
    return context.split(separator: "\n").prefix(4).map { "In \($0)" }.joined(separator: "\n")
  }

  private static func hint(for error: PostgresError) -> String? {
    switch error.sqlState {
    case "42501": "run it as the owner, or let the owner grant what is missing"
    case "42601" where error.message.hasSuffix("near \":\""):
      "psql variables do not exist here; write the value into the statement"
    case "25001": "put it into a file of its own with \"-- tsdb: transaction off\""
    case "2D000": "remove the COMMIT or ROLLBACK in it; it runs in one transaction with the record of it"
    case "25P02": "an earlier statement of the transaction failed"
    case "57P03", "57P01", "57P02": "run the same command again when the server is up"
    case "53100": "free disk space on the server, then run the same command again"
    case "55P03": "run the same command again, or give it longer with TSDB_MIGRATE_LOCK_TIMEOUT"
    default:
      error.origin == .connectionLost ? "run the same command again; it continues where this one ended" : nil
    }
  }
}

extension String {
  var nilIfEmpty: String? { isEmpty ? nil : self }
}
