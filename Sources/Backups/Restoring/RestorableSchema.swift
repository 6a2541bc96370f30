import Catalog

/// The fingerprint of a schema as far as a dump and its restore keep it.
///
/// The server does not keep the text of expressions. What it prints for `a in ('x', 'y')` on a column of type
/// `varchar` is parsed into another tree, which it prints otherwise: once around
/// `(ARRAY['x'::character varying, …])::text[]` becomes `ARRAY[('x'::character varying)::text, …]`. So
/// casts, parentheses and blanks outside of constants do not count here. Neither does an invalid
/// index, which `pg_dump` leaves out.
enum RestorableSchema {
  /// Changes with the rules, so that fingerprints by different rules are never compared.
  private static let prefix = "restorable-v1:"

  /// - Returns: such as `restorable-v1:` and 64 hexadecimal digits.
  static func fingerprint(of catalog: CatalogSnapshot) -> String {
    prefix + (CatalogFingerprint(of: objects(of: catalog)).description.split(separator: ":").last ?? "")
  }

  /// What counts, with the definitions that count.
  static func objects(of catalog: CatalogSnapshot) -> [CatalogObject] {
    let invalid = Set(catalog.objects.filter(isInvalidIndex).map { "index \($0.identity)" })
    return catalog.objects.filter { object in
      !isInvalidIndex(object) && !invalid.contains(object.identity)
    }.map { CatalogObject(kind: $0.kind, identity: $0.identity, definition: loose($0.definition)) }
  }

  /// Whether a fingerprint was made by the rules of this version.
  static func isComparable(_ fingerprint: String) -> Bool { fingerprint.hasPrefix(prefix) }

  private static func isInvalidIndex(_ object: CatalogObject) -> Bool {
    object.kind == .index && object.definition.split(separator: "\n").contains("invalid")
  }

  /// The text without casts, parentheses and blanks, constants as they are.
  static func loose(_ definition: String) -> String {
    var rest = Array(definition.utf8)[...]
    var result: [UInt8] = []
    var isConstant = false
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "'") { isConstant.toggle() }
      if isConstant {
        result.append(byte)
      } else if byte == UInt8(ascii: ":"), rest.first == byte {
        rest.removeFirst()
        skipType(&rest)
      } else if !" \n\t()".utf8.contains(byte) {
        result.append(byte)
      }
    }
    return String(decoding: result, as: UTF8.self)
  }

  /// What follows the first word of a type's name.
  private static let endings = [
    " varying", " precision", " without time zone", " with time zone", "[]",
  ].map { Array($0.utf8) }

  private static func skipType(_ rest: inout ArraySlice<UInt8>) {
    repeat {
      if rest.first == UInt8(ascii: ".") { rest.removeFirst() }
      if rest.first == UInt8(ascii: "\"") {
        // What follows a doubled quote still belongs to the name.
        while rest.first == UInt8(ascii: "\"") {
          rest = rest.dropFirst().drop { $0 != UInt8(ascii: "\"") }.dropFirst()
        }
      } else {
        rest = rest.drop(while: isWordByte)
      }
    } while rest.first == UInt8(ascii: ".")
    while true {
      if let ending = endings.first(where: { rest.starts(with: $0) }) {
        rest = rest.dropFirst(ending.count)
      } else if let modifier = modifierLength(rest) {
        rest = rest.dropFirst(modifier)
      } else {
        return
      }
    }
  }

  /// Of a length or precision such as `(10,2)`; nil where there is none.
  private static func modifierLength(_ text: ArraySlice<UInt8>) -> Int? {
    guard text.first == UInt8(ascii: "(") else { return nil }
    let inside = text.dropFirst().prefix {
      UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 || $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: "-")
    }
    guard !inside.isEmpty, text.dropFirst(inside.count + 1).first == UInt8(ascii: ")") else { return nil }
    return inside.count + 2
  }

  private static func isWordByte(_ byte: UInt8) -> Bool {
    byte >= 0x80 || byte == UInt8(ascii: "_") || UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte
      || UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
  }
}
