import Testing

@testable import Backups

/// Decisions of a backup that need no server.
@Suite struct BackupValueTests {
  @Test(arguments: [
    ("orders", TablePatterns.Expressions(schema: nil, name: "^(orders)$")),
    ("App.Or*s?", .init(schema: "^(app)$", name: "^(or.*s.)$")),
    ("\"App\".\"a.b*\"", .init(schema: "^(App)$", name: "^(a\\.b\\*)$")),
    ("db.app.t$1", .init(schema: "^(app)$", name: "^(t\\$1)$")),
    ("(a|b)", .init(schema: nil, name: "^((a|b))$")), ("\"a\"\"b\"", .init(schema: nil, name: "^(a\"b)$")),
  ])
  func `patterns mean what pg_dump takes them for`(pattern: String, expressions: TablePatterns.Expressions) {
    #expect(TablePatterns.expressions(pattern) == expressions)
  }

  @Test func `a secret of several lines is left out of the roles as a whole`() {
    let file = ConfigurationCopy.globals(
      """
      ALTER ROLE app SET "app.private_key" TO '-----BEGIN KEY-----
      MIIEsecret it''s
      -----END KEY-----';
      ALTER ROLE app SET work_mem TO '1MB';
      ALTER ROLE "x SET y" SET "app.password" TO 'hunter2';
      ALTER ROLE app SET "app.dsn" TO 'postgres://u:hunter3@h/d';
      ALTER ROLE app SET "app.note" TO 'two
      lines';
      CREATE ROLE b;
      """)
    #expect(!["MIIE", "BEGIN", "END KEY", "hunter"].contains { file.text.contains($0) }, "\(file.text)")
    #expect(file.text.contains("ALTER ROLE app SET work_mem TO '1MB';\n"))
    #expect(file.text.contains("'two\nlines';\nCREATE ROLE b;"))
  }

  @Test(arguments: [
    ("app.dsn=host=h password=x", true), ("app.dsn=postgres://u:p@h/d", true), ("primary_conninfo=", true),
    ("app.dsn=postgres://u@h/d", false), ("app.url=https://h:80/a@b", false), ("work_mem=1MB", false),
    ("password_encryption", true),
  ])
  func `a setting is secret by its name or by its value`(setting: String, isSecret: Bool) {
    #expect(SecretNames.isSecret(setting) == isSecret)
  }
}
