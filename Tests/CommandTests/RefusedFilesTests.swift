import Foundation
import TestSupport
import Testing

/// Files that `migrate up` must refuse, and what it must say.
struct RefusedFiles: CustomStringConvertible, Sendable {
  let description: String
  let files: [(name: String, text: String)]
  let texts: [String]
  var status: Int32 = 64

  init(_ description: String, _ files: [(String, String)], status: Int32 = 64, _ texts: String...) {
    self.description = description
    self.files = files
    self.texts = texts
    self.status = status
  }

  static let all = directives + requirements + names + syntax + transactions + concurrently

  static let directives = [
    RefusedFiles(
      "unknown directive", [("a.sql", "-- a comment\n\n-- tsdb: requries b\nselect 1;")],
      "error: unknown directive \"requries\"", "--> migrations/a.sql:3:1", "| -- tsdb: requries b\n   | ^",
      "hint: did you mean \"requires\"?"),
    RefusedFiles(
      "unknown directive like nothing known", [("a.sql", "--tsdb: frobnicate\nselect 1;")],
      "unknown directive \"frobnicate\"", "hint: known directives: version, requires"),
    RefusedFiles(
      "directive after the first statement", [("a.sql", "select 1;\n  -- tsdb: version 2\n")],
      "a directive stands after the first statement", "--> migrations/a.sql:2:3",
      "move it to the comment block"),
    RefusedFiles(
      "empty directive", [("a.sql", "-- tsdb:\nselect 1;")], "the directive is empty", "a.sql:1:1"),
    RefusedFiles(
      "directive given twice", [("a.sql", "-- tsdb: version 1\n-- TSDB: version 2\nselect 1;")],
      "directive \"version\" is given twice", "a.sql:2:1"),
    RefusedFiles(
      "duration without a unit", [("a.sql", "-- tsdb: lock-timeout 2\nselect 1;")],
      "directive \"lock-timeout\" takes a duration", "a.sql:1:1", "write a number with ms, s, min or h"),
    RefusedFiles(
      "transaction maybe", [("a.sql", "-- tsdb: transaction maybe\nselect 1;")],
      "directive \"transaction\" takes \"on\" or \"off\"", "a.sql:1:1"),
    RefusedFiles(
      "directive behind a block comment",
      [("a.sql", "/* licence\n   /* nested */ */\n-- tsdb: nope\nselect 1;")],
      "unknown directive \"nope\"", "a.sql:3:1"),
  ]

  static let requirements = [
    RefusedFiles(
      "missing requirement",
      [
        ("a.sql", "create table a (i int);"), ("ticket_notes.sql", "-- tsdb: requires a ticket\nselect 1;"),
        ("tickets.sql", "select 1;"),
      ],
      "error: \"ticket_notes\" requires \"ticket\", which does not exist",
      "--> migrations/ticket_notes.sql:1:21",
      "   | -- tsdb: requires a ticket\n   |                     ^", "hint: did you mean \"tickets\"?"),
    RefusedFiles(
      "circular requirement",
      [
        ("a.sql", "-- tsdb: requires c\nselect 1;"), ("b.sql", "-- tsdb: requires a\nselect 1;"),
        ("c.sql", "-- tsdb: requires b\nselect 1;"), ("d.sql", "-- tsdb: requires a\nselect 1;"),
      ],
      "the requirements form a cycle: a -> c -> b -> a", "--> migrations/a.sql:1:19"),
    RefusedFiles(
      "a file that requires itself", [("a.sql", "-- tsdb: requires a\nselect 1;")],
      "form a cycle: a -> a", "a.sql:1:19"),
    RefusedFiles(
      "use of another file's table",
      [
        ("a_tickets.sql", "create table tickets (id int primary key);"),
        ("b_notes.sql", "-- notes\n\ncreate table notes (ticket int references tickets);"),
      ],
      "error: \"b_notes\" uses tickets of \"a_tickets\" without requiring it",
      "--> migrations/b_notes.sql:3:1",
      "add this line at the top of migrations/b_notes.sql:", "-- tsdb: requires a_tickets"),
    RefusedFiles(
      "use of a table from a file whose name has a space",
      [("a 1.sql", "create table t (i int);"), ("b.sql", "create view v as select * from t;")],
      "-- tsdb: requires \"a 1\""),
    RefusedFiles(
      "use of another file's function in a view",
      [
        ("z_functions.sql", "create function app.f() returns int language sql return 1;"),
        ("a_view.sql", "create view v as select app.f() as i;"),
      ],
      "\"a_view\" uses app.f of \"z_functions\" without requiring it", "a_view.sql:1:1"),
  ]

