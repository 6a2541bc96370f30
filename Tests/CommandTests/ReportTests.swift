import Foundation
import Postgres
import TestSupport
import Testing

/// What a deployment records in the database.
private let deploymentsTable = """
  create table tsdb.deployments (id text primary key, started_at timestamptz, ended_at timestamptz, state text,
    detail jsonb);
  """

/// `tsdb report` and `tsdb status` on real servers.
@Suite struct `tsdb report` {
  @Test func `says in both languages what is there, what ran, and what did not`() async throws {
    try await withProject { project, database in
      try await project.makeReportable(database, isProven: true)
      try project.write("./list.md", "## Deployment\n- [ ] Índices creados\n- [ ] never heard of\n")
      _ = try await project.tsdb("checklist run list.md --evidence e.jsonl")
      let english = try await project.report("--evidence e.jsonl", environment: ["LANG": "en_US.UTF-8"])
      try english.expectSound(language: "en")
      let spanish = try await project.report("--evidence e.jsonl", environment: ["LC_ALL": "es_ES.UTF-8"])
      try spanish.expectSound(language: "es")
      try await project.report("--lang es", environment: ["LANG": "C"]).expectSound(language: "es")

      #expect(try english.texts("//h1") == [database.name])
      #expect(try english.text(of: "checklist").contains("✓proved"))
      #expect(try english.text(of: "checklist").contains("·unbound"))
      #expect(try spanish.text(of: "checklist").contains("sin vincular"))
      #expect(try english.text(of: "migrations").contains("support_webhooks_schema✓applied"))
      #expect(try spanish.text(of: "migrations").contains("support_webhooks_schema✓aplicada"))
      #expect(try english.text(of: "backups").contains("✓proven"))
      #expect(try english.nodes("//svg[@class='timeline']//circle").count >= 1)
      #expect(try english.nodes("//svg[@class='timeline']//path[@class='mark proof']").count == 1)
      // The stretch that is missing, in the table of missing runs.
      let missing = try english.texts("//section[@id='jobs']//tr[count(td)=3][th='refresh-views']/td[1]")
      #expect(missing == ["6"])
      #expect(try spanish.text(of: "jobs").contains("Ejecuciones que faltan"))
      #expect(try english.text(of: "views").contains("public.mv_top_problems"))
      #expect(try english.text(of: "retention").contains("support_troubleshooting_cache"))
      #expect(try english.text(of: "tables").contains("The 20 largest of "))
      #expect(try english.text(of: "tables").contains("public.support_troubleshooting_audit_log"))
      #expect(try english.text(of: "indexes").contains("No index is invalid."))
      #expect(try english.text(of: "wraparound").contains(database.name))
      #expect(try english.text(of: "health").contains("wraparound"))
    }
  }

  @Test func `puts the verdict first, with the three most important things to do`() async throws {
    try await withProject { project, database in
      try await project.makeReportable(database, isProven: true)
      try await database.execute(
        """
        create table busy (id int generated always as identity, a int);
        select setval('busy_id_seq', 2100000000);
        create index on busy (a); create index on busy (a);
        """)
      let page = try await project.report("--lang en")
      #expect(try page.nodes("//main/section[1][@id='verdict']").count == 1)
      #expect(try page.nodes("//section[@id='verdict']//ol/li").count == 3)
      let first = try page.texts("//section[@id='verdict']//ol/li[1]").joined()
      #expect(first.contains("Widen the columns") && first.contains("alter table"), "\(first)")
      let status = try await project.tsdb("status --json").json()
      let verdict = try #require(status["verdict"] as? [String: Any])
      #expect(verdict["status"] as? String == "critical")
      let next = try #require(verdict["next"] as? [[String: Any]])
      #expect(next.first?["reason"] as? String == "sequences" && next.count == 3)
      let text = try await project.done("status")
      #expect(text.hasPrefix("critical: \(database.name) on "), "\(text)")
      #expect((8...20).contains(text.split(separator: "\n").count), "\(text)")
      #expect(text.contains("alter table") && text.contains("migrations   attention  5 applied, "))
    }
  }

  private static let names = [
    "<script>alert('x')</script>", "\" onmouseover=\"x", "a & b &amp; c", "</svg></table><b>bold</b>",
    "turned\u{202E}round", "two\nlines", "<!--", "]]>", "'; drop table x; --",
  ]

