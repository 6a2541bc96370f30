/// The last document of a stream of events: the result, with an event's name beside its values.
struct FinishedLine<Result: Encodable>: Encodable {
  let result: Result

  private enum Key: String, CodingKey {
    case event
  }

  func encode(to encoder: any Encoder) throws {
    try result.encode(to: encoder)
    var container = encoder.container(keyedBy: Key.self)
    try container.encode("finished", forKey: .event)
  }
}
