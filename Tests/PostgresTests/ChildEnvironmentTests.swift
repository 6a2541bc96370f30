import Foundation
import TestSupport
import Testing

@testable import Postgres

@Suite struct `The environment of a child` {
  @Test func `leads pg_dump to the same server, with the password in no argument`() async throws {
    let password = "p4ss'w=\\ord ñ"
    try await PostgresCluster.with(.init(password: password)) { cluster in
      let database = "odd 'name' \\=1"
      try await cluster.connect().run { connection in
        _ = try connection.execute("create database \(Quoting.identifier(database))")
      }
      try await cluster.connect(database: database).run { _ = try $0.execute("create table t_here (a int)") }
      let settings = try Connection(cluster.settings(database: database), applicationName: "test")
        .narrowed(cluster.settings(database: database))
      let string = try settings.childConnectionString()
      #expect(!string.contains("p4ss") && !string.contains(password))
      let result = try await ToolRun(
        executable: cluster.executable("pg_dump"), ["--schema-only", "--no-password", "--dbname", string],
        environment: try childVariables(settings)
      ).finish()
      #expect(result.exitStatus == 0 && result.standardOutput.contains("t_here"), "\(result)")

      var wrong = settings
      wrong["password"] = "wr0ng"
      let refused = try await ToolRun(
        executable: cluster.executable("pg_dump"), ["--schema-only", "--no-password", "--dbname", string],
        environment: try childVariables(wrong)
      ).finish()
      #expect(refused.exitStatus == 1, "\(refused)")
    }
  }

  @Test func `has every parameter once: in a variable where there is one, in the string else`() throws {
    let settings = try ConnectionSettings(
      parsing: """
        host=a,b port=1,2 user=ana password=s3cret dbname='it''s' sslmode=require connect_timeout=3 \
        options='-c search_path=x' keepalives_idle=7 tcp_user_timeout=9 channel_binding=disable \
        sslpassword=k3y application_name=me client_encoding=LATIN1 target_session_attrs=any
        """.replacing("it''s", with: "it\\'s"))
    let variables = try childVariables(settings)
    let expected = [
      "PGHOST": "a,b", "PGPORT": "1,2", "PGUSER": "ana", "PGPASSWORD": "s3cret", "PGDATABASE": "it's",
      "PGSSLMODE": "require", "PGCONNECT_TIMEOUT": "3", "PGOPTIONS": "-c search_path=x",
      "PGCHANNELBINDING": "disable", "PGAPPNAME": "me", "PGTARGETSESSIONATTRS": "any",
    ]
    for (name, value) in expected { #expect(variables[name] == value, "\(name)") }
    #expect(variables["PGCLIENTENCODING"] == nil)
    let string = try settings.childConnectionString()
    #expect(string == "dbname='it\\'s' keepalives_idle='7' tcp_user_timeout='9'")
    #expect(try ConnectionSettings(parsing: string)["dbname"] == "it's")
  }

  /// In a process of its own, this program again: other tests read the environment at the same time. (An
  /// exit test would wait for ever beside the servers that other tests have killed.)
  @Test func `settings win over variables of this process, and both over a service`() async throws {
    let directory = try TemporaryDirectory()
    try directory.write(
      "services",
      """
      [shop]
      host=service-host
      port=7777
      user=service-user
      keepalives_idle=5
      password=service-secret

      """)
    let result = try await ToolRun(
      executable: try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"),
      ["--testing-library", "swift-testing", "--filter", "under variables of a process"],
      environment: [
        Self.marker: "1", "PGSERVICEFILE": directory.path("services"), "PGHOST": "variable-host",
        "PGUSER": "variable-user", "PGSSLMODE": "disable", "HOME": directory.path, "PATH": "/usr/bin:/bin",
      ]
    ).finish()
    #expect(result.exitStatus == 0 && "\(result)".contains("with 1 test"), "\(result)")
  }

  private static let marker = "TSDB_TEST_CHILD_ENVIRONMENT"

  @Test(.enabled(if: ProcessInfo.processInfo.environment[marker] != nil))
  func `under variables of a process`() throws {
    let plain = try childVariables(ConnectionSettings(parsing: "host=setting-host"))
    #expect(plain["PGHOST"] == "setting-host" && plain["PGUSER"] == "variable-user")
    #expect(plain["PGSSLMODE"] == "disable")

    let settings = try ConnectionSettings(parsing: "service=shop host=setting-host password=mine")
    let variables = try childVariables(settings)
    #expect(variables["PGHOST"] == "setting-host" && variables["PGPASSWORD"] == "mine")
    #expect(variables["PGPORT"] == "7777" && variables["PGUSER"] == "service-user")
    #expect(variables["PGSSLMODE"] == "disable" && variables["PGSERVICE"] == nil)
    #expect(try settings.childConnectionString().contains("keepalives_idle='5'"))

    let unknown = #expect(throws: PostgresError.self) {
      try ConnectionSettings(parsing: "service=nowhere password=s3cret").childEnvironment()
    }
    #expect(unknown?.origin == .client && unknown?.message.contains("nowhere") == true)
    #expect(unknown?.message.contains("s3cret") == false)
  }
}

private func childVariables(_ settings: ConnectionSettings) throws -> [String: String] {
  let pairs = try settings.childEnvironment().map { $0.split(separator: "=", maxSplits: 1).map(String.init) }
  return Dictionary(uniqueKeysWithValues: pairs.map { ($0[0], $0.count > 1 ? $0[1] : "") })
}
