import Postgres
import TestSupport
import Testing

@Suite struct `Connection settings` {
  static let secret = "pl4nted~s3cret"

  @Test(arguments: [
    "postgresql://ana:\(secret)@db.example:5433/shop?connect_timeout=3",
    "host=db.example port=5433 user=ana password=\(secret) dbname=shop",
  ])
  func `a password is used and never shown`(string: String) throws {
    let settings = try ConnectionSettings(parsing: string)
    #expect(settings["password"] == Self.secret)
    #expect(settings.holdsPassword)
    #expect(settings["dbname"] == "shop")
    var dumped = ""
    dump(settings, to: &dumped)
    dump([settings], to: &dumped)
    let shown = ["\(settings)", String(reflecting: settings), settings.description, dumped, "\([settings])"]
    for text in shown {
      #expect(!text.contains(Self.secret), "\(text)")
      #expect(text.contains("db.example"))
    }
  }

  @Test(arguments: [
    "postgresql://ana:\(secret)@[::1/shop",
    "postgresql://ana:\(secret)@host:5432/db?nonsense=\(secret)",
    "postgresql://ana:%zz\(secret)@host/db",
    "host=db password='\(secret)",
    "\(secret)",
    "passwort=\(secret) host=x",
  ])
  func `an unreadable string is refused without repeating it`(string: String) {
    let error = #expect(throws: PostgresError.self) { try ConnectionSettings(parsing: string) }
    #expect(error?.origin == .client)
    #expect(
      error.map { !String(reflecting: $0).contains(Self.secret) } == true, "\(String(reflecting: error))")
  }

  @Test func `settings without a password say so`() throws {
    #expect(try !ConnectionSettings(parsing: "host=/tmp user=ana").holdsPassword)
    #expect(!ConnectionSettings(parameters: ["password": ""]).holdsPassword)
  }
}
