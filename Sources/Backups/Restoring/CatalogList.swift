import Catalog
import Digests

/// What is in a schema, one line for each object, so that a difference can be named: the first 16 digits of the
/// SHA-256 of the definition as ``RestorableSchema`` sees it, the kind, and the name.
///
/// In a name, a backslash is doubled and a line end is `\\n`.
struct CatalogList: Sendable, Equatable {
  /// Below a backup's `config/`.
  static let fileName = "catalog.txt"
  /// Lists that are longer are not read, bytes.
  static let maximumSize = 256 << 20

  /// Digests by kind and name.
  private let digests: [String: String]

  init(of catalog: CatalogSnapshot) {
    digests = Dictionary(
      RestorableSchema.objects(of: catalog).filter(\.kind.isFingerprinted).map { object in
        (
          Self.escaped("\(object.kind.rawValue) \(object.identity)"),
          String(SHA256Digest.digest(of: Array(object.definition.utf8)).prefix(16))
        )
      }
    ) { first, _ in first }
  }

  /// Reads what ``text`` gave; lines of another form do not count.
  init(reading text: String) {
    digests = Dictionary(
      text.split(separator: "\n").compactMap { line in
        let parts = line.split(separator: " ", maxSplits: 1)
        return parts.count == 2 ? (String(parts[1]), String(parts[0])) : nil
      }
    ) { first, _ in first }
  }

  /// By kind and name.
  var text: String { digests.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)\n" }.joined() }

  private static func escaped(_ name: String) -> String {
    var bytes: [UInt8] = []
    for byte in name.utf8 {
      switch byte {
      case UInt8(ascii: "\\"): bytes += Array(#"\\"#.utf8)
      case UInt8(ascii: "\n"): bytes += Array(#"\n"#.utf8)
      default: bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// How another schema differs from this one, in words such as `table public.a is missing`, by kind and name.
  func differences(to other: CatalogList) -> [String] {
    Set(digests.keys).union(other.digests.keys).sorted().compactMap { name in
      switch (digests[name], other.digests[name]) {
      case (let expected?, let found?): expected == found ? nil : "\(name) is not the same"
      case (_?, nil): "\(name) is missing"
      case (nil, _): "\(name) was not in the backup"
      }
    }
  }
}
