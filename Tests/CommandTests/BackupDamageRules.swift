import Foundation

/// What plain pg_restore can notice, file by file. An unexpected success of it is a failure of the test,
/// so every exception is here, with its reason.
struct RestoreRules {
  let files: BackupFiles

  /// Of bytes in place of a file's own, of which neither is a whole other file.
  func notice(_ name: String, _ damaged: [UInt8]) -> RestoreNotice {
    guard let original = files.bytes[name] else { return .cannot("nothing names the file") }
    if name == "toc.dat" { return contents(original, damaged) }
    if isLargeObjectList(name) { return list(damaged) }
    guard name.contains(".dat") else { return .cannot("pg_restore does not read it") }
    guard name.hasSuffix(".gz") else { return .cannot("text without compression has no checksum") }
    return gzip(original, damaged)
  }

  /// Of a file that is gone, or a directory.
  func noticeOfLoss(_ name: String) -> RestoreNotice {
    isRead(name) ? .fails : .cannot("pg_restore does not read it")
  }

  func noticeOfLink(_ name: String) -> RestoreNotice {
    isRead(name) ? .failsForLinks : .cannot("pg_restore does not read it")
  }

  private func isRead(_ name: String) -> Bool {
    name == "toc.dat" || name.contains(".dat") || isLargeObjectList(name)
  }

  private func isLargeObjectList(_ name: String) -> Bool { name.hasPrefix("blobs") && name.hasSuffix(".toc") }

  private func gzip(_ original: [UInt8], _ damaged: [UInt8]) -> RestoreNotice {
    if damaged.isEmpty { return .cannot("zlib takes an empty file for no rows") }
    if damaged.prefix(2) != original.prefix(2) {
      return .cannot(
        "zlib takes a file without gzip's magic for plain text; the server notices when it is loaded")
    }
    if damaged.count > original.count, damaged.starts(with: original) {
      return .cannot("zlib ignores what follows a member, or reads it as one more")
    }
    guard damaged.count == original.count else { return .fails }
    let changed = zip(original, damaged).enumerated().filter { $1.0 != $1.1 }.map { ($0, $1.0 ^ $1.1) }
    // RFC 1952: FLG's bit 0 says that the file is probably text; MTIME, XFL and OS are in bytes 4 to 9.
    if changed.allSatisfy({ (4...9).contains($0) || ($0 == 3 && $1 == 1) }) {
      return .cannot("the header's time, system, hint of text and effort have no meaning for the data")
    }
    return .fails
  }

  /// The table of contents has no checksum: only its structure can be wrong.
  private func contents(_ original: [UInt8], _ damaged: [UInt8]) -> RestoreNotice {
    if damaged.count < original.count { return .fails }
    if damaged.count > original.count, damaged.starts(with: original) {
      return .cannot("entries are counted; what follows them is not read")
    }
    guard damaged.count == original.count else { return .fails }
    let changed = zip(original, damaged).enumerated().filter { $1.0 != $1.1 }.map(\.offset)
    // Magic and major version; the size of integers; the format.
    if changed.contains(where: { (0...5).contains($0) || $0 == 8 || $0 == 10 }) { return .fails }
    if let range = fileNames(original).first(where: { range in changed.allSatisfy(range.contains) }) {
      let name = String(decoding: damaged[range].prefix { $0 != 0 }, as: UTF8.self)
      if !name.isEmpty, !files.contains(name), !files.contains(name + ".gz") { return .fails }
    }
    return .cannot("an entry's text has no checksum")
  }

  /// Where entries name their files.
  private func fileNames(_ contents: [UInt8]) -> [Range<Int>] {
    let data = Data(contents)
    return files.names.compactMap { name in
      let name = name.hasSuffix(".gz") ? String(name.dropLast(3)) : name
      let length = UInt8(truncatingIfNeeded: name.utf8.count)
      let place = data.range(of: Data([0, length, 0, 0, 0] + Array(name.utf8)))
      return place.map { ($0.lowerBound + 5)..<$0.upperBound }
    }
  }

  /// A line of the list that is not a number and the name of a file that is there.
  private func list(_ damaged: [UInt8]) -> RestoreNotice {
    let lines = damaged.split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
    for line in lines where !line.contains("\0") {
      let words = line.split(whereSeparator: \.isWhitespace)
      guard words.count >= 2, UInt32(words[0]) != nil else { continue }
      let name = String(words[1])
      if !files.contains(name), !files.contains(name + ".gz") { return .fails }
    }
    return .cannot("a list of large objects has no checksum")
  }
}