  static let names = [
    RefusedFiles(
      "two files of one name in subdirectories", [("x/a.sql", "select 1;"), ("y/a.sql", "select 2;")],
      "two migration files have the name \"a.sql\"", "migrations/x/a.sql and migrations/y/a.sql"),
    RefusedFiles(
      "two names that differ in case", [("Init.sql", "select 1;"), ("init.sql", "select 2;")],
      "two migration files have the name", "migrations/Init.sql and migrations/init.sql"),
    RefusedFiles(
      "an orphan down script", [("tickets.sql", "select 1;"), ("ticket.down.sql", "select 1;")],
      "migrations/ticket.down.sql belongs to no migration", "There is no ticket.sql",
      "did you mean \"tickets\"?"),
    RefusedFiles(
      "an orphan verify script", [("a.sql", "select 1;"), ("zzzzzzz.verify.sql", "select 1;")],
      "migrations/zzzzzzz.verify.sql belongs to no migration", "rename or remove it"),
    RefusedFiles(
      "two down scripts of one name",
      [("a.sql", "select 1;"), ("x/a.down.sql", "select 1;"), ("y/a.down.sql", "select 1;")],
      "two migration files have the name \"a.down.sql\""),
    RefusedFiles(
      "a suffix in capitals", [("a.sql", "select 1;"), ("b.SQL", "select 1;")],
      "migrations/b.SQL would be left out: its name does not end in .sql", "hint: rename it"),
  ]

  static let syntax = [
    RefusedFiles("an empty file", [("a.sql", "")], "the file has no statements", "a.sql:1:1"),
    RefusedFiles("only comments", [("a.sql", "-- nothing\n/* here */\n")], "the file has no statements"),
    RefusedFiles("only semicolons", [("a.sql", ";;\n;")], "the file has no statements"),
    RefusedFiles(
      "an unbalanced quote", [("a.sql", "select 1;\nselect 'it, 2;\nselect 3;\n")],
      "unterminated quoted string", "--> migrations/a.sql:2:8", "   | select 'it, 2;\n   |        ^"),
    RefusedFiles(
      "an unbalanced dollar quote",
      [
        (
          "a.sql",
          "create function f() returns int language plpgsql as $body$\nbegin return 1; end;\n$Body$;\n"
        )
      ],
      "unterminated dollar-quoted string", "a.sql:1:53", "also in case"),
    RefusedFiles(
      "an unterminated comment", [("a.sql", "select 1;\n  /* a /* b */\nselect 2;")],
      "unterminated /* comment", "a.sql:2:3", "Comments nest"),
    RefusedFiles(
      "an unterminated identifier", [("a.sql", "select 1 as \"x;\n")], "unterminated quoted identifier",
      "a.sql:1:13"),
    RefusedFiles(
      "a psql command", [("a.sql", "select 1;\n\\i other.sql\n")],
      "psql command \"\\i\" is not SQL", "a.sql:2:1", "   | \\i other.sql\n   | ^",
      "declare it with \"requires\""),
    RefusedFiles(
      "a psql variable setting", [("a.sql", "\\set ON_ERROR_STOP on\nselect 1;")],
      "psql command \"\\set\" is not SQL", "a.sql:1:1"),
    RefusedFiles(
      "copy from stdin", [("a.sql", "create table t (i int);\ncopy t from stdin;\n1\n2\n\\.\n")],
      "copy from stdin works only in psql", "a.sql:2:1", "write the rows as an insert statement"),
  ]

  static let transactions =
    [
      ("COMMIT", "create table t (i int);\n  commit;\n", "COMMIT is not allowed in a migration", "a.sql:2:3"),
      (
        "ROLLBACK", "create table t (i int);\nrollback;\n", "ROLLBACK is not allowed in a migration",
        "a.sql:2:1"
      ),
      ("SAVEPOINT", "create table t (i int);\nsavepoint s;\n", "SAVEPOINT is not allowed", "a.sql:2:1"),
      ("BEGIN alone", "begin;\ncreate table t (i int);\n", "BEGIN is not allowed", "a.sql:1:1"),
      ("END in the middle", "begin;\nselect 1;\nend;\nselect 2;\n", "BEGIN is not allowed", "a.sql:1:1"),
      (
        "two transactions", "begin;\nselect 1;\ncommit;\nbegin;\nselect 2;\ncommit;\n", "is not allowed",
        "a.sql:"
      ),
      (
        "BEGIN in transaction off", "-- tsdb: transaction off\nbegin;\nselect 1;\ncommit;\n",
        "BEGIN is not allowed",
        "a.sql:2:1"
      ),
      (
        "PREPARE TRANSACTION", "select 1;\nprepare transaction 'x';", "PREPARE TRANSACTION is not allowed",
        "a.sql:2:1"
      ),
    ].map { RefusedFiles("\($0.0) inside", [("a.sql", $0.1)], $0.2, $0.3, "remove it") }

  static let concurrently = [
    RefusedFiles(
      "a concurrent index in a transaction",
      [("a.sql", "create table t (i int);\ncreate index concurrently t_i on t (i);\n")],
      "create index concurrently cannot run inside a transaction block", "a.sql:2:1",
      "-- tsdb: transaction off"),
    RefusedFiles(
      "a concurrent index without a name",
      [("a.sql", "-- tsdb: transaction off\ncreate index concurrently on t (i);\n")],
      "an index built concurrently needs a name here", "a.sql:2:1", "create index concurrently NAME on"),
    RefusedFiles(
      "vacuum in a transaction", [("a.sql", "vacuum;\n")], "vacuum cannot run inside a transaction block",
      "a.sql:1:1"),
  ]
}

