import Foundation
import Postgres
import TestSupport
import Testing

/// A planted password must not be found anywhere but where it was planted.
@Suite struct `A password` {
  static let secret = "pl4nted-Secret!"
  static let escaped = "pl4nted-Secret%21"

  /// Where it is planted: arguments, environment and files.
  struct Place: CustomStringConvertible, Sendable {
    let description: String
    var arguments: [String] = []
    var environment: [String: String] = [:]
    var files: [String: String] = [:]
  }

  static func places(port: Int, secret: String, escaped: String) -> [Place] {
    let url = "postgresql://postgres:\(escaped)@127.0.0.1:\(port)/postgres"
    let plain = "postgresql://postgres@127.0.0.1:\(port)/postgres"
    return [
      Place(description: "in DATABASE_URL", environment: ["DATABASE_URL": url]),
      Place(description: "in --database-url", arguments: ["--database-url", url]),
      Place(description: "in --database-url=", arguments: ["--database-url=\(url)"]),
      Place(
        description: "in a keyword=value string",
        environment: [
          "DATABASE_URL": "host=127.0.0.1 port=\(port) user=postgres dbname=postgres password=\(secret)"
        ]),
      Place(
        description: "in url_file",
        files: ["tsdb.yaml": "database:\n  url_file: secret/url\n", "secret/url": url + "\n"]),
      Place(description: "in PGPASSWORD", environment: ["DATABASE_URL": plain, "PGPASSWORD": secret]),
      Place(
        description: "in .pgpass", environment: ["DATABASE_URL": plain],
        files: [".pgpass": "127.0.0.1:\(port):*:postgres:\(secret)\n"]),
      Place(
        description: "in a service file",
        environment: ["PGSERVICE": "app", "PGSERVICEFILE": "pg_service.conf"],
        files: [
          "pg_service.conf":
            "[app]\nhost=127.0.0.1\nport=\(port)\nuser=postgres\ndbname=postgres\npassword=\(secret)\n"
        ]),
    ]
  }

  private func project(_ place: Place) throws -> TestProject {
    let project = try TestProject(
      nil,
      [
        "a.sql":
          "-- tsdb: lock-timeout 1min\nselect pg_advisory_xact_lock(4242);\ncreate table if not exists a (i int primary key);",
        "a.down.sql": "drop table a;", "a.verify.sql": "select i from a;",
        "seeds/s.sql": "insert into a values (1) on conflict do nothing;",
      ])
    for (name, text) in place.files {
      try project.directory.write(name, text)
      try FileManager.default.setAttributes(
        [.posixPermissions: 0o600], ofItemAtPath: project.directory.path(name))
    }
    return project
  }

  private func expectNone(_ text: String, _ what: String, sourceLocation: SourceLocation = #_sourceLocation) {
    for form in [Self.secret, Self.escaped, "wrong-" + Self.secret, "pl4nted"] {
      #expect(!text.contains(form), "\(what): \(text.suffix(2000))", sourceLocation: sourceLocation)
    }
  }

  @Test func `is nowhere to be seen, right or wrong`() async throws {
    try await PostgresCluster.with(.init(password: Self.secret)) { cluster in
      for place in Self.places(port: cluster.port, secret: Self.secret, escaped: Self.escaped) {
        try await runEverything(place, on: cluster)
      }
      let wrong = Self.places(
        port: cluster.port, secret: "wrong-" + Self.secret, escaped: "wrong-" + Self.escaped)
      for place in wrong {
        let project = try project(place)
        for line in ["migrate up --verbose", "migrate status --json"] {
          let result = try await project.tsdb(
            place.arguments + line.split(separator: " ").map(String.init), environment: place.environment)
          result.expect(1, "password authentication failed")
          expectNone(result.description, "\(place), wrong, \(line)")
        }
      }
      expectNone(cluster.log(), "server log")
      #expect(cluster.log().contains("create table if not exists a"), "the log shows statements")
    }
  }

  private func runEverything(_ place: Place, on cluster: PostgresCluster) async throws {
    let project = try project(place)
    let holder = cluster.connect()
    try await holder.run { _ = try $0.execute("select pg_advisory_lock(4242)") }
    let up = try ToolRun.start(
      place.arguments + ["migrate", "up", "--verbose"], environment: project.environment(place.environment),
      directory: project.directory.path)
    try await up.waitForOutput("a:2: select")
    let commandLine = try String(contentsOfFile: "/proc/\(up.pid)/cmdline", encoding: .utf8)
    #expect(commandLine.contains("migrate"), "still running")
    expectNone(commandLine, "\(place): command line")
    expectNone(
      try await cluster.value("select string_agg(a::text, ' ') from pg_stat_activity a"), "\(place): activity"
    )
    try await holder.run { _ = try $0.execute("select pg_advisory_unlock(4242)") }
    let result = try await up.finish()
    result.expect(0, "ok a")
    expectNone(result.description, "\(place): output")
    let warns = result.standardError.contains("warning: the argument --database-url holds a password")
    #expect(warns == !place.arguments.isEmpty)
    for line in [
      "migrate status --json", "migrate verify", "seed --verbose", "migrate accept a --json",
      "migrate down --yes --json", "migrate status",
    ] {
      let result = try await project.tsdb(
        place.arguments + line.split(separator: " ").map(String.init), environment: place.environment)
      #expect(result.exitStatus == 0, "\(result)")
      expectNone(result.description, "\(place), \(line)")
    }
    let tables = try await cluster.connect().run {
      try $0.query("select format('%I.%I', schemaname, tablename) from pg_tables where schemaname = 'tsdb'")
        .rows().map { $0[0] ?? "" }
    }
    #expect(tables.count >= 6)
    for table in tables {
      expectNone(
        try await cluster.value("select coalesce(string_agg(t::text, ' '), '') from \(table) t"),
        "\(place): \(table)")
    }
  }

