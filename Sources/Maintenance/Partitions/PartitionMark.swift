import Postgres
import Timekeeping

/// The comment by which a table is known as a partition that tsdb took off to drop.
///
/// Written in the transaction that takes the partition off, or before that of DETACH CONCURRENTLY: a name or a shape
/// alone would prove nothing. The comment that was there follows it.
struct PartitionMark: Equatable, Sendable {
  /// Of the partitioned table, quoted.
  var parent: String
  var end: UTCTime
  var original: String?

  static let beginning = "tsdb: retired from "
  private static let middle = ", rows before "
  private static let ending = "; to be dropped"

  init(parent: CataloguedRelation, end: UTCTime, original: String?) {
    self.parent = parent.quoted
    self.end = end
    self.original = original
  }

  /// The mark that a comment holds; nil for a comment of anybody else.
  init?(_ comment: String?) {
    guard let comment, comment.hasPrefix(Self.beginning) else { return nil }
    let end = comment.firstIndex(of: "\n") ?? comment.endIndex
    var line = comment[..<end].dropFirst(Self.beginning.count)
    guard line.hasSuffix(Self.ending) else { return nil }
    line = line.dropLast(Self.ending.count)
    guard let time = UTCTime(line.suffix(20)), line.dropLast(20).hasSuffix(Self.middle) else { return nil }
    self.parent = String(line.dropLast(20 + Self.middle.count))
    self.end = time
    original = end < comment.endIndex ? String(comment[comment.index(after: end)...]) : nil
  }

  var comment: String {
    Self.beginning + parent + Self.middle + end.description + Self.ending + (original.map { "\n" + $0 } ?? "")
  }
}
