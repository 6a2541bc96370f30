import CLibpq

/// The parameters of a connection, as libpq knows them.
///
/// Values may hold a password, so nothing prints them: the description names host, port, user and
/// database only. Parameters left out are filled by libpq from `PG*` variables, the service file and
/// `.pgpass`.
public struct ConnectionSettings: Sendable, Equatable {
  /// libpq keyword to value.
  private(set) var parameters: [String: String]

  public init(parameters: [String: String] = [:]) {
    self.parameters = parameters
  }

  /// Settings from a URL or a `keyword=value` string.
  ///
  /// - Throws: a ``PostgresError`` of origin `client` whose text never repeats a part of `string`.
  public init(parsing string: String) throws(PostgresError) {
    try Self.refuseStrayAt(in: string)
    var message: UnsafeMutablePointer<CChar>?
    guard let options = PQconninfoParse(string, &message) else {
      let reason = message.map { String(cString: $0) } ?? ""
      PQfreemem(message)
      throw PostgresError(
        origin: .client, message: "the connection string cannot be read",
        detail: Self.withoutQuotedParts(reason),
        hint: "write it as postgresql://USER@HOST:PORT/DATABASE; the password is better kept in ~/.pgpass")
    }
    defer { PQconninfoFree(options) }
    parameters = [:]
    var option = options
    while let keyword = option.pointee.keyword {
      if let value = option.pointee.val {
        parameters[String(cString: keyword)] = String(cString: value)
      }
      option += 1
    }
    // libpq finds out when it connects, and then shows it; it may be part of an unescaped password.
    guard
      (parameters["port"] ?? "").utf8.allSatisfy({
        UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 || $0 == UInt8(ascii: ",")
      })
    else {
      throw PostgresError(
        origin: .client, message: "the connection string cannot be read", detail: "The port is not a number.",
        hint: "write it as postgresql://USER@HOST:PORT/DATABASE; the password is better kept in ~/.pgpass")
    }
  }

  public subscript(keyword: String) -> String? {
    get { parameters[keyword] }
    set { parameters[keyword] = newValue }
  }

  /// Whether a password is part of the settings themselves.
  public var holdsPassword: Bool { parameters["password"].map { !$0.isEmpty } ?? false }

  /// `text` without the password.
  func redacting(_ text: String) -> String {
    guard let password = parameters["password"], !password.isEmpty else { return text }
    return text.replacing(password, with: "…")
  }

  /// libpq ends the user and password of a URL at the first `@`, or has none where a `/` comes before. A
  /// password with one of the two unescaped would so become a host name, and be shown as such.
  private static func refuseStrayAt(in string: String) throws(PostgresError) {
    guard let scheme = ["postgresql://", "postgres://"].first(where: string.hasPrefix) else { return }
    let rest = string.dropFirst(scheme.count)
    guard let end = rest.firstIndex(where: { $0 == "@" || $0 == "/" }) else { return }
    guard rest[rest.index(after: end)...].prefix(while: { $0 != "?" }).contains("@") else { return }
    throw PostgresError(
      origin: .client, message: "the connection string cannot be read",
      detail: "There is an @ where none can be: a password with @ or / in it has to be escaped.",
      hint: "write @ as %40 and / as %2F in the password, or keep it in ~/.pgpass")
  }

  /// libpq quotes pieces of its input in messages, and any piece may be the password. The pieces may hold
  /// quotes themselves, so all between the first and the last is left out.
  static func withoutQuotedParts(_ reason: String) -> String? {
    let line = reason.split(whereSeparator: \.isNewline).joined(separator: " ")
    guard let first = line.firstIndex(of: "\""), let last = line.lastIndex(of: "\"") else {
      return line.isEmpty ? nil : line
    }
    return line[..<first] + "\"…\"" + line[line.index(after: last)...]
  }
}

extension ConnectionSettings: CustomStringConvertible, CustomReflectable {
  public var description: String {
    ["host", "hostaddr", "port", "user", "dbname", "service"]
      .compactMap { keyword in parameters[keyword].map { "\(keyword)=\($0)" } }
      .joined(separator: " ")
  }

  /// Keeps `dump` and debug descriptions from showing a password.
  public var customMirror: Mirror { Mirror(self, children: ["settings": description]) }
}
