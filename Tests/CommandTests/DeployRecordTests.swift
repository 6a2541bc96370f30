import Foundation
import Postgres
import TestSupport
import Testing

/// What a deployment records, skips, schedules and keeps to itself.
@Suite struct `A deployment` {
  @Test func `whose end the database did not get is told to it by the next one`() async throws {
    try await withProject(deployedFiles) { project, database in
      try await project.tsdb("deploy").expect(0)
      // As where the server was away at that moment.
      try await database.execute("update tsdb.deployments set state = 'running', ended_at = null")
      try await project.tsdb("deploy").expect(0)
      let rows = try await database.value(
        "select string_agg(state, ',') || count(ended_at) from tsdb.deployments")
      #expect(rows == "deployed,deployed2")
    }
  }

  @Test func `records why steps are left out, and says that it has no way back`() async throws {
    try await withProject(deployedFiles) { project, _ in
      let result = try await project.tsdb([
        "deploy", "--skip", "backup", "--because", "the storage took one", "--skip", "seed", "--because",
        "no rows of ours",
      ])
      result.expect(0, "warning: this deployment has no way back")
      let record = try project.deployment()
      #expect(record.step("backup")?["because"] as? String == "the storage took one")
      #expect(record.step("seed")?["because"] as? String == "no rows of ours")
      #expect(record.outcome("prove") == "skipped")
      #expect(record["backup"] == nil && project.backups().isEmpty)
      #expect(result.standardOutput.contains("way back:  none"), "\(result)")
    }
  }

  @Test func `says one of each as one, and is for its owner alone, as its way back is`() async throws {
    try await withProject([
      "one.sql": "create table one (i int primary key);\ncreate materialized view two as select i from one;\n"
        + "create unique index on two (i);",
      "one.verify.sql": "select i from one;",
      "seeds/first.sql": "insert into one values (1) on conflict do nothing;",
    ]) { project, _ in
      // The one table is that of the deployments themselves.
      try project.write(
        "./list.md",
        "## Deployment\n- [ ] tls <!-- tsdb: connection.tls -->\n\n## Rollback\n"
          + "- [ ] tls <!-- tsdb: connection.tls -->\n")
      try project.write("tsdb.yaml", "deploy:\n  checklist: list.md\n")
      let deployed = try await project.tsdb("deploy")
      deployed.expect(0)
      let rolledBack = try await project.tsdb("rollback --yes")
      rolledBack.expect(0)
      for text in ["1 row of 1 table into", "checklist: 1 not applicable"] {
        #expect(rolledBack.standardOutput.contains(text), "no \(text) in \(rolledBack)")
      }
      for text in [
        ": 1 table, 1 row\n", ": 1 table, 1 row restored", "first: 1 row\n", "1 materialized view: ",
        "1 verify script passed", " 2 not applicable\n",
      ] { #expect(deployed.standardOutput.contains(text), "no \(text) in \(deployed)") }
      let id = try #require(try project.deployment()["id"] as? String)
      let directory = project.directory.path(".tsdb/deployments/\(id)")
      let names = try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
      #expect(
        names == ["checklist.md", "evidence-1.jsonl", "record.json", "report.html", "rollback-1.jsonl"])
      for name in names {
        let facts = try FileManager.default.attributesOfItem(atPath: directory + "/" + name)
        #expect(facts[.posixPermissions] as? Int == 0o600, "\(name)")
      }
    }
  }

  @Test func `that failed before the database is given up with --fresh`() async throws {
    try await withProject(deployedFiles) { project, database in
      try project.write("four.sql", "-- tsdb: requires nosuch\nselect 1;")
      try await project.tsdb("deploy").expect(1, "nosuch")
      try project.write("four.sql", "-- tsdb: requires three\nselect 1;")
      try await project.tsdb("deploy --fresh").expect(0, "given up: ")
      #expect(try project.deployments().map(\.state) == ["abandoned", "deployed"])
    }
  }

