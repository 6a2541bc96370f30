import FoundationEssentials
import Maintenance
import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A file of an entry, as it is and as it should be.
struct ScheduleFile {
  /// For people: a path, or whose crontab.
  let name: String
  /// nil for nothing there.
  let current: [UInt8]?
  let wanted: [UInt8]?
  let place: Place
  /// Whether the entry is to be gone.
  let isRemoval: Bool

  enum Place {
    case crontab(Crontab)
    case file(String)
  }

  var isChanged: Bool { current != wanted }

  /// What came of it, or would come.
  var action: String {
    if !isChanged { return isRemoval ? "absent" : "unchanged" }
    if case .crontab = place { return "updated" }
    return wanted == nil ? "removed" : current == nil ? "created" : "updated"
  }

  var diff: String {
    func text(_ bytes: [UInt8]?) -> String { String(decoding: bytes ?? [], as: UTF8.self) }
    return UnifiedDiff.text(
      text(current), text(wanted), oldName: current == nil ? "/dev/null" : name,
      newName: wanted == nil ? "/dev/null" : name)
  }

  /// - Throws: `MaintenanceError`; the file is as it was then.
  func apply() throws(MaintenanceError) {
    guard isChanged else { return }
    switch place {
    case .crontab(let crontab): try crontab.write(wanted ?? [], expected: current ?? [])
    case .file(let path):
      if let wanted {
        try makeParent(of: path)
        try ReplacedFile(FilePath(path)).write(String(decoding: wanted, as: UTF8.self))
      } else if unlink(path) != 0, errno != ENOENT {
        throw MaintenanceError(
          .failed, "cannot remove \"\(path)\": \(Errno(rawValue: errno))", hint: "check who may write there")
      }
    }
  }

  private func makeParent(of path: String) throws(MaintenanceError) {
    let parent = path.parent
    do {
      try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
    } catch {
      throw MaintenanceError(
        .failed, "the directory \"\(parent)\" cannot be made", hint: "check who may write there")
    }
  }

  /// A file's bytes; nil where there is none.
  ///
  /// - Throws: `MaintenanceError` for what is there and no file that can be read.
  static func read(_ path: String) throws(MaintenanceError) -> [UInt8]? {
    var found = stat()
    guard lstat(path, &found) == 0 else { return nil }
    guard found.st_mode & S_IFMT == S_IFREG else {
      throw MaintenanceError(
        .failed, "\"\(path)\" is not a regular file, so it is not ours", detail: "Nothing was changed.",
        hint: "move it away, or pass another --name")
    }
    do {
      return Array(try Data(contentsOf: URL(filePath: path)))
    } catch {
      throw MaintenanceError(.failed, "\"\(path)\" cannot be read", hint: "check its permissions")
    }
  }
}

extension String {
  /// The path without its last component.
  fileprivate var parent: String {
    guard let slash = lastIndex(of: "/"), slash != startIndex else { return "/" }
    return String(self[..<slash])
  }
}
