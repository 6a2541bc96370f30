import Postgres

/// Takes out of what a probe says what must not stand in evidence: secrets and e-mail addresses.
public struct Redaction: Sendable {
  private let secrets: [String]

  private static let limit = 1000

  /// - Parameters:
  ///   - settings: whose password is a secret.
  ///   - environment: of this process; `DATABASE_URL`, the password in it, and every variable whose name says that
  ///     it holds a secret.
  public init(settings: ConnectionSettings? = nil, environment: [String: String] = [:]) {
    let words = ["PASSWORD", "PASSWD", "SECRET", "TOKEN", "API_KEY", "APIKEY", "PRIVATE_KEY", "CREDENTIAL"]
    var secrets = environment.filter { name, _ in
      words.contains { name.uppercased().contains($0) } || name == "DATABASE_URL"
    }.map(\.value)
    if let url = environment["DATABASE_URL"],
      let password = (try? ConnectionSettings(parsing: url))?["password"]
    {
      secrets.append(password)
    }
    if let password = settings?["password"] { secrets.append(password) }
    // Shorter ones stand in any text by chance.
    self.secrets = Set(secrets).filter { $0.utf8.count >= 4 }.sorted { $0.utf8.count > $1.utf8.count }
  }

  /// The secrets themselves, for what cleans output by itself.
  var all: [String] { secrets }

  /// One line without secrets, addresses and control characters, at most 1,000 characters.
  public func clean(_ text: String) -> String {
    var text = text
    for secret in secrets { text = text.replacing(secret, with: "***") }
    var line = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      switch scalar.value {
      case 0x09, 0x0A, 0x0D: line.append(" ")
      case ..<0x20, 0x7F...0x9F, 0x200E...0x200F, 0x2028...0x202E, 0x2066...0x2069: break
      default: line.append(scalar)
      }
    }
    let cleaned = Self.withoutAddresses(String(line))
    return cleaned.count > Self.limit ? cleaned.prefix(Self.limit - 1) + "…" : cleaned
  }

  func clean(_ answer: ProbeAnswer) -> ProbeAnswer {
    ProbeAnswer(
      answer.state, asked: clean(answer.asked), observed: clean(answer.observed),
      remedy: answer.remedy.map { clean($0) })
  }

  /// What looks like `name@host.domain` becomes `…@…`.
  private static func withoutAddresses(_ text: String) -> String {
    guard text.contains("@") else { return text }
    var result = ""
    var rest = text[...]
    while let at = rest.firstIndex(of: "@") {
      let name = rest[..<at].reversed().prefix { isPart($0) || "+%'".contains($0) }.count
      let host = rest[rest.index(after: at)...].prefix { isPart($0) }
      if name > 0, host.dropFirst().dropLast().contains(".") {
        result += rest[..<at].dropLast(name) + "…@…"
        rest = rest[host.endIndex...]
        continue
      }
      result += rest[...at]
      rest = rest[rest.index(after: at)...]
    }
    return result + rest
  }

  private static func isPart(_ character: Character) -> Bool {
    character.isLetter || character.isNumber || "._-".contains(character)
  }
}
