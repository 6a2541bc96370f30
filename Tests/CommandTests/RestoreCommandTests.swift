import Foundation
import Postgres
import TestSupport
import Testing

/// `tsdb restore` from end to end.
@Suite struct `the restore command` {
  private static let content = """
    create table notes (id integer primary key, body text);
    insert into notes select n, 'note ' || n from generate_series(1, 2000) n;
    create index notes_body on notes (body);
    """

  private func databases(_ database: TestDatabase) async throws -> [String] {
    try await database.cluster.connect().run { [name = database.name] connection in
      try connection.query(
        "select datname from pg_database where starts_with(datname, $1) order by 1", [name + "_"]
      ).rows().compactMap { $0[0] }
    }
  }

  private func drop(_ names: [String], _ database: TestDatabase) async throws {
    try await database.cluster.connect().run { connection in
      for name in names {
        _ = try connection.execute("drop database if exists \(Quoting.identifier(name)) with (force)")
      }
    }
  }

  @Test func `restores beside the live database, and says how to swap it in`() async throws {
    try await withProject { project, database in
      try await database.execute(Self.content)
      try await project.done("backup --label before")
      try await database.execute("delete from notes")
      let text = try await project.done("restore before")
      let names = try await databases(database)
      let name = try #require(names.first)
      #expect(names.count == 1 && name.hasPrefix("\(database.name)_restore_"))
      #expect(text.contains("every row was read again and is equal"))
      #expect(text.contains("swap it in with: tsdb restore --swap-in \(name)"))
      let count = try await database.cluster.connect(database: name).run {
        try $0.query("select count(*) from notes").text(0, 0)
      }
      #expect(count == "2000")
      let live = try await database.value("select count(*) from notes")
      #expect(live == "0")
      try await drop(names, database)
    }
  }

  @Test func `swaps only when told, says what is lost, and can go back`() async throws {
    try await withProject { project, database in
      try await database.execute(Self.content)
      try await project.done("backup")
      try await database.execute("update notes set body = 'changed'")
      let refused = try await project.tsdb("restore latest --swap")
      #expect(refused.exitStatus == 64)
      #expect(refused.standardError.contains("needs to be confirmed"))
      #expect(refused.standardError.contains("Nothing was changed."))
      var names = try await databases(database)
      #expect(names == [])

      let swapped = try await project.tsdb("restore latest --swap --yes")
      #expect(swapped.exitStatus == 0, "\(swapped)")
      #expect(swapped.standardError.contains("all writes of the last "))
      var body = try await database.reconnected().value("select max(body) from notes")
      #expect(body == "note 999")
      try await project.done("restore --undo --yes")
      body = try await database.reconnected().value("select max(body) from notes")
      #expect(body == "changed")
      names = try await databases(database)
      #expect(names.count == 1)
      try await drop(names, database)
    }
  }

