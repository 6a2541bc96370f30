import Foundation
import Postgres
import TestSupport
import Testing

@Suite struct `COPY over an encrypted connection` {
  private static let openssl = "/usr/bin/openssl"

  @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: openssl), "openssl makes the certificate"))
  func `runs in both directions and stops when told`() async throws {
    try await PostgresCluster.with(.init(password: "s3cret")) { cluster in
      try await cluster.connect().run { connection in
        _ = try connection.execute(
          """
          copy (select) to program '\(Self.openssl) req -new -x509 -nodes -subj /CN=localhost \
          -out server.crt -keyout server.key 2>&1 && chmod 600 server.key'
          """)
      }
      do {
        try await cluster.connect().run { _ = try $0.execute("alter system set ssl = on") }
      } catch let error as PostgresError where error.sqlState == "22023" {
        // This server was built without TLS.
        return
      }
      try await cluster.reload()
      var settings = cluster.settings()
      settings["sslmode"] = "require"
      let connection = try await encrypted(settings)
      #expect(try connection.query("select ssl from pg_stat_ssl where pid = pg_backend_pid()").isTrue(0, 0))
      try check(connection)
    }
  }

  /// The server takes a moment to read its configuration again.
  private func encrypted(_ settings: ConnectionSettings) async throws -> Connection {
    for _ in 0..<200 {
      do { return try Connection(settings, applicationName: "tsdb tests") } catch {
        try await Task.sleep(for: .milliseconds(20))
      }
    }
    return try Connection(settings, applicationName: "tsdb tests")
  }

  private func check(_ connection: borrowing Connection) throws {
    struct Enough: Error {}
    try connection.execute("create table t (a int, b text)")
    let text = (1...300_000).map { "\($0)\trow \($0)\n" }.joined()
    let stored = try connection.copyIn([UInt8]("copy t from stdin".utf8)) { send in
      try [UInt8](text.utf8).withUnsafeBytes { try send($0) }
    }
    let copied = try connection.copied("copy t to stdout", by: .automatic)
    #expect(stored == 300_000 && copied.rows == 300_000 && copied.text == text)
    #expect(try connection.copied("copy (select repeat('x', 2000000)) to stdout", by: .automatic).parts == 1)
    #expect(throws: Enough.self) {
      _ = try connection.copyOut([UInt8]("copy (select generate_series(1, 1000000000)) to stdout".utf8)) {
        _, _ in
        throw Enough()
      }
    }
    let error = #expect(throws: PostgresError.self) {
      _ = try connection.copyIn([UInt8]("copy t from stdin".utf8)) { send in
        let rows = [UInt8]("1\tx\nno number\tx\n".utf8) + [UInt8](text.utf8)
        while true { try rows.withUnsafeBytes { try send($0) } }
      }
    }
    #expect(error?.context?.contains("COPY t, line 2") == true)
    let one = try connection.query("select 1").text(0, 0)
    #expect(one == "1")
  }
}
