import Archive
import Testing

@testable import Backups

/// Entries by hand, as pg_dump would write them.
private func entry(
  _ id: Int32, _ kind: String, _ tag: String, _ section: ArchiveEntry.Section, needs: [Int32] = [],
  copy: String? = nil, definition: String? = nil
) -> ArchiveEntry {
  ArchiveEntry(
    dumpID: id, hasData: kind == "TABLE DATA", tag: Array(tag.utf8), desc: Array(kind.utf8), section: section,
    definition: definition.map { Array($0.utf8) },
    copyStatement: copy.map { Array($0.utf8) }
      ?? (kind == "TABLE DATA" ? Array("COPY app.\(tag) (id) FROM stdin;\n".utf8) : nil),
    namespace: Array("app".utf8), dependencies: needs)
}

private func archive(_ entries: [ArchiveEntry]) -> TableOfContents {
  TableOfContents(
    header: ArchiveHeader(
      version: .init(major: 1, minor: 14, revision: 0), format: .tar, compression: .level(-1),
      localTime: [0, 0, 0, 1, 0, 126, 0], database: nil, serverVersion: nil, dumpVersion: nil),
    entries: entries)
}

private func plan(
  _ entries: [ArchiveEntry], _ selection: RestoreSelection = RestoreSelection(), sizes: [Int32: Int64] = [:]
) throws -> RestorePlan {
  try RestorePlan(archive(entries), manifest: nil, selection: selection, dataSizes: sizes)
}

/// The ids of what a schedule hands out when everything finishes in the order in which it began.
private func order(_ nodes: [RestorePlan.Node], _ entries: [ArchiveEntry], jobs: Int) -> [[Int32]] {
  var schedule = RestoreSchedule(nodes)
  var rounds: [[Int32]] = []
  while !schedule.isFinished {
    var running: [RestoreSchedule.Assignment] = []
    while running.count < jobs, let next = schedule.next() { running.append(next) }
    rounds.append(running.map { entries[nodes[$0.node].entry].dumpID })
    running.forEach { schedule.finish($0) }
    if running.isEmpty { break }
  }
  return rounds
}

private let shop = [
  entry(1, "SCHEMA", "app", .preData),
  entry(2, "TABLE", "orders", .preData, needs: [1]),
  entry(3, "TABLE", "items", .preData, needs: [1]),
  entry(4, "SEQUENCE", "orders_id_seq", .preData, needs: [2]),
  entry(5, "SEQUENCE OWNED BY", "orders_id_seq", .preData, needs: [2, 4]),
  entry(6, "DEFAULT", "orders id", .preData, needs: [2, 4]),
  entry(7, "FUNCTION", "touch()", .preData, needs: [1]),
  entry(10, "TABLE DATA", "orders", .data, needs: [2]),
  entry(11, "TABLE DATA", "items", .data, needs: [3]),
  entry(12, "SEQUENCE SET", "orders_id_seq", .data, needs: [4]),
  entry(20, "CONSTRAINT", "orders orders_pkey", .postData, needs: [2]),
  entry(21, "CONSTRAINT", "items items_pkey", .postData, needs: [3]),
  entry(22, "INDEX", "items_order", .postData, needs: [3]),
  entry(23, "TRIGGER", "orders touched", .postData, needs: [2, 7]),
  entry(24, "FK CONSTRAINT", "items items_order_fkey", .postData, needs: [3, 20, 2]),
  entry(30, "ACL", "TABLE orders", .none, needs: [2]),
  entry(31, "COMMENT", "INDEX items_order", .none, needs: [22]),
  entry(32, "COMMENT", "TABLE orders", .none, needs: [2]),
  entry(33, "EVENT TRIGGER", "watch", .postData, needs: [7]),
]

@Suite struct `the order of a restore` {
  @Test func `pre-data runs in the archive's order, privileges and event triggers at the end`() throws {
    let plan = try plan(shop)
    #expect(plan.preData.map { shop[$0].dumpID } == [1, 2, 3, 4, 5, 6, 7, 32])
    #expect(plan.privileges.map { shop[$0].dumpID } == [30])
    #expect(plan.late.map { shop[$0.entry].dumpID } == [33])
    #expect(Set(plan.entries).count == shop.count)
  }

  @Test func `data comes before what needs it, larger data first, and what locks a table runs alone on it`()
    throws
  {
    let plan = try plan(shop, sizes: [10: 10, 11: 1_000])
    let rounds = order(plan.parallel, shop, jobs: 3)
    #expect(rounds[0] == [11, 10, 12])
    // Of items the constraint and the index may run together: an index does not count as locking.
    #expect(rounds[1] == [21, 22, 20])
    #expect(rounds[2] == [24, 31])
    #expect(rounds[3] == [23])
    let entries = Dictionary(uniqueKeysWithValues: plan.parallel.map { (shop[$0.entry].dumpID, $0) })
    #expect(entries[24]?.locks == [10, 11])
    #expect(entries[22]?.locks == [])
  }

