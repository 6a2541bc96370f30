import FoundationEssentials

/// JSON as it is printed: keys sorted, so that it can be compared.
enum JSONText {
  static func encode(_ value: some Encodable) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    do {
      return String(decoding: try encoder.encode(value), as: UTF8.self)
    } catch {
      return "{\"error\": {\"message\": \"the result cannot be written as JSON\"}}"
    }
  }
}
