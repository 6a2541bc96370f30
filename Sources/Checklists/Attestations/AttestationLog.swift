import FoundationEssentials
import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// `.tsdb/attestations.jsonl` of a project: one attestation a line, only added to.
public struct AttestationLog: Sendable {
  public let path: FilePath

  public static let fileName = "attestations.jsonl"
  private static let limit = 16 << 20

  public init(_ path: FilePath) {
    self.path = path
  }

  /// The newest attestation of each item, whether it still holds or not; empty where there is no file.
  ///
  /// - Throws: ``ChecklistError`` where the file cannot be read, or a line of it is no attestation.
  public func newest() throws(ChecklistError) -> [AttestationKey: Attestation] {
    var newest: [AttestationKey: Attestation] = [:]
    for attestation in try all() {
      newest[AttestationKey(item: attestation.key, section: attestation.section)] = attestation
    }
    return newest
  }

  /// All of them in the order in which they were given.
  public func all() throws(ChecklistError) -> [Attestation] {
    guard let bytes = try contents() else { return [] }
    var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    // Whatever follows the last line end was not written to its end.
    lines.removeLast()
    var result: [Attestation] = []
    for (index, line) in lines.enumerated() where !line.isEmpty {
      guard let attestation = try? JSONDecoder().decode(Attestation.self, from: Data(line)) else {
        // The rest of a line that a crash cut short, which the next writer ended.
        if !line.hasSuffix("}") { continue }
        throw ChecklistError(
          .failed, "a line of the attestations is none", location: "\(path):\(index + 1):1",
          hint: "take the line out of the file")
      }
      result.append(attestation)
    }
    return result
  }

  /// Adds one, and makes it outlive a crash. The directory is made where it is missing.
  public func append(_ attestation: Attestation) throws(ChecklistError) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      let line = Array(try encoder.encode(attestation)) + [UInt8(ascii: "\n")]
      let directory = path.removingLastComponent()
      if mkdir(directory.string, 0o777) != 0, errno != EEXIST { throw Errno(rawValue: errno) }
      let file = try FileDescriptor.open(
        path, .readWrite, options: [.create, .append, .closeOnExec, .noFollow],
        permissions: [.ownerReadWrite, .groupRead, .otherRead])
      try file.closeAfter {
        while flock(file.rawValue, LOCK_EX) != 0 { if errno != EINTR { throw Errno(rawValue: errno) } }
        let end = try file.seek(offset: 0, from: .end)
        var last: [UInt8] = [UInt8(ascii: "\n")]
        if end > 0 {
          _ = try last.withUnsafeMutableBytes { try file.read(fromAbsoluteOffset: end - 1, into: $0) }
        }
        let isTorn = last[0] != UInt8(ascii: "\n")
        try file.writeAll((isTorn ? [UInt8(ascii: "\n")] : []) + line)
        guard fsync(file.rawValue) == 0 else { throw Errno(rawValue: errno) }
      }
      let handle = try FileDescriptor.open(directory, .readOnly, options: [.directory, .closeOnExec])
      fsync(handle.rawValue)
      try? handle.close()
    } catch {
      throw ChecklistError(.failed, "the attestation cannot be written to \"\(path)\": \(error)")
    }
  }

  private func contents() throws(ChecklistError) -> [UInt8]? {
    do {
      return try FileBytes.read(path, limit: Self.limit)
    } catch Errno.noSuchFileOrDirectory {
      return nil
    } catch {
      throw ChecklistError(.failed, "\"\(path)\" cannot be read: \(error)")
    }
  }
}

extension AttestationKey {
  init(item: String, section: String) {
    self.item = item
    self.section = section
  }
}

extension ArraySlice<UInt8> {
  fileprivate func hasSuffix(_ text: String) -> Bool { suffix(text.utf8.count).elementsEqual(text.utf8) }
}