  @Test func `tells programs the phases, and what would be done`() async throws {
    try await withProject { project, database in
      try await database.execute(Self.content)
      try await project.done("backup")
      let dry = try await project.done("restore latest --into \(database.name)_x --dry-run")
      #expect(dry.contains("would restore"))
      let names = try await databases(database)
      #expect(names == [])
      let output = try await project.done("restore latest --into \(database.name)_x --json")
      let lines = try output.split(separator: "\n").map { line in
        try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
      }
      let result = try #require(lines.last?["restore"] as? [String: Any])
      #expect(result["rows"] as? Int == 2000)
      #expect(result["checked"] as? String == "content")
      let phases = try #require(result["phases"] as? [[String: Any]]).compactMap { $0["phase"] as? String }
      #expect(
        phases == [
          "verify", "preflight", "create", "pre-data", "data", "post-data", "analyze", "check", "finish",
        ])
      try await drop(["\(database.name)_x"], database)
    }
  }

  @Test(arguments: [
    "restore", "restore latest --swap --into x", "restore latest --data-only",
    "restore latest --swap --table t",
    "restore --undo --jobs 2", "restore latest --schema-only --data-only", "restore latest --table a.b.c",
    "restore latest --jobs 0", "restore latest --check some", "restore latest --jobs two",
    "restore latest --grace 5s --swap", "restore latest --grace soon --swap", "restore latest --grace 1s",
    "restore --list-old --grace 1s", "restore latest --force", "restore --undo --force",
    "restore --undo --repository x", "restore --list-old x", "restore latest --swap-in x",
    "restore --undo --drop-old",
  ])
  func `refuses what makes no sense`(line: String) async throws {
    try await withProject { project, database in
      let result = try await project.tsdb(line)
      #expect(result.exitStatus == 64 && result.standardError.contains("Usage: tsdb restore"), "\(result)")
      let names = try await databases(database)
      #expect(names == [])
    }
  }

  @Test func `that is interrupted drops what it made; that is killed leaves it to the next`() async throws {
    // A server of its own: on a shared one another test's restore may drop what this one left.
    try await PostgresCluster.with { cluster in
      try await withProject(on: cluster) { project, database in
        // Whether a row takes its time is said by the role's setting, so that the signals always meet the data.
        try await database.execute(
          Self.content
            + """
            create function public.takes_its_time() returns boolean language plpgsql as $$
            begin
              if current_setting('tests.slow', true) = 'on' then perform pg_sleep(0.01); end if;
              return true;
            end $$;
            create table big as select n, repeat(md5(n::text), 20) from generate_series(1, 20000) n;
            alter table big add constraint big_slow check (public.takes_its_time());
            """)
        try await project.done("backup")
        try await database.execute("alter role postgres set tests.slow = 'on'")
        let name = "\(database.name)_x"
        func start() throws -> ToolRun {
          try ToolRun.start(
            ["restore", "latest", "--into", name, "--json"], environment: project.environment(),
            directory: project.directory.path)
        }
        let interrupted = try start()
        try await interrupted.waitForOutput("\"phase\":\"data\"")
        interrupted.send(signal: SIGINT)
        let result = try await interrupted.finish()
        #expect(result.exitStatus == 130, "\(result)")
        #expect(result.standardError.contains("The new database was dropped; nothing else was changed."))
        var names = try await databases(database)
        #expect(names == [])

        let killed = try start()
        try await killed.waitForOutput("\"phase\":\"data\"")
        killed.send(signal: SIGKILL)
        _ = try await killed.finish()
        names = try await databases(database)
        #expect(names == [name])
        let other = "\(database.name)_y"
        // The server notices the death when the COPY of the killed process ends.
        try await Task.sleep(for: .milliseconds(500))
        try await database.execute("alter role postgres reset tests.slow")
        let next = try await project.tsdb("restore latest --into \(other)")
        #expect(next.exitStatus == 0, "\(next)")
        #expect(next.standardOutput.contains("dropped \"\(name)\", left by an interrupted restore"))
        names = try await databases(database)
        #expect(names == [other])
        try await drop(names, database)
      }
    }
  }

  @Test func `takes no empty names`() async throws {
    let project = try TestProject(nil)
    // Before any server is asked: there is none, and none is made.
    for arguments in [["latest", "--into", ""], [""], ["--swap-in", ""], ["--undo", ""]] {
      try await project.tsdb(["restore"] + arguments).expect(64, "Usage: tsdb restore")
    }
    #expect(!FileManager.default.fileExists(atPath: project.directory.path(".tsdb")))
  }

  @Test func `names the backups that a word could mean, and one that is not there`() async throws {
    try await withProject { project, _ in
      try await project.done("backup --label before --repository elsewhere")
      try await project.done("backup --label before --to elsewhere")
      let there = "--repository ./elsewhere --dry-run"
      try await project.tsdb("restore before \(there)").expect(
        64, "\"before\" is the label of 2 backups", "hint: name the one that is meant by its id")
      try await project.tsdb("restore 2 \(there)").expect(
        64, "\"2\" is the beginning of 2 backups", "hint: write more of it")
      try await project.tsdb("restore nothing-like-it \(there)").expect(
        64, "there is no backup \"nothing-like-it\" in ", "hint: \"tsdb backup list\"")
      #expect(try await project.done("restore latest \(there)").contains("would restore"))
      try await project.tsdb("restore latest --dry-run").expect(
        64, "there is no repository ", "--repository, backup.repository")
    }
  }

  @Test func `takes pg_dump's archives by their path`() async throws {
    try await withProject { project, database in
      try await database.execute(Self.content)
      for format in ["-Fd", "-Fc"] {
        let path = project.directory.path("archive\(format)")
        let dump = try ToolRun(
          executable: database.cluster.executable("pg_dump"), [format, "-f", path],
          environment: database.settings.toolEnvironment)
        let dumped = try await dump.finish()
        #expect(dumped.exitStatus == 0, "\(dumped)")
        let text = try await project.done("restore ./archive\(format) --into \(database.name)_x --jobs 2")
        #expect(text.contains("1 table, 2000 rows"))
        try await drop(["\(database.name)_x"], database)
      }
      let schema = try await project.done("restore ./archive-Fd --into \(database.name)_x --schema-only")
      #expect(schema.contains("0 tables, 0 rows, 0 B; there were no rows to compare"))
      try await drop(["\(database.name)_x"], database)
      let missing = try await project.tsdb("restore ./nothing --into \(database.name)_x")
      #expect(missing.exitStatus == 1, "\(missing)")
      #expect(missing.standardError.contains("does not exist"))
    }
  }
}
