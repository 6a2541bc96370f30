import SystemPackage
import Testing

@testable import LocalServer

@Suite struct `The postmaster's file` {
  @Test func `is read line by line`() throws {
    let text = "4711\n/srv/data\n1700000000\n5432\n/srv/s\n\n  123456   789\nready   \n"
    let file = try #require(PostmasterFile(text: text))
    #expect(file.pid == 4711)
    #expect(!file.isStandalone)
    #expect(file.dataDirectory == "/srv/data")
    #expect(file.startTime == 1_700_000_000)
    #expect(file.port == 5432)
    #expect(file.socketDirectory == "/srv/s")
    #expect(file.status == .ready)
  }

  @Test func `a starting server has no socket and no status yet`() throws {
    let file = try #require(PostmasterFile(text: "4711\n/srv/data\n1700000000\n5432\n\n"))
    #expect(file.socketDirectory == nil)
    #expect(file.status == nil)
  }

  @Test(arguments: [
    ("starting", PostmasterFile.Status.starting), ("stopping", .stopping), ("standby ", .standby),
  ])
  func `the status is padded`(word: String, status: PostmasterFile.Status) {
    #expect(PostmasterFile(text: "1\n/d\n1\n1\n/s\n\n1 1\n\(word)\n")?.status == status)
  }

  @Test func `a negative number belongs to a single-user server`() {
    let file = PostmasterFile(text: "-4711\n/srv/data\n")
    #expect(file?.pid == 4711)
    #expect(file?.isStandalone == true)
  }

  @Test(arguments: ["", "\n", "0\n", "abc\n", "-2147483648\n", "99999999999\n/d\n", " 12\n"])
  func `a torn file is no file`(text: String) {
    #expect(PostmasterFile(text: text) == nil)
  }
}