  /// Plants a name wherever a report shows one.
  private func plant(_ name: String, _ project: TestProject, _ database: TestDatabase) async throws {
    let quoted = Quoting.identifier(name)
    try await database.execute(
      """
      create table \(quoted) (\(quoted) int generated always as identity, b int);
      insert into \(quoted) (b) select generate_series(1, 30000);
      create index \(Quoting.identifier(name + " one")) on \(quoted) (b);
      create index \(Quoting.identifier(name + " two")) on \(quoted) (b);
      """)
    for statement in [
      """
      insert into tsdb.job_runs (job, kind, started_at, ended_at, outcome, reason, triggered_by, tool_version)
      values ($1, $1, now(), now(), 'failed', $1, $1, $1) returning id
      """,
      "insert into tsdb.migration_log (action, name, reason, tool_version) values ($1, $1, $1, $1) returning id",
      "insert into tsdb.deployments values ($1, now(), now(), $1, '{}') returning id",
    ] {
      _ = try await database.rows(statement, [name])
    }
    _ = try await project.tsdb(["backup", "--label", name])
  }

  private func expectText(_ page: ReportDocument) throws {
    #expect(try page.nodes("//b").isEmpty && page.nodes("//comment()").isEmpty)
    #expect(page.html.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"))
    let tables = try page.texts("//section[@id='tables']//span[@class='name']")
    for name in Self.names where !name.contains("\u{202E}") && !name.contains("\n") {
      let label = "public.\(Quoting.identifier(name))"
      #expect(tables.contains(label), "\(label) of \(tables)")
    }
    #expect(tables.contains("public.\"turned‹U+202E›round\""))
  }

  @Test func `shows a name as text, whatever it holds`() async throws {
    try await withProject { project, database in
      try await project.makeReportable(database)
      try await database.execute(deploymentsTable)
      for name in Self.names { try await plant(name, project, database) }
      try project.write("./list.md", "## Deployment\n- [ ] <script>alert(1)</script> & \u{202E}x\n")
      _ = try await project.tsdb("checklist run list.md --evidence e.jsonl")
      for language in ["en", "es"] {
        let page = try await project.report("--evidence e.jsonl --lang \(language)")
        try page.expectSound(language: language)
        try expectText(page)
      }
      let status = try await project.tsdb("status --json --evidence e.jsonl")
      #expect(try status.json()["format"] as? Int == 1)
      #expect(!status.standardOutput.unicodeScalars.contains("\u{202E}"))
      let text = try await project.tsdb("status --evidence e.jsonl")
      #expect(!text.standardOutput.unicodeScalars.contains("\u{202E}"))
    }
  }

  @Test func `holds no password, no webhook's secret and no address`() async throws {
    let secret = "pl4nted-Secret"
    try await PostgresCluster.with(.init(password: secret)) { cluster in
      try await withProject(on: cluster) { project, database in
        let environment = [
          "TSDB_WEBHOOK_SECRET": "pl4nted-hook", "TSDB_PING_URL": "https://ping.test/pl4nted",
        ]
        try await project.makeReportable(database)
        try await database.execute(
          """
          insert into public.support_webhooks (webhook_id, url, secret, events)
          values ('w', 'https://u:pl4nted@hooks.test/services/pl4nted?token=pl4nted', 'pl4nted-hook', '["session.started"]');
          insert into tsdb.job_runs (job, kind, started_at, ended_at, outcome, reason, triggered_by, tool_version)
          values ('check', 'check', now(), now(), 'failed',
            'ana.ruiz@example.test: \(secret) pl4nted-hook https://u:pl4nted@hooks.test/services/pl4nted?token=pl4nted',
            'hand', '0.1.0');
          insert into tsdb.migration_log (action, name, reason, tool_version)
          values ('accepted', 'x', 'asked by ana.ruiz@example.test, see https://wiki.test/x?key=pl4nted', '0.1.0');
          """)
        try project.write(
          "./list.md", "## Deployment\n- [ ] mail ana.ruiz@example.test https://hooks.test/pl4nted?pl4nted\n")
        _ = try await project.tsdb("checklist run list.md --evidence e.jsonl", environment: environment)
        var outputs: [String] = []
        for line in [
          "report --html - --lang en", "report --html - --lang es", "report --json", "status",
          "status --json",
        ] {
          let result = try await project.tsdb(line + " --evidence e.jsonl", environment: environment)
          #expect(result.exitStatus == 0, "\(result)")
          outputs.append(result.description)
        }
        for output in outputs {
          #expect(!output.contains("pl4nted"), "\(context(of: "pl4nted", in: output))")
          #expect(!output.contains("ruiz"), "\(context(of: "ruiz", in: output))")
        }
        #expect(outputs[0].contains("hooks.test"), "what is not secret stays")
      }
    }
  }

  private func context(of word: String, in text: String) -> String {
    guard let range = text.firstRange(of: word) else { return "" }
    return String(text[..<range.lowerBound].suffix(200)) + String(text[range.lowerBound...].prefix(100))
  }

