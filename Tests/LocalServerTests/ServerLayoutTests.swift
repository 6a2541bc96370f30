import SystemPackage
import Testing

@testable import LocalServer

@Suite struct `The layout` {
  static func layout(_ home: String) -> ServerLayout {
    ServerLayout(home: FilePath(home), storage: FilePath(home))
  }

  @Test func `a plain short path has its socket inside`() {
    let found = Self.layout("/home/ana/shop/.tsdb/server").socketDirectories(serverUser: 1000, asRoot: false)
    #expect(found.first == "/home/ana/shop/.tsdb/server/s")
  }

  @Test func `a socket path of exactly the limit is inside, one byte more is not`() {
    // "/s/.s.PGSQL.5432" is 16 bytes.
    let fits = "/" + String(repeating: "a", count: ServerLayout.longestSocketPath - 17)
    #expect(Self.layout(fits).socketDirectories(serverUser: 1, asRoot: false).first == FilePath(fits + "/s"))
    let tooLong = Self.layout(fits + "b").socketDirectories(serverUser: 1, asRoot: false)
    #expect(tooLong.map(\.string).allSatisfy { $0.hasPrefix("/tmp/tsdb-1-") })
  }

  @Test(arguments: ["/a,b", "/a b", "/a'b", "/a\"b", "/a$b", "/año", "/a\\b", "/a;b"])
  func `a path that clients could misread has its socket elsewhere`(home: String) {
    let found = Self.layout(home).socketDirectories(serverUser: 1000, asRoot: true).map(\.string)
    #expect(found.count == 2)
    #expect(found[0].hasPrefix("/run/tsdb-"))
    #expect(found[1].hasPrefix("/tmp/tsdb-1000-"))
    #expect(found.allSatisfy { ServerLayout.isUsableForSocket(FilePath($0)) })
  }

  @Test func `other places differ for other homes and stay the same for one`() {
    let one = ServerLayout.storagesOutside(home: "/root/a/.tsdb/server")
    #expect(one == ServerLayout.storagesOutside(home: "/root/a/.tsdb/server"))
    #expect(one != ServerLayout.storagesOutside(home: "/root/b/.tsdb/server"))
    #expect(ServerLayout.hash("") == "cbf29ce484222325")
    #expect(ServerLayout.hash("/root").count == 16)
  }

  @Test(arguments: ["relative/dir", "/a\nb", "/a\u{1}b", ""])
  func `a directory that PostgreSQL's files cannot hold is refused`(directory: String) {
    let error = #expect(throws: LocalServerError.self) { try LocalServer(directory: FilePath(directory)) }
    #expect(error?.code == .unusableDirectory)
  }
}

@Suite struct `The record` {
  @Test(arguments: [
    ServerRecord(), ServerRecord(account: "postgres", binaries: "/usr/lib/postgresql/15/bin"),
    ServerRecord(storageOutside: "/var/lib/tsdb/0123", account: "nobody", binaries: "/a=b/bin"),
  ])
  func `is read back as written`(record: ServerRecord) {
    #expect(ServerRecord(text: record.text) == record)
  }

  @Test(arguments: [
    "", "storage=/etc\n", "tsdb private server 2\n", "tsdb private server 1\nstorage=etc\n", "{}",
  ])
  func `is not read from anything else`(text: String) {
    #expect(ServerRecord(text: text) == nil)
  }
}

@Suite struct `The connection settings` {
  @Test func `make a URL in which only plain characters stand unencoded`() {
    let settings = ConnectionSettings(
      socketDirectory: "/tmp/a b&c?d%e", port: 5432, user: "postgres", database: "ventas/ñ")
    #expect(
      settings.url
        == "postgresql:///ventas%2F%C3%B1?host=%2Ftmp%2Fa%20b%26c%3Fd%25e&port=5432&user=postgres")
  }
}

@Suite struct `The server account` {
  static let postgres = ServerAccount(name: "postgres", uid: 101, gid: 104)
  static let nobody = ServerAccount(name: "nobody", uid: 65534, gid: 65534)

  @Test func `is PostgreSQL's own where it exists, else nobody`() throws {
    let both = [Self.postgres, Self.nobody]
    #expect(try ServerAccount.unprivileged { name in both.first { $0.name == name } } == Self.postgres)
    #expect(try ServerAccount.unprivileged { $0 == "nobody" ? Self.nobody : nil } == Self.nobody)
  }

  @Test func `is never root, and none is made`() {
    for account in [nil, ServerAccount(name: "postgres", uid: 0, gid: 0)] {
      let error = #expect(throws: LocalServerError.self) { try ServerAccount.unprivileged { _ in account } }
      #expect(error?.code == .noAccount)
    }
  }

  @Test(arguments: [
    (0o700 as UInt32, 101 as UInt32, 0 as UInt32, true), (0o077, 101, 104, false), (0o710, 0, 104, true),
    (0o701, 0, 104, false), (0o711, 0, 0, true), (0o700, 0, 0, false), (0o750, 0, 0, false),
  ])
  func `passes a directory by the mode bits of its class`(
    mode: UInt32, owner: UInt32, group: UInt32, passes: Bool
  ) {
    #expect(Self.postgres.canTraverse(mode: mode, owner: owner, group: group) == passes)
  }
}
