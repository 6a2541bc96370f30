import Archive
import Compression
import Digests
import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The files of large objects that `pg_dump` wrote, on their way into a backup.
struct LargeObjectFiles {
  /// Where `pg_dump` put them.
  let scratch: HeldDirectory
  let backup: HeldDirectory

  /// Moves the files over and tells what is in them.
  ///
  /// - Parameters:
  ///   - names: new names of files, by old name.
  ///   - scratchName: the scratch directory's name in the backup; it is removed.
  func move(
    renaming names: [String: String], removing scratchName: String
  ) throws -> BackupManifest.LargeObjects {
    var count: Int64 = 0
    var bytes: Int64 = 0
    var fingerprint = ContentFingerprint()
    for name in try scratch.names() where name != "toc.dat" {
      let target = names[name] ?? name
      try scratch.move(name, to: backup, as: target)
      guard let oid = Self.oid(of: name) else { continue }
      let content = try digest(of: target)
      count += 1
      bytes += content.bytes
      Array("\(oid)\t\(content.sha256)\n".utf8).withUnsafeBytes { fingerprint.add(row: $0) }
    }
    try backup.removeTree(scratchName)
    return BackupManifest.LargeObjects(count: count, bytes: bytes, fingerprint: "\(fingerprint)")
  }

  /// The object that `blob_<oid>.dat` or `blob_<oid>.dat.gz` holds.
  private static func oid(of name: String) -> UInt32? {
    guard name.hasPrefix("blob_") else { return nil }
    return name.dropFirst(5).split(separator: ".").first.flatMap { UInt32($0) }
  }

  private func digest(of name: String) throws -> (bytes: Int64, sha256: String) {
    var digest = SHA256Digest()
    var bytes: Int64 = 0
    let reader = DataFileReader(directory: backup.descriptor)
    _ = try reader.readStream(
      name, format: name.hasSuffix(".gz") ? .gzip : .none, endMarker: .none
    ) { block in
      digest.update(block)
      bytes += Int64(block.count)
    }
    return (bytes, digest.finish())
  }
}

extension HeldDirectory {
  /// Moves the file `name` into another directory of the same file system.
  fileprivate func move(_ name: String, to other: HeldDirectory, as target: String) throws(BackupError) {
    guard renameat(descriptor.rawValue, name, other.descriptor.rawValue, target) == 0 else {
      throw .system("move", path.appending(name), errno)
    }
  }
}
