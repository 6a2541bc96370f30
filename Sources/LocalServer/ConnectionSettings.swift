import SystemPackage

/// How a client reaches the private server.
public struct ConnectionSettings: Sendable, Hashable {
  /// The directory of the Unix-domain socket: libpq's `host`.
  public let socketDirectory: FilePath
  public let port: Int
  /// The superuser of the cluster.
  public let user: String
  public let database: String

  public init(socketDirectory: FilePath, port: Int, user: String, database: String) {
    self.socketDirectory = socketDirectory
    self.port = port
    self.user = user
    self.database = database
  }

  /// `postgresql:///database?host=…&port=…&user=…`. There is no password in it: the directory's
  /// mode is what keeps others out.
  public var url: String {
    "postgresql:///\(Self.encode(database))?host=\(Self.encode(socketDirectory.string))"
      + "&port=\(port)&user=\(Self.encode(user))"
  }

  /// Keyword and value pairs for `PQconnectdbParams`.
  public var keywords: [(keyword: String, value: String)] {
    [("host", socketDirectory.string), ("port", String(port)), ("user", user), ("dbname", database)]
  }

  /// Percent-encodes all but the unreserved characters of RFC 3986.
  private static func encode(_ text: String) -> String {
    text.utf8.reduce(into: "") { result, byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "~"):
        result.unicodeScalars.append(Unicode.Scalar(byte))
      default:
        let digits = String(byte, radix: 16, uppercase: true)
        result += digits.count == 1 ? "%0\(digits)" : "%\(digits)"
      }
    }
  }
}
