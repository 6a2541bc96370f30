import SQLSyntax

/// One migration file as read from disk.
public struct MigrationFile: Sendable, Equatable {
  /// The file name without `.sql`; the key of the history.
  public let name: String
  /// As shown in messages: relative to where the search began.
  public let path: String
  /// Normalised text; see ``NormalizedText``.
  public let text: String
  public let checksum: Checksum
  public let directives: Directives
  /// Path of `NAME.down.sql`, if there is one.
  public let downPath: String?
  /// Path of `NAME.verify.sql`, if there is one.
  public let verifyPath: String?

  public init(
    name: String, path: String, text: String, directives: Directives = Directives(),
    downPath: String? = nil, verifyPath: String? = nil
  ) {
    self.name = name
    self.path = path
    self.text = text
    self.checksum = Checksum(ofText: text)
    self.directives = directives
    self.downPath = downPath
    self.verifyPath = verifyPath
  }

  /// A file from its bytes.
  ///
  /// - Throws: ``MigrationError`` of kind `invalidInput` for text that is not UTF-8 and for a
  ///   directive that cannot be read, both with their place.
  public init(
    name: String, path: String, bytes: [UInt8], downPath: String? = nil, verifyPath: String? = nil
  ) throws(MigrationError) {
    let text = try Self.decode(bytes, path: path)
    let directives: Directives
    do {
      directives = try Directives(parsing: text)
    } catch {
      throw MigrationError(
        .invalidInput, error.message, hint: error.hint,
        location: SourceLocation(path: path, line: error.line, column: error.column),
        excerpt: SourceText(text).excerpt(line: error.line, column: error.column))
    }
    self.init(
      name: name, path: path, text: text, directives: directives, downPath: downPath, verifyPath: verifyPath)
  }

  /// The text of an SQL file from its bytes; refusals become errors with the place.
  public static func decode(_ bytes: [UInt8], path: String) throws(MigrationError) -> String {
    do {
      return try NormalizedText.decode(bytes)
    } catch {
      throw MigrationError(
        .invalidInput, "the file \(error.reason)", hint: error.hint,
        location: SourceLocation(path: path, line: error.line, column: error.column))
    }
  }
}
