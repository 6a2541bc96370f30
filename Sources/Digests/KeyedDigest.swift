import Crypto

/// An HMAC-SHA-256: it tells equal texts to whoever has the key, and nothing to others.
///
/// Source: RFC 2104.
public enum KeyedDigest {
  /// As 64 lower-case hexadecimal digits.
  public static func digest(of bytes: [UInt8], key: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    for byte in HMAC<SHA256>.authenticationCode(for: bytes, using: SymmetricKey(data: key)) {
      text.append(digits[Int(byte >> 4)])
      text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
  }
}
