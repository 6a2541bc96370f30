import Digests
import FoundationEssentials
import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A file of evidence that is being written: JSON lines, each with the SHA-256 of the line before.
///
/// Every line is synced before the next item is asked, so that what was seen outlives a crash.
public final class EvidenceFile {
  private let file: FileDescriptor
  private let path: FilePath
  /// Of the last line; who knows it can tell whether the file is the one that was written.
  public private(set) var digest = EvidenceLine.origin

  /// Makes the file.
  ///
  /// - Parameter isPrivate: whether its owner alone may read it.
  /// - Throws: ``ChecklistError``, of kind `invalidInput` when something is there already.
  public init(creating path: FilePath, _ header: EvidenceHeader, isPrivate: Bool = false)
    throws(ChecklistError)
  {
    do {
      file = try FileDescriptor.open(
        path, .writeOnly, options: [.create, .exclusiveCreate, .append, .closeOnExec, .noFollow],
        permissions: isPrivate ? [.ownerReadWrite] : [.ownerReadWrite, .groupRead, .otherRead])
    } catch {
      let errno = error as? Errno
      throw ChecklistError(
        errno == .fileExists ? .invalidInput : .failed,
        "the evidence cannot be written to \"\(path)\": \(errno.map { "\($0)" } ?? "\(error)")",
        hint: errno == .fileExists ? "evidence is never overwritten; name another file" : nil)
    }
    self.path = path
    try write(EvidenceLine(previous: digest, header: header))
    let parent = path.removingLastComponent()
    let directory = try? FileDescriptor.open(
      parent.string.isEmpty ? "." : parent, .readOnly, options: [.directory, .closeOnExec])
    if let directory {
      fsync(directory.rawValue)
      try? directory.close()
    }
  }

  deinit { try? file.close() }

  public func append(_ outcome: ItemOutcome) throws(ChecklistError) {
    try write(EvidenceLine(previous: digest, item: outcome))
  }

  /// Writes the last line.
  public func finish(_ end: EvidenceEnd) throws(ChecklistError) {
    try write(EvidenceLine(previous: digest, end: end))
  }

  private func write(_ line: EvidenceLine) throws(ChecklistError) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      let bytes = Array(try encoder.encode(line))
      try file.writeAll(bytes + [UInt8(ascii: "\n")])
      guard fsync(file.rawValue) == 0 else { throw Errno(rawValue: errno) }
      digest = SHA256Digest.digest(of: bytes)
    } catch {
      throw ChecklistError(
        .failed, "the evidence cannot be written to \"\(path)\": \(error)", detail: "What stands in it holds."
      )
    }
  }
}
