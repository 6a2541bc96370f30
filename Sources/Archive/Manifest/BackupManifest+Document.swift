import Digests
import FoundationEssentials

extension BackupManifest {
  /// The largest `manifest.json` that is read, bytes: the pieces of 60 TB of tables.
  public static let maximumSize: Int64 = 256 << 20

  /// What stands before the digest at the document's end, and after it.
  private static let digestStart = Array(",\n\"manifest_sha256\":\"".utf8)
  private static let digestEnd = Array("\"}\n".utf8)
  private static let digestLength = 64

  /// The document: JSON with sorted keys, whose last field is the SHA-256 of every byte before that
  /// field's name.
  ///
  /// - Throws: ``ArchiveError`` for a manifest that ``init(reading:)`` would refuse.
  public func bytes() throws(ArchiveError) -> [UInt8] {
    try check()
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(self), data.last == UInt8(ascii: "}") else {
      throw ArchiveError(.system, "the manifest cannot be written as JSON")
    }
    let covered = Array(data.dropLast()) + Self.digestStart.prefix(2)
    return covered + Self.ending(digest: SHA256Digest.digest(of: covered))
  }

  /// Reads a document that ``bytes()`` wrote.
  ///
  /// The digest is compared before anything is parsed, so a document that was cut or changed, by one
  /// bit anywhere, is refused. It tells accidents, not forgers: what the document says is checked too.
  ///
  /// - Throws: ``ArchiveError``, `.damaged`, or `.unsupported` for another format than
  ///   ``currentFormat``.
  public init(reading bytes: [UInt8]) throws(ArchiveError) {
    guard bytes.count <= Self.maximumSize else {
      throw ArchiveError(
        .damaged, "the manifest is too large",
        detail: "It has \(bytes.count) bytes; at most \(Self.maximumSize) are read.")
    }
    let covered = try Self.covered(bytes)
    var document = Data(covered.dropLast(2))
    document.append(UInt8(ascii: "}"))
    do {
      self = try JSONDecoder().decode(BackupManifest.self, from: document)
    } catch {
      // Another format has other fields.
      if let probe = try? JSONDecoder().decode(FormatProbe.self, from: document) {
        try Self.check(format: probe.format)
      }
      throw ArchiveError(
        .damaged, "the manifest is not what this program writes", detail: Self.reason(error))
    }
    try check()
  }

  private struct FormatProbe: Decodable {
    var format: Int
  }

  private static func ending(digest: String) -> [UInt8] {
    digestStart.dropFirst(2) + Array(digest.utf8) + digestEnd
  }

  /// The bytes that the digest covers.
  private static func covered(_ bytes: [UInt8]) throws(ArchiveError) -> ArraySlice<UInt8> {
    let length = digestStart.count - 2 + digestLength + digestEnd.count
    let covered = bytes.dropLast(length)
    guard covered.suffix(2) == digestStart.prefix(2) else {
      throw ArchiveError(
        .damaged, "the manifest is not complete", detail: "It does not end with its own SHA-256.")
    }
    var digest = SHA256Digest()
    covered.withUnsafeBytes { digest.update($0) }
    guard Array(bytes.suffix(length)) == ending(digest: digest.finish()) else {
      throw ArchiveError(
        .damaged, "the manifest was changed after it was written",
        detail: "The SHA-256 of its bytes is not the one at its end.")
    }
    return covered
  }

  private static func reason(_ error: any Error) -> String {
    guard let error = error as? DecodingError else { return "It is not JSON." }
    func field(_ path: [any CodingKey], _ more: String = "") -> String {
      let names = path.map { $0.intValue.map(String.init) ?? $0.stringValue } + (more.isEmpty ? [] : [more])
      return ArchiveFileName.printable(Array(names.joined(separator: ".").utf8))
    }
    switch error {
    case .keyNotFound(let key, let context):
      return "Field \"\(field(context.codingPath, key.stringValue))\" is missing."
    case .typeMismatch(_, let context), .valueNotFound(_, let context):
      return "Field \"\(field(context.codingPath))\" is of another type."
    case .dataCorrupted(let context) where !context.codingPath.isEmpty:
      return "Field \"\(field(context.codingPath))\" has a value that is not possible."
    default: return "It is not JSON."
    }
  }
}