  @Test(arguments: [
    "postgresql://u:pl4nted@x@127.0.0.1:1/d", "postgresql://u:pl4nted/x@127.0.0.1:1/d",
    "postgresql://u:1/pl4nted@127.0.0.1:1/d",
    "\"postgresql://u:pl4nted@127.0.0.1:1/d\"", "'postgresql://u:pl4nted@127.0.0.1:1/d'",
    "postgres//u:pl4nted@127.0.0.1:1/d",
    "mysql://u:pl4nted@127.0.0.1:1/d", "postgresql://u:pl4nted%zz@127.0.0.1:1/d",
    "postgresql://u:x@127.0.0.1:pl4nted/d",
    "postgresql://u:x@127.0.0.1:1/d?pl4nted", "postgresql://u:x@127.0.0.1:1/d?pl4nted=1",
    "postgresql://u:pl4nted@[::1/d",
    "postgresql://u:pl4nted@127.0.0.1:1:2/d", "password=pl4nted nonsense", "password='pl4nted", "pl4nted",
    "u:pl4nted@h",
    "postgresql://u:pl4nted @127.0.0.1:1/d", "postgresql://u:pl4nted%00@127.0.0.1:1/d",
    "postgresql://u:x#pl4nted@127.0.0.1:1/d",
    "postgresql://127.0.0.1:1/d?password=pl4nted&pass word=x", "host=127.0.0.1 port=1 password=\"pl4nted x\"",
    "jdbc:postgresql://127.0.0.1:1/d?user=u&password=pl4nted",
    "postgresql+psycopg2://u:pl4nted@127.0.0.1:1/d?sslmode=require",
    "postgresql://u:pl4nted?x@127.0.0.1:1/d", "postgresql://u:\"pl4nted@127.0.0.1:1/d",
  ])
  func `in a malformed URL is not echoed`(_ url: String) async throws {
    for source in ["variable", "option", "file"] {
      let project = try TestProject(nil, ["a.sql": "select 1;"])
      if source == "file" {
        try project.write("tsdb.yaml", "database:\n  url_file: url\n")
        try project.directory.write("url", url)
      }
      let result = try await project.tsdb(
        ["migrate", "up", "--json"] + (source == "option" ? ["--database-url", url] : []),
        environment: source == "variable" ? ["DATABASE_URL": url] : [:])
      #expect([64, 75].contains(result.exitStatus), "\(result)")
      expectNone(result.description, source)
      #expect(!result.description.contains("u:x"))
    }
  }

  @Test(arguments: [
    ["migrate", "up", "postgresql://u:pl4nted@127.0.0.1:1/d"],
    ["postgresql://u:pl4nted@127.0.0.1:1/d", "migrate", "up"],
    ["migrate", "up", "--database-urll=postgresql://u:pl4nted@127.0.0.1:1/d"],
    ["migrate", "up", "host=127.0.0.1 password=pl4nted"],
    ["migrate", "verify", "--name", "postgresql://u:pl4nted@127.0.0.1:1/d"],
    ["migrate", "up", "-C", "postgresql://u:pl4nted@127.0.0.1:1/d"],
  ])
  func `in a URL in the wrong place is not echoed`(_ arguments: [String]) async throws {
    try await withProject(["a.sql": "select 1;"]) { project, _ in
      for more in [[], ["--json"]] {
        let result = try await project.tsdb(arguments + more)
        result.expect(64)
        expectNone(result.description, arguments.joined(separator: " "))
      }
    }
  }

  @Test func `file that is empty, missing or a directory is named`() async throws {
    let project = try TestProject(
      nil, ["a.sql": "select 1;", "tsdb.yaml": "database:\n  url_file: secret/url\n"])
    try await project.tsdb("migrate up").expect(
      64, "the file \"secret/url\" named by database.url_file cannot be read or is empty", "chmod 600")
    try project.directory.write("secret/url", "\n\n")
    try await project.tsdb("migrate up").expect(64, "cannot be read or is empty")
  }
}
