import Timekeeping

/// The names in a repository.
///
/// A backup is a directory `20261124T083657Z-database`: the time of its start in UTC, and the database's
/// name with everything but ASCII letters, digits, `_` and `-` replaced. While it is written the name ends with
/// `.partial`, while it is removed with `.deleting`.
enum BackupName {
  static let partialSuffix = ".partial"
  static let deletingSuffix = ".deleting"

  /// - Parameter number: from 2 on appended, for backups of the same second.
  static func make(database: String, time: UTCTime, number: Int) -> String {
    let safe = database.unicodeScalars.map { isSafe($0) ? Character($0) : "_" }
    let name = "\(time.compact)-\(safe.isEmpty ? "_" : String(safe.prefix(100)))"
    return number > 1 ? "\(name)-\(number)" : name
  }

  /// When the backup began, by its name; nil for a name of another form.
  static func time(of id: String) -> UTCTime? {
    guard let dash = id.firstIndex(of: "-"), id.unicodeScalars.allSatisfy(isSafe) else { return nil }
    return UTCTime(compact: id[..<dash])
  }

  /// What is before `suffix` in a name of the form that a backup has.
  static func id(in name: String, suffix: String) -> String? {
    guard name.hasSuffix(suffix) else { return nil }
    let id = String(name.dropLast(suffix.count))
    return time(of: id) == nil ? nil : id
  }

  /// Whether a name, such as one that a person gave a backup, can be one in the repository.
  static func isPossible(_ name: String) -> Bool {
    !name.isEmpty && !name.hasPrefix(".") && !name.contains("/") && !name.utf8.contains(0)
      && !name.hasSuffix(partialSuffix) && !name.hasSuffix(deletingSuffix)
  }

  private static func isSafe(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "a"..."z", "A"..."Z", "0"..."9", "_", "-": true
    default: false
    }
  }
}