  @Test func `with several data entries for a table the last is the one that indexes wait for`() throws {
    let entries = [
      entry(2, "TABLE", "t", .preData), entry(10, "TABLE DATA", "t", .data, needs: [2]),
      entry(11, "TABLE DATA", "t", .data, needs: [10, 2]), entry(12, "TABLE DATA", "t", .data, needs: [2]),
      entry(20, "INDEX", "t_i", .postData, needs: [2]),
    ]
    let plan = try plan(entries)
    let index = try #require(plan.parallel.first { entries[$0.entry].dumpID == 20 })
    #expect(index.needs.map { entries[plan.parallel[$0].entry].dumpID } == [12])
  }

  @Test func `pieces of a table are handed out in order to whoever is free`() throws {
    let entries = [entry(10, "TABLE DATA", "t", .data), entry(20, "INDEX", "i", .postData, needs: [10])]
    let nodes = [
      RestorePlan.Node(
        entry: 0, work: .rows(table: 0), parts: 3, isData: true, weight: 9, needs: [], locks: []),
      RestorePlan.Node(entry: 1, work: .statement, parts: 1, isData: false, weight: 9, needs: [0], locks: []),
    ]
    var schedule = RestoreSchedule(nodes)
    let firstGiven = schedule.next()
    let first = try #require(firstGiven)
    let secondGiven = schedule.next()
    let second = try #require(secondGiven)
    #expect([first.part, second.part] == [0, 1])
    schedule.finish(second)
    let thirdGiven = schedule.next()
    let third = try #require(thirdGiven)
    #expect(third.part == 2)
    let before = schedule.next()
    #expect(before == nil)
    schedule.finish(first)
    let still = schedule.next()
    #expect(still == nil)
    schedule.finish(third)
    let after = schedule.next()
    #expect(after?.node == 1)
    #expect(entries.count == nodes.count)
  }

  @Test func `dependencies in a circle are an error that shows the circle`() throws {
    var entries = shop
    entries[10].dependencies = [24]
    let error = #expect(throws: BackupError.self) { try plan(entries) }
    #expect(error?.message == "entries of the archive depend on one another in a circle")
    #expect(error?.detail?.contains("orders orders_pkey") == true)
    #expect(error?.detail?.contains("items items_order_fkey") == true)
    entries[10].dependencies = [20]
    #expect(throws: BackupError.self) { try plan(entries) }
  }

  @Test func `two entries of one id are an error`() throws {
    let error = #expect(throws: BackupError.self) { try plan(shop + [shop[3]]) }
    #expect(error?.message == "the archive has two entries with the id 4")
  }

  @Test(arguments: [0, 1, 2, 3])
  func `whatever the graph, every node runs once, after what it needs, and no lock is held twice`(seed: Int) {
    var random = UInt64(seed) &* 0x9E37_79B9 &+ 1
    func next(_ bound: Int) -> Int {
      random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(random >> 33) % bound
    }
    let nodes = (0..<200).map { number in
      RestorePlan.Node(
        entry: number, work: .statement, parts: 1 + next(3), isData: next(2) == 0, weight: Int64(next(5)),
        needs: number == 0 ? [] : Array(Set((0..<next(4)).map { _ in next(number) })),
        locks: Set((0..<next(3)).map { _ in Int32(next(12)) }))
    }
    var schedule = RestoreSchedule(nodes)
    var running: [RestoreSchedule.Assignment] = []
    var parts: [Int: Set<Int>] = [:]
    var done: Set<Int> = []
    while !schedule.isFinished {
      while running.count < 4, let given = schedule.next() {
        #expect(nodes[given.node].needs.allSatisfy(done.contains))
        #expect(parts[given.node, default: []].insert(given.part).inserted)
        for other in running where other.node != given.node {
          #expect(nodes[other.node].locks.isDisjoint(with: nodes[given.node].locks))
        }
        running.append(given)
      }
      guard !running.isEmpty else { break }
      let ended = running.remove(at: next(running.count))
      schedule.finish(ended)
      if !running.contains(where: { $0.node == ended.node }),
        parts[ended.node]?.count == nodes[ended.node].parts
      {
        done.insert(ended.node)
      }
    }
    #expect(done.count == nodes.count)
  }
}

@Suite struct `what of an archive is restored` {
  private func ids(_ plan: RestorePlan) -> Set<Int32> { Set(plan.entries.map { shop[$0].dumpID }) }

