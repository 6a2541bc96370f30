/// A name of the database as text for people and for the manifest.
enum ReadableName {
  /// The name, or where it is not UTF-8 (in a database that does not know its encoding) with `\xNN` for
  /// each byte outside ASCII, so that two names stay two.
  static func text(_ bytes: [UInt8]) -> String {
    if let text = String(validating: bytes, as: UTF8.self) { return text }
    return bytes.reduce(into: "") { text, byte in
      if byte < 0x80 {
        text.unicodeScalars.append(Unicode.Scalar(byte))
      } else {
        text += "\\x" + String(byte, radix: 16)
      }
    }
  }
}
