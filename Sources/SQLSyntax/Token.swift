import CPgQuery

/// A token of PostgreSQL's scanner.
struct Token {
  enum Kind: UInt8 {
    /// A keyword or an unquoted identifier. The scanner's keyword list changes between versions, so the
    /// two are not told apart.
    case word
    case quotedIdentifier
    case string
    case semicolon
    case comma
    case dot
    case openParenthesis
    case closeParenthesis
    case openBracket
    case closeBracket
    case backslash
    case comment
    /// A number, a parameter, a bit string.
    case constant
    /// An operator or other punctuation.
    case symbol
  }

  let kind: Kind
  /// Whether the scanner of this version knows the word.
  let isKeyword: Bool
  let start: Int
  let end: Int

  var range: Range<Int> { start..<end }
}

/// A text with its tokens.
struct TokenizedText {
  /// The text, then one zero byte. Numeric literals that are newer than the parser are replaced by plain
  /// ones of the same length, so that all offsets are those of the source.
  let parserInput: [UInt8]
  /// All tokens but comments.
  let tokens: [Token]

  /// The bytes of a token, of the source as long as it is not a masked number.
  func bytes(of token: Token) -> ArraySlice<UInt8> { parserInput[token.range] }

  /// A word in lower case; `nil` for every other token and past the end.
  func word(at index: Int) -> String? {
    guard index < tokens.count, tokens[index].kind == .word else { return nil }
    return String(decoding: bytes(of: tokens[index]).map(lowercasedASCII), as: UTF8.self)
  }

  /// Whether a token is this word, given in lower case.
  func isWord(_ expected: StaticString, at index: Int) -> Bool {
    guard index >= 0, index < tokens.count, tokens[index].kind == .word,
      tokens[index].range.count == expected.utf8CodeUnitCount
    else { return false }
    var position = tokens[index].start
    return expected.withUTF8Buffer { buffer in
      for byte in buffer {
        if lowercasedASCII(parserInput[position]) != byte { return false }
        position += 1
      }
      return true
    }
  }

  func kind(at index: Int) -> Token.Kind? {
    index >= 0 && index < tokens.count ? tokens[index].kind : nil
  }
}

/// PostgreSQL folds only ASCII letters of an identifier when the encoding is UTF-8.
func lowercasedASCII(_ byte: UInt8) -> UInt8 {
  byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte + 32 : byte
}

/// What libpg_query's scanner says about a zero-terminated text.
enum ScanOutcome {
  case tokens([Token])
  /// The message, and the 1-based character it is about.
  case failure(message: String, character: Int)

  /// Scans `input` from a byte offset up to its zero byte. Comments are among the tokens.
  init(scanning input: [UInt8], from start: Int) {
    self = input.withUnsafeBytes { raw -> ScanOutcome in
      guard let base = raw.bindMemory(to: CChar.self).baseAddress else { return .tokens([]) }
      let result = pg_query_scan(base + start)
      defer { pg_query_free_scan_result(result) }
      if let error = result.error {
        return .failure(
          message: String(cString: error.pointee.message), character: Int(error.pointee.cursorpos))
      }
      guard let data = result.pbuf.data else { return .tokens([]) }
      let packed = UnsafeRawBufferPointer(start: data, count: result.pbuf.len)
      guard
        let scan = pg_query__scan_result__unpack(
          nil, packed.count, packed.bindMemory(to: UInt8.self).baseAddress)
      else { return .failure(message: "out of memory", character: 1) }
      defer { pg_query__scan_result__free_unpacked(scan, nil) }
      return .tokens(Self.tokens(of: scan.pointee, in: raw, from: start))
    }
  }

  /// libpg_query reports a wrong end for `U&'…'` tokens, so a token is taken to end where the next one
  /// starts, without the white space between them.
  private static func tokens(
    of scan: PgQuery__ScanResult, in raw: UnsafeRawBufferPointer, from start: Int
  ) -> [Token] {
    var tokens: [Token] = []
    tokens.reserveCapacity(scan.n_tokens)
    let textEnd = start + Int(clamping: strlen(in: raw, from: start))
    for index in 0..<scan.n_tokens {
      guard let token = scan.tokens[index]?.pointee else { continue }
      let tokenStart = start + Int(token.start)
      var tokenEnd = textEnd
      if index + 1 < scan.n_tokens, let next = scan.tokens[index + 1]?.pointee {
        tokenEnd = start + Int(next.start)
      }
      while tokenEnd > tokenStart + 1, isWhiteSpace(raw[tokenEnd - 1]) { tokenEnd -= 1 }
      tokens.append(
        Token(
          kind: kind(of: token, firstByte: raw[tokenStart]),
          isKeyword: token.keyword_kind != PG_QUERY__KEYWORD_KIND__NO_KEYWORD, start: tokenStart,
          end: tokenEnd))
    }
    return tokens
  }

  private static func strlen(in raw: UnsafeRawBufferPointer, from start: Int) -> Int {
    raw[start...].firstIndex(of: 0).map { $0 - start } ?? raw.count - start
  }

  private static func kind(of token: PgQuery__ScanToken, firstByte: UInt8) -> Token.Kind {
    if token.keyword_kind != PG_QUERY__KEYWORD_KIND__NO_KEYWORD { return .word }
    switch token.token {
    case PG_QUERY__TOKEN__IDENT: return firstByte == UInt8(ascii: "\"") ? .quotedIdentifier : .word
    case PG_QUERY__TOKEN__UIDENT: return .quotedIdentifier
    case PG_QUERY__TOKEN__SCONST, PG_QUERY__TOKEN__USCONST: return .string
    case PG_QUERY__TOKEN__ASCII_59: return .semicolon
    case PG_QUERY__TOKEN__ASCII_44: return .comma
    case PG_QUERY__TOKEN__ASCII_46: return .dot
    case PG_QUERY__TOKEN__ASCII_40: return .openParenthesis
    case PG_QUERY__TOKEN__ASCII_41: return .closeParenthesis
    case PG_QUERY__TOKEN__ASCII_91: return .openBracket
    case PG_QUERY__TOKEN__ASCII_93: return .closeBracket
    case PG_QUERY__TOKEN__ASCII_92: return .backslash
    case PG_QUERY__TOKEN__SQL_COMMENT, PG_QUERY__TOKEN__C_COMMENT: return .comment
    case PG_QUERY__TOKEN__ICONST, PG_QUERY__TOKEN__FCONST, PG_QUERY__TOKEN__BCONST,
      PG_QUERY__TOKEN__XCONST, PG_QUERY__TOKEN__PARAM:
      return .constant
    default: return .symbol
    }
  }

  /// The white space of PostgreSQL's scanner.
  private static func isWhiteSpace(_ byte: UInt8) -> Bool {
    byte == 0x20 || (byte >= 0x09 && byte <= 0x0D)
  }
}