  @Test func `stays below a megabyte with thousands of tables and runs, and says what it leaves out`()
    async throws
  {
    try await withProject { project, database in
      try await project.makeReportable(database)
      let name = String(repeating: "<", count: 50)
      try await database.execute(
        """
        do $$ begin for i in 1..2000 loop
          execute format('create table %I (a int generated always as identity)', '\(name)' || i);
          execute format('create index %I on %I (a)', 'x\(name)' || i, '\(name)' || i);
          execute format('create index %I on %I (a)', 'y\(name)' || i, '\(name)' || i);
          if i % 200 = 0 then commit; end if;
        end loop; end $$;
        """)
      try await database.execute(
        """
        insert into tsdb.job_runs (job, kind, slot, started_at, ended_at, outcome, reason, triggered_by, tool_version)
        select 'check', 'check', null, now() - i * interval '3 min', now(), 'failed', repeat('"', 900) || i, 'cron', '0.1.0'
        from generate_series(1, 5000) as i
        """)
      for language in ["en", "es"] {
        let page = try await project.report("--lang \(language)")
        try page.expectSound(language: language)
        let more = language == "en" ? "more are left out here." : "Aquí se omiten"
        #expect(try page.text(of: "indexes").contains(more))
        #expect(try page.text(of: "jobs").contains(more))
        #expect(
          try page.text(of: "tables").contains(
            language == "en" ? "The 20 largest of 20" : "Las 20 más grandes de 20"))
      }
      let status = try await project.tsdb("status --json")
      #expect(status.standardOutput.utf8.count < 1_000_000)
    }
  }
}

