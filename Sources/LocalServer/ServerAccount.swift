import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// An account of the operating system.
public struct ServerAccount: Sendable, Hashable {
  public let name: String
  public let uid: UInt32
  /// The primary group.
  public let gid: UInt32

  public init(name: String, uid: UInt32, gid: UInt32) {
    self.name = name
    self.uid = uid
    self.gid = gid
  }

  /// The accounts tried, in order, when root runs the server: PostgreSQL's own where its package
  /// made one, then the one that owns nothing. None is ever created.
  static let unprivilegedNames = ["postgres", "_postgres", "nobody"]

  /// The account that runs the server when root asks for one.
  ///
  /// - Parameter look: finds an account by name.
  /// - Throws: `.noAccount` when none of the names exists or all of them are root.
  static func unprivileged(
    names: [String] = unprivilegedNames, look: (String) -> ServerAccount? = named
  ) throws(LocalServerError) -> ServerAccount {
    for name in names {
      if let account = look(name), account.uid != 0 { return account }
    }
    let list = names.map { "\"\($0)\"" }.joined(separator: ", ")
    throw LocalServerError(
      .noAccount, "no unprivileged account exists to run the private server under",
      detail: "PostgreSQL refuses to run as root. Looked for \(list).",
      hint: "run tsdb as an ordinary user, or create an account (adduser --system postgres)")
  }

  static func named(_ name: String) -> ServerAccount? {
    lookUp { getpwnam_r(name, $0, $1, $2, $3) }
  }

  static func numbered(_ uid: uid_t) -> ServerAccount? {
    lookUp { getpwuid_r(uid, $0, $1, $2, $3) }
  }

  /// The account name for messages; the number when it has no name.
  static func displayName(_ uid: uid_t) -> String {
    numbered(uid).map { "\"\($0.name)\"" } ?? "user \(uid)"
  }

  private typealias Query = (
    UnsafeMutablePointer<passwd>, UnsafeMutablePointer<CChar>, Int,
    UnsafeMutablePointer<UnsafeMutablePointer<passwd>?>
  ) -> Int32

  private static func lookUp(_ query: Query) -> ServerAccount? {
    let capacity = 16384
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: capacity) { buffer in
      guard let base = buffer.baseAddress else { return nil }
      var entry = passwd()
      var found: UnsafeMutablePointer<passwd>?
      guard query(&entry, base, capacity, &found) == 0, found != nil, let name = entry.pw_name else {
        return nil
      }
      return ServerAccount(name: String(cString: name), uid: entry.pw_uid, gid: entry.pw_gid)
    }
  }

  /// Whether this account may pass through a directory, by its mode bits. An access control list
  /// is not considered.
  func canTraverse(mode: UInt32, owner: UInt32, group: UInt32) -> Bool {
    if owner == uid { return mode & 0o100 != 0 }
    if group == gid { return mode & 0o010 != 0 }
    return mode & 0o001 != 0
  }
}
