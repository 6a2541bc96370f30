import Checklists
import SystemPackage

/// A checklist on disk.
enum ChecklistFile {
  private static let limit = 4 << 20

  /// - Parameter path: as it is meant on a command line; messages repeat it.
  static func read(_ path: String) throws(ChecklistError) -> ChecklistDocument {
    let bytes: [UInt8]
    do {
      bytes = try FileBytes.read(FilePath(Project.absolute(path)), limit: limit)
    } catch {
      throw ChecklistError(
        .invalidInput, "\"\(path)\" cannot be read: \(error)", hint: "name a Markdown file")
    }
    let document = try ChecklistDocument(parsing: bytes, path: path)
    guard !document.items.isEmpty else {
      throw ChecklistError(
        .invalidInput, "\"\(path)\" holds no boxes",
        hint: "write items as task lists: - [ ] what is to be true")
    }
    return document
  }
}

extension Project {
  /// Where persons' words are kept.
  var attestations: AttestationLog {
    AttestationLog(FilePath(root).appending(".tsdb").appending(AttestationLog.fileName))
  }
}