@Suite struct `tsdb status` {
  @Test func `is one document with its format, the same for both commands, and writes nothing`() async throws
  {
    try await withProject { project, database in
      try await project.makeReportable(database)
      let results = try await database.expectUnchanged {
        [try await project.tsdb("status --json"), try await project.tsdb("report --json")]
      }
      let (status, report) = (try results[0].json(), try results[1].json())
      #expect(status["format"] as? Int == 1)
      #expect(Set(status.keys) == Set(report.keys))
      for part in [
        "checks", "checklist", "deployments", "migrations", "backups", "jobs", "views", "retention", "tables",
        "sequences", "indexes", "wraparound", "verdict", "server", "time", "time_zone", "tool",
      ] {
        #expect(status[part] != nil, "\(part)")
      }
      let jobs = try #require((status["jobs"] as? [String: Any])?["value"] as? [String: Any])
      let missing = try #require((jobs["missing"] as? [String: Any])?["rows"] as? [[String: Any]])
      #expect(
        missing.contains { $0["job"] as? String == "refresh-views" && $0["count"] as? Int == 6 }, "\(missing)"
      )
      #expect((status["deployments"] as? [String: Any])?["state"] as? String == "absent")
      #expect((status["checklist"] as? [String: Any])?["state"] as? String == "absent")
    }
  }

  @Test func `ends with 2 only where it is asked to and not all is good`() async throws {
    try await withProject { project, database in
      try await database.execute("create table a (i int)")
      #expect(try await project.tsdb("status").exitStatus == 0)
      #expect(try await project.tsdb("status --check").exitStatus == 2)
      let quiet = try await project.tsdb("status --check --quiet")
      #expect(quiet.exitStatus == 2 && quiet.standardOutput.split(separator: "\n").count == 1, "\(quiet)")
      #expect(try await project.tsdb("report --html r.html --check").exitStatus == 2)
      #expect(FileManager.default.fileExists(atPath: project.directory.path("r.html")))
    }
  }

  @Test func `names the GRANT for what the role may not see, and sees it after that`() async throws {
    try await withProject { project, database in
      try await project.makeReportable(database, isProven: true)
      try await database.execute(
        deploymentsTable + "insert into tsdb.deployments values ('d1', now(), now(), 'done', '{}')")
      let role = "\(database.name)_plain"
      try await database.execute("create role \(role) login")
      let there = ["DATABASE_URL": database.cluster.url(database: database.name, user: role)]
      let parts = ["migrations", "jobs", "deployments", "sequences"]
      let hidden = try await project.tsdb("status --json", environment: there)
      #expect(hidden.exitStatus == 0, "\(hidden)")
      let before = try hidden.json()
      for part in ["migrations", "jobs", "deployments"] {
        let value = before[part] as? [String: Any]
        #expect(value?["state"] as? String == "unknown", "\(part): \(value ?? [:])")
        #expect((value?["remedy"] as? String)?.hasPrefix("grant ") == true, "\(part): \(value ?? [:])")
      }
      let page = try await project.report("--lang en", environment: there)
      try page.expectSound(language: "en")
      for section in ["migrations", "jobs", "deployment", "backups", "views", "retention", "sequences"] {
        let text = try page.text(of: section)
        #expect(text.contains("grant ") && text.contains(role), "\(section): \(text)")
      }
      // What it names is enough.
      let grants = Set(try page.texts("//pre/code | //code").filter { $0.hasPrefix("grant ") })
      for grant in grants { try await database.execute(grant) }
      let after = try await project.tsdb("status --json", environment: there).json()
      for part in parts {
        #expect((after[part] as? [String: Any])?["state"] as? String == "known", "\(part) after \(grants)")
      }
      let seen = try await project.report("--lang en", environment: there)
      #expect(try seen.texts("//code").filter { $0.hasPrefix("grant ") } == [])
      try await database.execute("drop owned by \(role); drop role \(role)")
    }
  }

  @Test func `ends with 75 where the server is away, and leaves an old page alone`() async throws {
    let project = try TestProject(nil)
    try project.write("./report.html", "old")
    let away = ["DATABASE_URL": "postgresql://u:pl4nted@127.0.0.1:1/x"]
    for line in ["status", "status --json", "report --html report.html"] {
      let result = try await project.tsdb(line, environment: away)
      result.expect(75, "cannot connect")
      #expect(!result.description.contains("pl4nted"))
    }
    #expect(try String(contentsOfFile: project.directory.path("report.html"), encoding: .utf8) == "old")
    let local = try await project.tsdb("status")
    local.expect(75, "the private server is not running")
    #expect(!FileManager.default.fileExists(atPath: project.directory.path(".tsdb")))
  }

  @Test(arguments: [("022", 0o644), ("027", 0o640), ("077", 0o600)])
  func `is readable by whom the umask lets`(umask: String, mode: Int) async throws {
    try await withProject { project, database in
      try await database.execute("create table one (i int)")
      let running = try ToolRun(
        executable: "/bin/sh",
        ["-c", "umask \(umask); exec \"$0\" report --html page.html", try ToolRun.toolPath()],
        environment: ToolRun.searchPaths.merging(project.environment()) { $1 },
        directory: project.directory.path(""))
      try await running.finish().expect(0)
      let facts = try FileManager.default.attributesOfItem(atPath: project.directory.path("page.html"))
      #expect(facts[.posixPermissions] as? Int == mode)
      let page = try String(contentsOfFile: project.directory.path("page.html"), encoding: .utf8)
      #expect(page.contains("The 1 largest of 1 table<"))
    }
  }

  @Test func `refuses what it cannot use`() async throws {
    try await withProject { project, database in
      try await database.execute("create table a (i int)")
      try await project.tsdb("report").expect(64, "where to write is missing: --html FILE")
      try await project.tsdb("report --html - --json").expect(64, "standard output takes one of the two")
      try await project.tsdb("report --html x --lang fr").expect(64, "lang")
      try await project.tsdb("report --html no/such/x.html")
        .expect(1, "no/such/x.html\": No such file or directory", "hint: make the directory")
      try await project.tsdb("status --evidence none.jsonl").expect(64, "\"none.jsonl\" cannot be read")
      try project.write("./list.md", "## Deployment\n- [ ] one\n- [ ] two\n")
      _ = try await project.tsdb("checklist run list.md --evidence e.jsonl")
      let path = project.directory.path("e.jsonl")
      let text = try String(contentsOfFile: path, encoding: .utf8)
      try text.replacing("unbound", with: "proved", maxReplacements: 1).write(
        toFile: path, atomically: true, encoding: .utf8)
      let broken = try await project.tsdb("status --evidence e.jsonl --json").json()
      let checklist = broken["checklist"] as? [String: Any]
      #expect(checklist?["state"] as? String == "unknown")
      #expect((checklist?["reason"] as? String)?.contains("the evidence is broken at line") == true)
      // Of another database it says nothing of this one.
      try text.write(toFile: path, atomically: true, encoding: .utf8)
      try await withDatabase { other in
        let there = ["DATABASE_URL": other.url]
        let status = try await project.tsdb("status --evidence e.jsonl", environment: there)
        #expect(status.standardOutput.contains("the evidence is of another database"), "\(status)")
      }
    }
  }

  @Test func `takes the newest evidence of the project's deployments`() async throws {
    try await withProject { project, database in
      try await database.execute("create table a (i int)")
      try project.write("./list.md", "## Deployment\n- [ ] one\n- [ ] two\n")
      try FileManager.default.createDirectory(
        atPath: project.directory.path(".tsdb/deployments/d1"), withIntermediateDirectories: true)
      _ = try await project.tsdb("checklist run list.md --evidence .tsdb/deployments/d1/checklist.jsonl")
      let status = try await project.done("status")
      #expect(status.contains("2 unbound"), "\(status)")
    }
  }
}