  @Test func `that has applied nothing does not go back by itself, for writes would be lost`() async throws {
    try await withProject(deployedFiles) { project, database in
      try await project.tsdb("deploy --skip prove --because quick").expect(0)
      try project.write("six.sql", "-- tsdb: requires five\nselect 1/0;")
      let failed = try await project.tsdb("deploy --auto-rollback --skip prove --because quick")
      failed.expect(
        1, "failed at the step \"migrate\"", "nothing to go back from",
        "Of this deployment no migration is applied.")
      #expect(try project.deployments().last?.state == "failed")
      #expect(
        try await database.cluster.value(
          "select count(*) from pg_database where datname like '\(database.name)%'") == "1")
    }
  }

  /// Rows of the seed are changes to go back from; a seed that inserted nothing is none.
  @Test(arguments: [true, false])
  func `that fails after its seed goes back by itself if the seed inserted anything`(inserts: Bool)
    async throws
  {
    try await withProject(deployedFiles) { project, database in
      try await project.tsdb("deploy --skip prove --because quick").expect(0)
      if inserts {
        try project.write("seeds/second.sql", "insert into one values (2, 'second') on conflict do nothing;")
      }
      try project.write("one.verify.sql", "select nosuch from one;")
      let failed = try await project.tsdb("deploy --auto-rollback --skip prove --because quick")
      failed.expect(
        1, "failed at the step \"verify\"", inserts ? "rolled back by itself" : "nothing to go back from")
      #expect(try project.deployments().last?.state == (inserts ? "rolled-back" : "failed"))
      let rows = try await database.cluster.connect(database: database.name).run {
        try $0.query("select count(*) from one").text(0, 0)
      }
      #expect(rows == "1")
      if inserts { try await project.tsdb("restore --drop-old --yes").expect(0) }
    }
  }

  @Test func `without a backup does not try to go back by itself`() async throws {
    try await withProject(deployedFiles) { project, _ in
      try project.write("four.sql", "-- tsdb: requires three\nselect 1/0;")
      let failed = try await project.tsdb("deploy --auto-rollback --skip backup --because quick")
      failed.expect(1, "failed at the step \"migrate\"")
      #expect(!"\(failed)".lowercased().contains("going back"), "\(failed)")
      #expect(try project.deployment().state == "failed")
    }
  }

  /// As where the project's directory has moved.
  @Test func `whose record came along from another machine is continued in this one's name`() async throws {
    try await withProject(deployedFiles) { project, _ in
      try project.write("four.sql", "-- tsdb: requires three\nselect 1/0;")
      try await project.tsdb("deploy --skip prove --because quick").expect(1)
      var record = try project.deployment()
      record["host"] = "elsewhere.example"
      let id = try #require(record["id"] as? String)
      try project.write(
        ".tsdb/deployments/\(id)/record.json",
        String(decoding: try JSONSerialization.data(withJSONObject: record), as: UTF8.self))
      try project.write("four.sql", "-- tsdb: requires three\nselect 1;")
      try await project.tsdb("deploy").expect(0, "continuing ")
      let host = try project.deployment()["host"] as? String
      #expect(host != nil && host != "elsewhere.example")
    }
  }

  @Test func `is told as JSON, line by line, with the result last`() async throws {
    try await withProject(deployedFiles) { project, database in
      let result = try await project.tsdb("deploy --json")
      result.expect(0)
      let lines = try result.standardOutput.split(separator: "\n").map { line in
        try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any], "\(line)")
      }
      #expect(lines.first?["event"] as? String == "began" && lines.last?["event"] as? String == "finished")
      let ended = lines.filter { $0["event"] as? String == "step" && $0["outcome"] as? String == "done" }
      #expect(ended.count == 8, "\(ended)")
      let record = try #require(lines.last?["record"] as? [String: Any])
      #expect(record.state == "deployed" && record["database"] as? String == database.name)
      #expect(lines.last?["has_way_back"] as? Bool == true)

      try project.write("six.sql", "-- tsdb: requires five\nselect 1/0;")
      let failed = try await project.tsdb("deploy --json --skip prove --because quick")
      let last = try failed.standardOutput.split(separator: "\n").suffix(2).map { line in
        try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
      }
      #expect((last[0]["record"] as? [String: Any])?.state == "failed")
      #expect((last[1]["error"] as? [String: Any])?["status"] as? Int == 1)
    }
  }

  @Test func `ends with findings where an item of the configured checklist fails`() async throws {
    try await withProject(deployedFiles) { project, _ in
      try project.write("tsdb.yaml", "deploy:\n  checklist: list.md\n  prove: false\n")
      try project.write("./list.md", deployChecklist)
      let result = try await project.tsdb("deploy")
      #expect(result.exitStatus == 2, "\(result)")
      #expect(result.standardOutput.contains("deployed, with findings"), "\(result)")
      let record = try project.deployment()
      #expect(record.state == "deployed" && record.outcome("prove") == "skipped")
      #expect((record.step("report")?["findings"] as? [String])?.count == 2, "\(record)")
    }
  }

  @Test func `installs the schedule, runs maintenance once, and is not scheduled twice`() async throws {
    try await withProject(deployedFiles) { project, database in
      try project.write(
        "tsdb.yaml",
        "database:\n  url_file: url\ndeploy:\n  schedule: cron\n  schedule_wait: 0\n  prove: false\n")
      try project.write("./url", database.url + "\n")
      try project.write(
        "bin/crontab",
        "#!/bin/sh\nif [ \"$1\" = -l ]; then cat \"$HOME/crontab\" 2>/dev/null || { echo no crontab for me >&2; exit 1; }; else cat > \"$HOME/crontab\"; fi\n"
      )
      try FileManager.default.setAttributes(
        [.posixPermissions: 0o755], ofItemAtPath: project.directory.path("bin/crontab"))
      let path = project.directory.path("bin") + ":" + (ToolRun.searchPaths["PATH"] ?? "/usr/bin:/bin")
      let environment = ["DATABASE_URL": "", "PATH": path]
      let result = try await project.tsdb("deploy", environment: environment)
      result.expect(0)
      let crontab = try String(contentsOfFile: project.directory.path("crontab"), encoding: .utf8)
      #expect(crontab.contains("maintain --quiet") && !crontab.contains(database.url), "\(crontab)")
      let record = try project.deployment()
      #expect((record.step("schedule")?["summary"] as? String)?.contains("backup ok") == true, "\(record)")
      #expect(
        try await database.value(
          "select count(*) from tsdb.job_runs where job = 'analyze' and outcome = 'ok'") == "1")

      let second = try await project.tsdb("deploy --schedule none", environment: environment)
      second.expect(0, "skipped  schedule")
      try await project.tsdb("deploy", environment: environment).expect(0)
      #expect(try String(contentsOfFile: project.directory.path("crontab"), encoding: .utf8) == crontab)
    }
  }

  @Test func `refuses in its preflight what could not be scheduled`() async throws {
    try await withProject(deployedFiles) { project, database in
      let result = try await database.expectUnchanged { try await project.tsdb("deploy --schedule cron") }
      result.expect(1, "failed at the step \"preflight\"", "what is installed would not find the database")
    }
  }

  @Test func `keeps secrets and addresses to itself`() async throws {
    let (password, address, secret) = ("pl4nted-Secret", "planted.person@example.com", "whsec_planted_42")
    try await withProject { project, database in
      try project.copyApplication()
      try project.write("./list.md", "## Deployment\n- [ ] a person's <!-- tsdb: attest -->\n")
      try await project.tsdb("deploy --skip prove --because quick --checklist list.md").expect(0)
      try await database.execute(
        """
        insert into public.support_troubleshooting_sessions (session_id, customer_email, problem_description)
        values ('planted', '\(address)', 'mail me at \(address)');
        insert into public.support_webhooks (webhook_id, url, events, secret)
        values ('planted', 'https://example.org/', '["session_started"]', '\(secret)')
        """)
      try project.write(
        "worse.sql",
        """
        -- tsdb: requires support_troubleshooting_performance_schema
        alter table public.support_webhooks add constraint planted_check check (length(secret) < 3);
        """)
      try project.write(
        "again.sql",
        """
        -- tsdb: requires support_troubleshooting_performance_schema
        create unique index on public.support_troubleshooting_sessions ((customer_email || 'x'));
        insert into public.support_troubleshooting_sessions (session_id, customer_email, problem_description)
          select 'other', customer_email, '' from public.support_troubleshooting_sessions where session_id = 'planted';
        """)
      try project.write("./list.md", deployChecklist)
      let url = database.url + (database.url.contains("?") ? "&" : "?") + "password=\(password)"
      var said = ""
      for name in ["again.sql", "worse.sql", ""] {
        let result = try await project.tsdb(
          "deploy --checklist list.md", environment: ["DATABASE_URL": url, "PGPASSWORD": password])
        said += "\(result)"
        #expect(name.isEmpty || result.exitStatus == 1, "\(result)")
        if !name.isEmpty { try project.remove(name) }
      }
      #expect(try project.deployments().last?.state == "deployed")
      let written = try await project.allWritten(database)
      #expect(written.utf8.count > 10_000)
      for planted in [password, address, secret] {
        #expect(!said.contains(planted), "\(planted) in the output: \(said)")
        #expect(!written.contains(planted), "\(planted) in what was written")
      }
    }
  }

  @Test(arguments: [
    ("chcklist: list.md", "unknown key \"deploy.chcklist\"", "did you mean \"deploy.checklist\"?"),
    ("schedule: daily", "\"deploy.schedule\" cannot take this value", "cron, systemd, pg-cron or none"),
    ("prove: maybe", "\"deploy.prove\" cannot take this value", "true or false"),
    ("report_language: fr", "\"deploy.report_language\" cannot take this value", "es or en"),
  ])
  func `is configured by keys that are checked`(_ line: String, _ message: String, _ hint: String)
    async throws
  {
    let project = try TestProject(nil, ["a.sql": "select 1;", "tsdb.yaml": "deploy:\n  \(line)\n"])
    try await project.tsdb("migrate status").expect(64, message, hint)
  }
}
