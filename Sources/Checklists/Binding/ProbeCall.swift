/// What an item is bound to.
public struct ProbeCall: Sendable, Equatable, Codable {
  /// Of a probe, or `command`, `url`, `attest`.
  public var name: String
  public var arguments: [String: String]
  /// Words that belong to no key: the program of `command`, the address of `url`, the text of `attest`.
  public var operands: [String]

  public init(_ name: String, arguments: [String: String] = [:], operands: [String] = []) {
    self.name = name
    self.arguments = arguments
    self.operands = operands
  }
}
