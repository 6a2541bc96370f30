import FoundationEssentials

/// What the comment of a database says that was swapped out and is kept.
///
/// The comment is the only record: it travels with the database, is written in the transaction that
/// swaps, and cannot be left behind by a crash.
public struct KeptMark: Sendable, Equatable, Codable {
  /// Why the database was swapped out.
  public enum Reason: String, Sendable, Codable {
    /// A restored database took its name.
    case restored
    /// A restore was undone.
    case undone
  }

  /// The name that the database had.
  public let database: String
  /// The database's own object id. A comment that a dump carried elsewhere is no mark.
  public let oid: Int
  public let reason: Reason
  /// When, in UTC, as `2026-11-24T08:48:52.123Z`.
  public let at: String
  /// The backup that the other database was restored from.
  public let backup: String?
  /// The name that the other database had before the swap.
  public let replacedBy: String
  /// The database's own comment.
  public let comment: String?

  public init(
    database: String, oid: Int, reason: Reason, at: String, backup: String?, replacedBy: String,
    comment: String?
  ) {
    self.database = database
    self.oid = oid
    self.reason = reason
    self.at = at
    self.backup = backup
    self.replacedBy = replacedBy
    self.comment = comment
  }

  private static let prefix = "kept by tsdb: "

  /// The mark in a comment; nil where the comment is no mark, or that of another database.
  public init?(comment: String?, of oid: Int) {
    guard let comment, comment.hasPrefix(Self.prefix),
      let mark = try? JSONDecoder().decode(
        KeptMark.self, from: Data(comment.dropFirst(Self.prefix.count).utf8)),
      mark.oid == oid
    else { return nil }
    self = mark
  }

  /// The comment that holds the mark.
  public func text() throws(BackupError) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      return Self.prefix + String(decoding: try encoder.encode(self), as: UTF8.self)
    } catch {
      throw BackupError(.failed, "the mark of the kept database cannot be written", detail: "\(error)")
    }
  }
}

extension KeptMark {
  /// The name under which a database is kept: `NAME_before_restore_TIME` or `NAME_undone_TIME`.
  ///
  /// - Parameters:
  ///   - time: as ``at``.
  ///   - taken: names that exist; a number is added where the name is one of them.
  /// - Returns: at most 63 bytes, cut between characters; the server would cut by itself, in the time.
  public static func keptName(for database: String, reason: Reason, time: String, taken: Set<String>)
    -> String
  {
    let time = time.prefix { $0 != "." && $0 != "Z" }.filter { $0 != "-" && $0 != ":" } + "Z"
    let suffix =
      switch reason {
      case .restored: "_before_restore_" + time
      case .undone: "_undone_" + time
      }
    var number = 1
    while true {
      let end = number == 1 ? suffix : "\(suffix)_\(number)"
      let name = prefix(of: database, bytes: 63 - end.utf8.count) + end
      if !taken.contains(name) { return name }
      number += 1
    }
  }

  /// The longest beginning of `text` that has at most `bytes` bytes and ends with a whole character.
  private static func prefix(of text: String, bytes: Int) -> String {
    var result = ""
    var count = 0
    for scalar in text.unicodeScalars {
      count += UTF8.width(scalar)
      if count > bytes { break }
      result.unicodeScalars.append(scalar)
    }
    return result
  }
}
