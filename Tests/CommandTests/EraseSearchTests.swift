import Foundation
import Postgres
import TestSupport
import Testing

/// Spellings and types in which an address hides, and sessions that come in during an erasure.
@Suite struct `Erasing an address, where it hides` {
  static let address = `Erasing an address`.address

  private func run(_ line: String, _ database: TestDatabase) async throws -> ToolRun.Result {
    try await ToolRun.tsdb(
      line.split(separator: " ").map(String.init) + ["-C", `Erasing an address`.root],
      environment: ["DATABASE_URL": database.url, "TSDB_ERASURE_KEY": `Erasing an address`.key],
      input: Self.address)
  }

  private func withSchema(_ body: (TestDatabase) async throws -> Void) async throws {
    try await withDatabase { database in
      try await run("migrate up", database).expect(0)
      try await body(database)
    }
  }

  @Test(arguments: [
    "ana.lopez%2Bx%40customers.example", "ana.lopez%2bx%40customers.example",
    "ANA.Lopez+x%40Customers.example", "ana.lopez%2Bx@customers.example",
    "ana%2Elopez%252Bx%2540customers%2Eexample", "%20ana.lopez%2Bx%40customers.example%0A",
  ])
  func `percent-encoded, it is the customer's own as when it is plain`(spelling: String) async throws {
    try await withSchema { database in
      try await database.execute(
        """
        insert into support_troubleshooting_sessions (session_id, customer_email, customer_name, problem_description, metadata)
        values ('mine', '\(spelling)', 'Secreta', 'mine', '{}'), ('other', 'b\(spelling)', 'Other', 'kept', '{}'),
          ('mention', 'bob@customers.example', 'Bob',
            'see https://x.example/?q=1&email=\(spelling)&next=a%3D\(spelling)%20b, or <\(spelling)>.',
            '{"url": "https://x.example/?email=\(spelling)", "lines": "a\\n\(spelling)"}');
        insert into support_troubleshooting_attempts (session_id, step_number, success, notes)
        values ('mine', 1, true, 'Secreta said so'), ('other', 1, true, 'kept');
        insert into support_troubleshooting_rate_limits (identifier, limit_type) values ('\(spelling)', 'x')
        """)
      let result = try await run("erase --email-file - --yes", database)
      result.expect(0)
      #expect(
        try await database.value(
          """
          select count(*) from (select t::text from support_troubleshooting_sessions as t where session_id <> 'other'
            union all select t::text from support_troubleshooting_attempts as t where session_id <> 'other'
            union all select t::text from support_troubleshooting_audit_log as t where record_id <> 'other'
            union all select t::text from support_troubleshooting_rate_limits as t) as rows (r)
          where r ~* 'lopez|secreta'
          """) == "0")
      let mention = try await database.rows(
        "select problem_description, metadata::text from support_troubleshooting_sessions where session_id = 'mention'"
      )[0].map { $0 ?? "" }
      for part in ["&email=erased-", "a%3Derased-", "@erased.invalid&next"] {
        #expect(
          mention[0].replacing("%20erased", with: "erased").replacing("%0A", with: "").contains(part),
          "\(mention)")
      }
      #expect(mention[1].contains("@erased.invalid") && mention[1].contains(#"a\n"#), "\(mention)")
      let other = try await database.rows(
        "select customer_email, customer_name, problem_description from support_troubleshooting_sessions where session_id = 'other'"
      )
      #expect(other == [["b\(spelling)", "Other", "kept"]])
      #expect(
        try await database.value(
          "select notes from support_troubleshooting_attempts where session_id = 'other'")
          == "kept")
    }
  }

  /// Others' addresses that hold the letters of this one.
  static let alike = [
    "b%61na.lopez%2Bx%40customers.example", "b%2Eana.lopez%2Bx%40customers.example",
    "b%2Bana.lopez%2Bx%40customers.example", "%C3%B1ana.lopez%2Bx%40customers.example",
    "b%252Dana.lopez%2Bx%40customers.example", "ana.lopez%2Bx%40customers.example.mx",
    "ana.lopez%2Bx%40customers.example%2Emx", "ana.lopez%2Bx%40customers.example%2Dmx",
    "ana.lopez%2Bx%40customers.examples", "ana.lopez%2Bx%40customers.example%73",
    "anaxlopez%2Bx%40customers.example", "ana.lopez%20x%40customers.example",
    "ana.lopez%2Bx%41customers.example",
  ]

  @Test func `percent-encoded addresses that contain it are other people's`() async throws {
    try await withSchema { database in
      for (number, other) in Self.alike.enumerated() {
        try await database.execute(
          """
          insert into support_troubleshooting_sessions (session_id, customer_email, customer_name, problem_description)
          values ('s\(number)', '\(other)', 'Name', 'see ?email=\(other)&x, \(other) or <\(other)>')
          """)
      }
      try await database.expectUnchanged {
        let result = try await run("erase --email-file - --yes", database)
        result.expect(0)
        #expect(result.standardOutput.contains("in none of the application's tables"), "\(result)")
      }
      // In an address of its own, a quote is a name's.
      try await database.execute(
        """
        insert into support_troubleshooting_sessions (session_id, customer_email, customer_name, problem_description)
        values ('o', 'o%27ana.lopez%2Bx%40customers.example', 'Name', 'kept')
        """)
      try await run("erase --email-file - --yes", database).expect(0)
      #expect(
        try await database.rows(
          "select customer_email, customer_name, problem_description from support_troubleshooting_sessions where session_id = 'o'"
        ) == [["o%27ana.lopez%2Bx%40customers.example", "Name", "kept"]])
    }
  }

  @Test func `records, lists and bytes are searched, and what cannot be is told, with status 2`() async throws
  {
    try await withSchema { database in
      try await database.execute(
        """
        create type person as (name text, email text, seen int);
        create domain contact as person;
        create domain raw as bytea;
        create type blob as (id int, data raw);
        create table contacts (id int, who person, more contact[], mark int4range);
        insert into contacts values (1, row('Ana', '\(Self.address)', 1), null, null),
          (2, null, array[row('x', 'line' || chr(10) || '\(Self.address)', 2)::contact], null);
        create table files (data raw, pieces bytea[], packed blob, mail varchar(200)[]);
        create table nothing (packed blob, data bytea);
        insert into files values (convert_to('{"to":"ANA.lopez+x@customers.example"}', 'UTF8'), null, null, null),
          ('\\x00', array['\\xff', convert_to('?to=ana.lopez%2Bx%40customers.example', 'UTF8')], null, null),
          (convert_to('bana.lopez+x@customers.example', 'UTF8'), null, row(1, 'x')::blob, null);
        """)
      let result = try await run("erase --email-file - --yes", database)
      #expect(result.exitStatus == 2, "\(result)")
      for line in [
        "left: public.contacts.who: 1 row;", "left: public.contacts.more: 1 row;",
        "left: public.files.data: 1 row; bytes are not changed",
        "left: public.files.pieces: 1 row; bytes are not changed",
        "not searched: public.files.packed: its records hold bytes",
      ] { #expect(result.standardOutput.contains(line), "\(line) \(result)") }
      for text in ["nothing", "mark", "large objects"] {
        #expect(!result.standardOutput.contains(text), "\(result)")
      }
    }
  }

  @Test func `large objects and foreign tables are told where there are any`() async throws {
    try await withSchema { database in
      try await run("erase --email-file - --dry-run", database).expect(0)
      try await database.execute("select lo_from_bytea(0, convert_to('\(Self.address)', 'UTF8'))")
      let first = try await run("erase --email-file - --yes", database)
      #expect(first.exitStatus == 2, "\(first)")
      #expect(first.standardOutput.contains("not searched: large objects: there is 1"), "\(first)")
      try await database.execute(
        """
        select lo_unlink(oid) from pg_largeobject_metadata;
        create foreign data wrapper nowhere;
        create server elsewhere foreign data wrapper nowhere;
        create foreign table numbers (n int) server elsewhere;
        create foreign table partners (name text) server elsewhere
        """)
      let second = try await run("erase --email-file - --yes --json", database)
      #expect(second.exitStatus == 2, "\(second)")
      #expect(
        try second.json()["unsearched"] as? [[String: String]]
          == [["relation": "public.partners", "reason": "its rows are on another server"]], "\(second)")
    }
  }

  /// The other session comes in after the customer's sessions were listed and before the first statement.
  @Test func `a session that comes in meanwhile is erased with all of its rows`() async throws {
    try await withSchema { database in
      try await database.execute(
        """
        insert into support_troubleshooting_sessions (session_id, customer_email, problem_description)
        values ('first', '\(Self.address)', 'x')
        """)
      let others = database.connect()
      // Who lists sessions passes, who changes them waits.
      try await others.run {
        _ = try $0.execute("begin; lock table support_troubleshooting_sessions in share mode")
      }
      let running = try ToolRun.start(
        ["erase", "--email-file", "-", "--yes", "--lock-timeout", "30s", "-C", `Erasing an address`.root],
        environment: ["DATABASE_URL": database.url, "TSDB_ERASURE_KEY": `Erasing an address`.key],
        input: Self.address)
      try await `Erasing an address`().waitForLock(database)
      try await others.run {
        _ = try $0.execute(
          """
          insert into support_troubleshooting_sessions (session_id, customer_email, customer_name, problem_description)
          values ('meanwhile', '\(Self.address)', 'Secret name', 'Secret problem');
          insert into support_troubleshooting_attempts (session_id, step_number, success, notes)
          values ('meanwhile', 1, true, 'Secret notes');
          insert into support_troubleshooting_learning (session_id, problem_description, actual_problem_id, corrected_by)
          values ('meanwhile', 'Secret problem', 'p', 'agent');
          insert into support_troubleshooting_errors (error_type, error_message, severity, category, session_id)
          values ('E', 'Secret message', 'low', 'unknown', 'meanwhile');
          commit
          """)
      }
      let result = try await running.finish()
      result.expect(0)
      for table in ["sessions", "attempts", "learning", "errors", "audit_log"] {
        #expect(
          try await database.value(
            "select count(*) from support_troubleshooting_\(table) as t where t::text ~* 'secret|lopez'")
            == "0", "\(table)")
      }
      #expect(result.standardOutput.contains("support_troubleshooting_sessions: 2 rows"), "\(result)")
      #expect(
        try await database.value(
          "select count(distinct customer_email) from support_troubleshooting_sessions") == "1")
    }
  }

  @Test func `what a trigger writes again undoes everything`() async throws {
    try await withSchema { database in
      try await database.execute(
        """
        insert into support_troubleshooting_sessions (session_id, customer_email, problem_description)
        values ('first', '\(Self.address)', 'x');
        create function again() returns trigger language plpgsql as $$
          begin new.problem_description := 'write to ana.lopez+x@customers.example'; return new; end $$;
        create trigger again before update on support_troubleshooting_sessions for each row execute function again()
        """)
      try await database.expectUnchanged {
        try await run("erase --email-file - --yes", database).expect(1, "after 5 rounds")
      }
    }
  }
}