@Suite struct `Files that are refused` {
  @Test(arguments: RefusedFiles.all)
  func `are refused with their place, and nothing is touched`(_ refused: RefusedFiles) async throws {
    try await withProject { project, database in
      for (name, text) in refused.files { try project.write("migrations/" + name, text) }
      let result = try await database.expectUnchanged { try await project.tsdb("migrate up") }
      result.expect(refused.status)
      for text in refused.texts {
        #expect(result.standardError.contains(text), "no \"\(text)\" in: \(result)")
      }
      #expect(result.standardOutput.isEmpty)
      #expect(!result.standardError.contains("\u{1B}"))
      // A look before the leap finds the same.
      let dryRun = try await project.tsdb("migrate up --dry-run")
      #expect(dryRun.exitStatus == refused.status && dryRun.standardError == result.standardError)
    }
  }

  /// Bytes that are no usable text, the place of the first bad one, and the hint.
  struct Bytes: CustomStringConvertible, Sendable {
    let description: String
    let bytes: [UInt8]
    let texts: [String]
  }

  static let unusable = [
    Bytes(
      description: "UTF-16 with its mark",
      bytes: [0xFF, 0xFE] + "select 1;".utf16.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] },
      texts: ["the file is encoded as UTF-16, not UTF-8", "a.sql:1:1", "iconv -f utf-16"]),
    Bytes(
      description: "UTF-16 big endian",
      bytes: [0xFE, 0xFF] + "select 1;".utf16.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] },
      texts: ["encoded as UTF-16", "a.sql:1:1"]),
    Bytes(
      description: "UTF-16 without a mark",
      bytes: "select 1;".utf16.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] },
      texts: ["NUL byte", "a.sql:1:2"]),
    Bytes(
      description: "UTF-32", bytes: [0xFF, 0xFE, 0, 0, 0x73, 0, 0, 0],
      texts: ["encoded as UTF-32", "iconv -f utf-32"]),
    Bytes(
      description: "Latin-1",
      bytes: Array("select 1;\nselect 'a\u{F1}o';".unicodeScalars.map { UInt8($0.value) }),
      texts: ["the file is not valid UTF-8", "a.sql:2:10", "iconv -f latin1 -t utf-8"]),
    Bytes(
      description: "a NUL byte", bytes: Array("select 1;\n  \0select 2;".utf8),
      texts: ["the file contains a NUL byte", "a.sql:2:3", "PostgreSQL text cannot hold one"]),
    Bytes(
      description: "a sequence cut off at the end", bytes: Array("select 'é".utf8.dropLast()),
      texts: ["not valid UTF-8", "a.sql:1:9"]),
    Bytes(
      description: "an overlong form", bytes: Array("-- ".utf8) + [0xC0, 0xAF, 0x0A],
      texts: ["not valid UTF-8", "a.sql:1:4"]),
  ]

  @Test(arguments: unusable)
  func `are refused for their bytes`(_ file: Bytes) async throws {
    try await withProject { project, database in
      try project.write("a.sql", bytes: file.bytes)
      let result = try await database.expectUnchanged { try await project.tsdb("migrate up") }
      result.expect(64)
      for text in file.texts { #expect(result.standardError.contains(text), "no \"\(text)\" in: \(result)") }
    }
  }

  @Test func `a directory called like a file is no file`() async throws {
    try await withProject { project, database in
      try FileManager.default.createDirectory(
        atPath: project.directory.path("migrations/a.sql"), withIntermediateDirectories: true)
      let result = try await database.expectUnchanged { try await project.tsdb("migrate up") }
      result.expect(64, "migrations/a.sql cannot be read", "It is a directory.")
    }
  }

  @Test func `a FIFO called like a file is not waited for`() async throws {
    try await withProject { project, database in
      #expect(mkfifo(project.directory.path("migrations/a.sql"), 0o600) == 0)
      try await project.tsdb("migrate status", within: .seconds(20)).expect(
        64, "migrations/a.sql cannot be read")
    }
  }

  @Test func `a link that leads nowhere is named`() async throws {
    try await withProject { project, database in
      try FileManager.default.createSymbolicLink(
        atPath: project.directory.path("migrations/a.sql"), withDestinationPath: "/nonexistent/a.sql")
      try await project.tsdb("migrate up").expect(64, "migrations/a.sql cannot be read", "No such file")
    }
  }

  @Test func `no migrations directory is an error that says how to get one`() async throws {
    try await withProject { project, database in
      try FileManager.default.removeItem(atPath: project.directory.path("migrations"))
      for command in ["migrate up", "migrate status", "migrate verify", "migrate down --yes"] {
        let result = try await database.expectUnchanged { try await project.tsdb(command) }
        result.expect(
          64, "the directory \"migrations\" cannot be read", "It does not exist.", "tsdb migrate new NAME")
      }
    }
  }
}
