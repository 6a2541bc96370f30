/// The three files that `migrate new` writes.
public struct MigrationTemplate: Sendable, Equatable {
  public var name: String
  public var requirements: [String] = []
  public var isTransactional = true
  public var isRepeatable = false

  public init(name: String) {
    self.name = name
  }

  /// Why `name` cannot be the name of a migration; nil when it can.
  public static func refusal(ofName name: String) -> String? {
    if name.isEmpty { return "the name is empty" }
    if name.hasSuffix(".down") || name.hasSuffix(".verify") {
      return "a name may not end in .down or .verify; those are written beside the migration"
    }
    if name.hasPrefix(".") { return "a name may not begin with a dot" }
    let isPlain = name.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."):
        true
      default: false
      }
    }
    return isPlain ? nil : "a name is made of letters, digits, \"_\", \"-\" and \".\""
  }

  /// File names and contents.
  public var files: [(name: String, content: String)] {
    [("\(name).sql", up), ("\(name).down.sql", down), ("\(name).verify.sql", verify)]
  }

  private var directives: String {
    var lines: [String] = []
    if !requirements.isEmpty {
      lines.append("-- tsdb: requires \(requirements.map(Directives.written).joined(separator: " "))")
    }
    if !isTransactional { lines.append("-- tsdb: transaction off") }
    if isRepeatable { lines.append("-- tsdb: repeatable") }
    return lines.map { $0 + "\n" }.joined()
  }

  private var up: String {
    directives
      + """
      -- \(name): what it changes, and why.
      -- \(isTransactional ? "One transaction with its history row" : "Statement by statement, with a journal"); \
      no BEGIN, no COMMIT, no psql commands.


      """
  }

  private var down: String {
    """
    -- Undoes \(name).


    """
  }

  private var verify: String {
    """
    -- Fails unless \(name) is in place; runs read-only and is rolled back.
    -- do $$ begin
    --   if to_regclass('public.some_table') is null then raise exception 'public.some_table is missing'; end if;
    -- end $$;


    """
  }
}