  @Test func `a table brings what it needs and what belongs to it`() throws {
    let selection = RestoreSelection(tables: [try #require(RelationPattern("app.orders"))])
    let plan = try plan(shop, selection)
    // The trigger's function is not the table's own, and is not brought along.
    #expect(ids(plan) == [1, 2, 4, 5, 6, 10, 12, 20, 30, 32])
    #expect(plan.leftOut.map { shop[$0].dumpID } == [23, 24])
  }

  @Test func `a partitioned table brings its partitions`() throws {
    let entries = [
      entry(2, "TABLE", "p", .preData), entry(3, "TABLE", "p1", .preData), entry(9, "TABLE", "q", .preData),
      entry(4, "TABLE ATTACH", "p1", .preData, needs: [2, 3]),
      entry(5, "TABLE DATA", "p1", .data, needs: [3]), entry(6, "TABLE DATA", "q", .data, needs: [9]),
    ]
    let whole = try plan(entries, RestoreSelection(tables: [try #require(RelationPattern("p"))]))
    #expect(Set(whole.entries.map { entries[$0].dumpID }) == [2, 3, 4, 5])
    let one = try plan(entries, RestoreSelection(tables: [try #require(RelationPattern("p1"))]))
    #expect(Set(one.entries.map { entries[$0].dumpID }) == [3, 5])
    #expect(one.leftOut.map { entries[$0].dumpID } == [4])
  }

  @Test func `schema and data together are everything`() throws {
    let schema = ids(try plan(shop, RestoreSelection(contents: .schema)))
    let data = ids(try plan(shop, RestoreSelection(contents: .data)))
    #expect(schema.isDisjoint(with: data))
    #expect(schema.union(data).count == shop.count)
    #expect(data == [10, 11, 12])
  }

  @Test func `without privileges there is no GRANT and no default privilege`() throws {
    #expect(!ids(try plan(shop, RestoreSelection(includesPrivileges: false))).contains(30))
  }

  @Test func `a pattern that fits nothing is an error`() throws {
    let selection = RestoreSelection(tables: [try #require(RelationPattern("app.order"))])
    #expect(throws: BackupError.self) { try plan(shop, selection) }
  }

  @Test(arguments: [
    ("orders", "app", "orders", true), ("app.orders", "app", "orders", true),
    ("other.orders", "app", "orders", false), ("app.*", "app", "orders", true),
    ("ord*s", "app", "orders", true),
    ("ord?rs", "app", "orders", true), ("ord?s", "app", "orders", false), ("*_log", "app", "a_log_log", true),
    ("\"a.b\"", "app", "a.b", true), ("\"*\"", "app", "orders", false), ("\"a\"\"b\"", "app", "a\"b", true),
    ("Ü?l", "app", "Üöl", true),
  ])
  func `patterns fit whole names`(pattern: String, schema: String, name: String, isMatch: Bool) throws {
    let pattern = try #require(RelationPattern(pattern))
    #expect(pattern.matches(schema: Array(schema.utf8), name: Array(name.utf8)) == isMatch)
  }

  @Test(arguments: ["", "a.b.c", "a.", ".a", "\"a"])
  func `what is no pattern is refused`(text: String) { #expect(RelationPattern(text) == nil) }
}

@Suite struct `the COPY statement of an archive` {
  @Test(arguments: [
    ("COPY app.t (id, name) FROM stdin;\n", "app.t", "id, name"),
    ("COPY app.t  FROM stdin;\n", "app.t", nil),
    ("COPY \"a b\".\"c\"\"d\" (\"x, y\", z) FROM stdin;\n", "\"a b\".\"c\"\"d\"", "\"x, y\", z"),
    ("COPY app.\"line\nbreak\" (id) FROM stdin;\n", "app.\"line\nbreak\"", "id"),
  ])
  func `is taken apart`(text: String, relation: String, columns: String?) throws {
    let copy = try #require(CopyStatement(Array(text.utf8)))
    #expect(String(decoding: copy.relation, as: UTF8.self) == relation)
    #expect(copy.columns.map { String(decoding: $0, as: UTF8.self) } == columns)
    #expect(String(decoding: copy.load, as: UTF8.self) + ";\n" == text)
  }

  @Test(arguments: [
    "COPY app.t (id) FROM '/etc/passwd';\n", "COPY app.t (id) FROM stdin; drop table x;\n",
    "COPY app.t (id FROM stdin;\n", "COPY (select 1) TO stdout;\n", "COPY app.t (id) FROM PROGRAM 'id';\n",
    "",
    "COPY app.t (id) FROM stdin", "COPY App.t (id) FROM stdin;\n", "COPY a.b.c (id) FROM stdin;\n",
    "COPY app.t () FROM stdin;\n", "COPY app.\"\" (id) FROM stdin;\n", "COPY app.t (id); -- ) FROM stdin;\n",
  ])
  func `of any other form is refused`(text: String) {
    #expect(CopyStatement(Array(text.utf8)) == nil)
    #expect(throws: BackupError.self) { try plan([entry(1, "TABLE DATA", "t", .data, copy: text)]) }
  }

  @Test func `reads back the same columns`() throws {
    let copy = try #require(CopyStatement(Array("COPY app.t (id, b) FROM stdin;\n".utf8)))
    #expect(
      String(decoding: copy.read(isWhole: false, condition: Array("WHERE id > 5".utf8)), as: UTF8.self)
        == "COPY (SELECT id, b FROM ONLY app.t WHERE id > 5) TO STDOUT")
  }
}
