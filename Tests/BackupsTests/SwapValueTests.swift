import Postgres
import Testing

@testable import Backups

@Suite struct `The name of a kept database` {
  @Test(arguments: [
    ("app", KeptMark.Reason.restored, "app_before_restore_20261124T084852Z"),
    ("app", .undone, "app_undone_20261124T084852Z"),
    (
      "a_name_of_exactly_the_sixty_three_bytes_that_the_server_allows_",
      .restored, "a_name_of_exactly_the_sixty_thr_before_restore_20261124T084852Z"
    ),
    // Cut between characters: the 31 bytes end within the eleventh.
    (
      String(repeating: "é€", count: 12), .restored,
      String(repeating: "é€", count: 6) + "_before_restore_20261124T084852Z"
    ),
  ])
  func `says when and why and fits`(database: String, reason: KeptMark.Reason, expected: String) {
    let name = KeptMark.keptName(
      for: database, reason: reason, time: "2026-11-24T08:48:52.123Z", taken: [])
    #expect(name == expected)
    #expect(name.utf8.count <= 63)
  }

  @Test func `is one that is free`() {
    let long = String(repeating: "x", count: 63)
    var taken: Set<String> = []
    for _ in 0..<12 {
      let name = KeptMark.keptName(
        for: long, reason: .restored, time: "2026-11-24T08:48:52.123Z", taken: taken)
      #expect(name.utf8.count == 63)
      #expect(taken.insert(name).inserted)
    }
    #expect(taken.contains { $0.hasSuffix("_12") })
  }
}

@Suite struct `The mark of a kept database` {
  private static func mark(comment: String?) -> KeptMark {
    KeptMark(
      database: "a\"p\\p", oid: 17, reason: .restored, at: "2026-11-24T08:48:52.123Z", backup: "b1",
      replacedBy: "new", comment: comment)
  }

  @Test(arguments: [nil, "", "kept by tsdb: {}", "line\nbreak \"quotes\" \\ ñ 🐘"])
  func `is read back with the comment in it`(comment: String?) throws {
    let mark = Self.mark(comment: comment)
    #expect(KeptMark(comment: try mark.text(), of: 17) == mark)
    // Carried to another database by a dump.
    #expect(KeptMark(comment: try mark.text(), of: 18) == nil)
  }

  @Test(arguments: [nil, "", "{}", "kept by tsdb: ", "kept by tsdb: {}", "kept by tsdb: [1]", "kept by hand"])
  func `is not seen in other comments`(comment: String?) {
    #expect(KeptMark(comment: comment, of: 17) == nil)
  }

  @Test(arguments: [
    ("1970-01-01T00:00:00.000Z", 0), ("2000-02-29T12:00:00Z", 951_825_600),
    ("2000-03-01T00:00:00Z", 951_868_800),
    ("2026-11-24T08:48:52.123Z", 1_795_510_132), ("2100-03-01T00:00:00Z", 4_107_542_400), ("now", nil),
    ("2026-13-01T00:00:00Z", nil),
  ])
  func `has a time`(text: String, seconds: Int64?) {
    let mark = KeptMark(
      database: "a", oid: 1, reason: .undone, at: text, backup: nil, replacedBy: "b", comment: nil)
    #expect(mark.secondsSinceEpoch == seconds)
  }
}

@Suite struct `What an undo reverses` {
  private func kept(_ name: String, _ reason: KeptMark.Reason, isHalfDropped: Bool = false) -> KeptDatabase {
    let mark = KeptMark(
      database: "app", oid: 1, reason: reason, at: "", backup: nil, replacedBy: "n", comment: nil)
    return KeptDatabase(
      name: name, oid: 1, mark: mark, size: nil, secondsAgo: 0, sessions: 0, isHalfDropped: isHalfDropped)
  }

  @Test func `is the last swap, or the one that is named`() throws {
    let databases = [
      kept("half", .restored, isHalfDropped: true), kept("b", .restored), kept("a", .restored),
    ]
    #expect(try UndoChoice(among: databases, of: "app", named: nil) == .swap(databases[1]))
    #expect(try UndoChoice(among: databases, of: "app", named: "a") == .swap(databases[2]))
    for name in ["half", "c"] {
      #expect(throws: BackupError.self) { try UndoChoice(among: databases, of: "app", named: name) }
    }
    #expect(throws: BackupError.self) { try UndoChoice(among: [], of: "app", named: nil) }
  }

  @Test func `is nothing where the last swap was an undo`() throws {
    let databases = [kept("b", .undone), kept("a", .restored)]
    #expect(try UndoChoice(among: databases, of: "app", named: nil) == .alreadyUndone(databases[0]))
    #expect(try UndoChoice(among: databases, of: "app", named: "b") == .swap(databases[0]))
  }
}
