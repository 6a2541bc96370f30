import Archive
import Compression
import Digests
import Foundation

/// A backup that is changed so that its manifest still fits it: what no digest can find.
public struct AlteredBackup {
  public let path: String

  public init(_ path: String) { self.path = path }

  private var manifestPath: String { path + "/manifest.json" }

  private func change(_ body: (inout BackupManifest) throws -> Void) throws {
    var manifest = try BackupManifest(reading: Array(Data(contentsOf: URL(fileURLWithPath: manifestPath))))
    try body(&manifest)
    try Data(try manifest.bytes()).write(to: URL(fileURLWithPath: manifestPath))
  }

  /// Says that it comes from another server.
  public func setServerVersion(_ number: Int) throws {
    try change { $0.server.versionNumber = number }
  }

  /// Says that the database was of another size, in bytes.
  public func setDatabaseSize(_ size: Int64) throws {
    try change { $0.server.database.size = size }
  }

  /// Takes a file out of the backup and of its manifest.
  public func remove(_ file: String) throws {
    try change { manifest in
      manifest.files.removeAll { $0.path == file }
      try FileManager.default.removeItem(atPath: path + "/" + file)
    }
  }

  /// Replaces the only occurrence of `old` in the table of contents.
  ///
  /// - Parameter new: as long as `old`.
  public func replaceInContents(_ old: String, with new: String) throws {
    try change { try replace(old, with: new, in: "toc.dat", &$0) }
  }

  /// Replaces the only occurrence of `old` in the rows of a table whose file is not compressed.
  ///
  /// - Parameter new: as long as `old`.
  public func replaceInRows(of table: String, _ old: String, with new: String) throws {
    try change { manifest in
      guard let index = manifest.tables.firstIndex(where: { $0.name == table }) else {
        throw TestSupportError("no table \(table)")
      }
      let file = manifest.tables[index].file
      try replace(old, with: new, in: file, &manifest)
      let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path + "/" + file)))
      manifest.tables[index].pieces = manifest.tables[index].pieces.map { piece in
        var piece = piece
        piece.crc = CRC32.checksum(Array(bytes[Int(piece.offset)..<Int(piece.offset + piece.length)]))
        return piece
      }
    }
  }

  private func replace(
    _ old: String, with new: String, in file: String, _ manifest: inout BackupManifest
  ) throws {
    let url = URL(fileURLWithPath: path + "/" + file)
    let bytes = Array(try Data(contentsOf: url))
    let places = bytes.ranges(of: Array(old.utf8))
    guard places.count == 1, old.utf8.count == new.utf8.count,
      let index = manifest.files.firstIndex(where: { $0.path == file })
    else { throw TestSupportError("\(places.count) times \"\(old)\" in \(file)") }
    var changed = bytes
    changed.replaceSubrange(places[0], with: Array(new.utf8))
    try Data(changed).write(to: url)
    manifest.files[index].sha256 = SHA256Digest.digest(of: changed)
  }
}
