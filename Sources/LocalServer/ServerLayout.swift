import SystemPackage

/// Where everything of one private server is. Pure: nothing here touches the file system.
///
/// `home` is the directory the caller names. `storage` holds the cluster; it is the same directory
/// unless root works in a place that the server's account cannot reach.
struct ServerLayout: Sendable, Hashable {
  let home: FilePath
  let storage: FilePath

  /// The record that marks `home` as made by tsdb.
  var record: FilePath { home.appending(Self.recordName) }
  /// Held while a command changes the server.
  var commandLock: FilePath { home.appending(Self.commandLockName) }
  /// What the postmaster prints before its log collector runs.
  var startupLog: FilePath { home.appending("startup.log") }

  var data: FilePath { storage.appending("data") }
  /// A cluster that `initdb` has not finished.
  var partialData: FilePath { storage.appending("data.partial") }
  /// A cluster that is being removed.
  var removedData: FilePath { storage.appending("data.removed") }
  var log: FilePath { storage.appending("log") }
  var settings: FilePath { storage.appending("postgresql.conf") }
  /// Held by the postmaster and its children as long as one of them lives.
  var postmasterLock: FilePath { storage.appending("postmaster.lock") }
  /// In a storage outside `home`: the record of which home it belongs to.
  var storageOwner: FilePath { storage.appending("home") }

  var postmasterFile: FilePath { data.appending("postmaster.pid") }
  var clusterVersion: FilePath { data.appending("PG_VERSION") }

  static let recordName = "server.state"
  static let commandLockName = "lock"
  /// What `home` may hold when a crash came before the record was written.
  static let namesBeforeRecord: Set<String> = [commandLockName, recordName + ".partial"]

  /// Fixed: there is no TCP socket, so nothing can collide.
  static let port = 5432
  static let socketName = ".s.PGSQL.\(port)"
  static let socketLockName = socketName + ".lock"

  /// Bytes of a socket's path, without the final NUL. Source: `sun_path` in unix(7) and unix(4).
  #if os(Linux)
    static let longestSocketPath = 107
  #else
    static let longestSocketPath = 103
  #endif

  /// The places for a storage outside `home`, most preferred first. The name is derived from
  /// `home`, so that a removed record does not lose the data.
  static func storagesOutside(home: FilePath) -> [FilePath] {
    [FilePath("/var/lib/tsdb").appending(hash(home)), FilePath("/var/tmp/tsdb-0-\(hash(home))")]
  }

  /// The directories the socket may be in, most preferred first: the storage itself when clients
  /// can name it, else a short one.
  ///
  /// `/tmp` and not `XDG_RUNTIME_DIR`: that one vanishes when the user logs out, while the server
  /// goes on; and PostgreSQL touches its socket so that `/tmp` cleaners leave it alone.
  func socketDirectories(serverUser: UInt32, asRoot: Bool) -> [FilePath] {
    let own = storage.appending("s")
    let short = FilePath("/tmp/tsdb-\(serverUser)-\(Self.hash(home))")
    let elsewhere = asRoot ? [FilePath("/run/tsdb-\(Self.hash(home))"), short] : [short]
    return Self.isUsableForSocket(own) ? [own] + elsewhere : elsewhere
  }

  /// Whether every client can be given this directory as its host: short enough, and without a
  /// character that libpq (comma), the server's list syntax (quotes, comma) or a person's shell
  /// would read differently.
  static func isUsableForSocket(_ directory: FilePath) -> Bool {
    let text = directory.string
    let isPlain = text.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "/"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "@"):
        true
      default: false
      }
    }
    return isPlain && text.utf8.count + 1 + socketName.utf8.count <= longestSocketPath
  }

  /// FNV-1a, 64 bits, in 16 hexadecimal digits. It names, it does not protect: what is found under
  /// the name is checked for its owner.
  static func hash(_ path: FilePath) -> String {
    let value = path.string.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) {
      ($0 ^ UInt64($1)) &* 0x100_0000_01b3
    }
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
