/// What only psql understands: backslash commands and the data behind `copy … from stdin`.
enum PsqlInput {
  /// Throws at the first such place.
  static func refuse(in text: TokenizedText, of source: SourceText) throws(SQLSyntaxError) {
    var statementStart = 0
    for index in text.tokens.indices {
      switch text.tokens[index].kind {
      case .backslash:
        throw metaCommand(at: text.tokens[index].start, of: source)
      case .semicolon:
        statementStart = index + 1
      case .word where index > statementStart && text.isWord("stdin", at: index):
        if isCopyFromStdin(text, statementStart: statementStart, stdin: index) {
          throw copyFromStdin(at: source.position(at: text.tokens[statementStart].start))
        }
      default: break
      }
    }
  }

  private static func isCopyFromStdin(_ text: TokenizedText, statementStart: Int, stdin: Int) -> Bool {
    guard text.isWord("copy", at: statementStart), text.isWord("from", at: stdin - 1) else { return false }
    // The query of "copy (…) to" may select from a table of that name.
    var depth = 0
    for index in statementStart..<stdin {
      switch text.tokens[index].kind {
      case .openParenthesis: depth += 1
      case .closeParenthesis: depth -= 1
      default: break
      }
    }
    return depth == 0
  }

  private static func copyFromStdin(at position: SourcePosition) -> SQLSyntaxError {
    SQLSyntaxError(
      .copyFromStdin, at: position, message: "copy from stdin works only in psql",
      detail: "The rows that follow it are not SQL.",
      hint: "write the rows as an insert statement, or copy from a file the server can read")
  }

  private static func metaCommand(at offset: Int, of source: SourceText) -> SQLSyntaxError {
    let command = String(
      decoding: source.utf8[(offset + 1)...].prefix { byte in
        let lower = lowercasedASCII(byte)
        return lower >= UInt8(ascii: "a") && lower <= UInt8(ascii: "z")
          || "!?_+.\\;".utf8.contains(byte)
      }, as: UTF8.self)
    return SQLSyntaxError(
      .psqlMetaCommand(command), at: source.position(at: offset),
      message: command.isEmpty
        ? "a backslash outside quotes is not SQL" : "psql command \"\\\(command)\" is not SQL",
      hint: hint(for: command))
  }

  private static func hint(for command: String) -> String {
    switch command {
    case "i", "ir", "include", "include_relative":
      "put the statements into a file of their own and declare it with \"requires\""
    case "set", "unset", "gset", "prompt", "getenv", "setenv":
      "psql variables do not exist here; write the value into the statement"
    case "c", "connect":
      "a file runs in the database it is applied to; remove the line"
    case "restrict", "unrestrict":
      "pg_dump writes this line for psql; remove it"
    case "if", "elif", "else", "endif":
      "write the condition as \"if exists\", or in a do block"
    case "copy", ".":
      "write the rows as an insert statement, or use \"copy\" from a file the server can read"
    case "gexec":
      "run the generated statements with \"execute\" in a do block"
    case "g", "gx", "gdesc", "crosstabview", ";":
      "end the statement with a semicolon"
    default:
      "remove the line; only psql understands it"
    }
  }
}
