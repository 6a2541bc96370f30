extension SQLScript {
  /// The substance of a text: its tokens without comments, white space and the letter case of keywords and
  /// unquoted names. Two texts with the same result differ only in layout and comments.
  ///
  /// Each token is written as the decimal length of its bytes, a colon and the bytes, so that no two token
  /// lists give the same result. Words are in lower case; everything else is written byte by byte, also
  /// string constants with their prefixes and, where a constant is continued over lines, what stands between
  /// its parts. A comment inside a function body is part of a string constant and so of the substance.
  /// Empty statements and a missing last semicolon make no difference: every statement counts as
  /// ended by exactly one.
  ///
  /// Works for every text the scanner accepts, whether or not it parses. The keyword list does not
  /// influence the result, so it is the same with another version of the parser.
  public static func tokenFingerprintInput(_ source: SourceText) throws(SQLSyntaxError) -> [UInt8] {
    let result = ParserThread.shared.run { _ -> Result<[UInt8], SQLSyntaxError> in
      do throws(SQLSyntaxError) {
        return .success(fingerprintInput(of: try Tokenizer.tokenize(source), source: source))
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }

  static func fingerprintInput(of text: TokenizedText, source: SourceText) -> [UInt8] {
    var output: [UInt8] = []
    output.reserveCapacity(source.utf8.count)
    var afterSemicolon = true
    for token in text.tokens {
      let isSemicolon = token.kind == .semicolon
      if isSemicolon && afterSemicolon { continue }
      afterSemicolon = isSemicolon
      append(source.utf8[token.range], isWord: token.kind == .word, to: &output)
    }
    if !afterSemicolon { append([UInt8(ascii: ";")], isWord: false, to: &output) }
    return output
  }

  private static func append(_ bytes: ArraySlice<UInt8>, isWord: Bool, to output: inout [UInt8]) {
    output += Array(String(bytes.count).utf8)
    output.append(UInt8(ascii: ":"))
    if isWord { output += bytes.lazy.map(lowercasedASCII) } else { output += bytes }
  }
}
