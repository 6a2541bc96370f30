import Archive
import Foundation
import TestSupport

/// Something that happened to a backup on its disk.
struct BackupDamage: Sendable {
  /// What stands in place of a file.
  enum Content: Sendable {
    case bytes([UInt8])
    case missing
    case directory
    /// A symbolic link to an equal copy.
    case symbolicLink
    /// Another name of an equal copy.
    case hardLink
  }

  let name: String
  /// By path in the backup; also of files that were not there.
  var changes: [String: Content]
  /// Where `backup verify` must report something; nothing when the backup is as good as before.
  var found: Set<String>
  /// What plain pg_restore makes of it.
  var notice: RestoreNotice
  /// Whether the manifest was made to fit, so that all digests agree.
  var isForged = false
}

/// Whether plain pg_restore, which has no manifest, can notice a damage.
enum RestoreNotice: Sendable, Equatable {
  case fails
  /// Since the releases of November 2026; those before follow links.
  case failsForLinks
  /// The reason why it is not in our hands.
  case cannot(String)
}

/// The files of a backup as they were written.
struct BackupFiles: Sendable {
  let id: String
  let bytes: [String: [UInt8]]
  let manifest: BackupManifest

  init(path: String) throws {
    id = (path as NSString).lastPathComponent
    var bytes: [String: [UInt8]] = [:]
    for name in try FileManager.default.subpathsOfDirectory(atPath: path) where name != ".lock" {
      var isDirectory: ObjCBool = false
      guard FileManager.default.fileExists(atPath: path + "/" + name, isDirectory: &isDirectory),
        !isDirectory.boolValue
      else { continue }
      bytes[name] = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path + "/" + name)))
    }
    self.bytes = bytes
    manifest = try BackupManifest(reading: bytes["manifest.json"] ?? [])
  }

  var names: [String] { bytes.keys.sorted() }

  func table(_ name: String) -> BackupManifest.Table? { manifest.tables.first { $0.file == name } }

  func contains(_ name: String) -> Bool { bytes[name] != nil }
}

/// A copy of a backup that is damaged and made whole again.
final class DamagedCopy: Sendable {
  private let files: BackupFiles
  private let directory: TemporaryDirectory
  var path: String { directory.path(files.id) }

  init(_ files: BackupFiles) throws {
    self.files = files
    directory = try TemporaryDirectory()
    for (name, bytes) in files.bytes { try directory.write(files.id + "/" + name, bytes: bytes) }
  }

  /// Runs `body` while the damage is there.
  func with<Result>(_ damage: BackupDamage, _ body: (String) async throws -> Result) async throws -> Result {
    for (name, content) in damage.changes { try put(content, at: name) }
    let result = try await body(path)
    for name in damage.changes.keys { try put(files.bytes[name].map { .bytes($0) } ?? .missing, at: name) }
    return result
  }

  private func put(_ content: BackupDamage.Content, at name: String) throws {
    let path = path + "/" + name
    let copy = directory.path("copy")
    try? FileManager.default.removeItem(atPath: path)
    switch content {
    case .missing: break
    case .bytes(let bytes): try Data(bytes).write(to: URL(fileURLWithPath: path))
    case .directory:
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    case .symbolicLink:
      try Data(files.bytes[name] ?? []).write(to: URL(fileURLWithPath: copy))
      try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: copy)
    case .hardLink:
      try? FileManager.default.removeItem(atPath: copy)
      try Data(files.bytes[name] ?? []).write(to: URL(fileURLWithPath: copy))
      try FileManager.default.linkItem(atPath: copy, toPath: path)
    }
  }
}
