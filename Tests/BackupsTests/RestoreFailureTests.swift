import Archive
import Foundation
import Postgres
import SystemPackage
import TestSupport
import Testing

@testable import Backups

/// What a restore refuses, and what is left when it fails.
@Suite struct `a restore that cannot be` {
  private static let shop = """
    create table public.items (id integer primary key, name text);
    insert into public.items select n, 'item ' || n from generate_series(1, 1000) n;
    create index items_name on public.items (name);
    create sequence public.counter; select nextval('public.counter');
    """

  private func failure(_ body: () async throws -> RestoreReport) async throws -> BackupError {
    do {
      let report = try await body()
      throw TestSupportError("it was restored: \(report)")
    } catch let error as BackupError {
      return error
    }
  }

  @Test(.database) func `names all that stands in its way at once, with remedies, and makes nothing`()
    async throws
  {
    let database = try #require(TestDatabase.current)
    let role = "missing_\(database.name)"
    try await database.execute(
      Self.shop + """
        create role "\(role)"; create role "\(role) 2";
        grant select on public.items to "\(role)"; alter sequence public.counter owner to "\(role) 2";
        create policy own on public.items to "\(role)" using (true);
        """)
    let directory = try TemporaryDirectory()
    let archive = try await database.dump(directory)
    try await database.execute(
      "drop owned by \"\(role)\" cascade; drop owned by \"\(role) 2\" cascade; drop role \"\(role)\", \"\(role) 2\""
    )
    let taken = database.name("taken")
    try await database.cluster.connect().run { _ = try $0.execute("create database \(taken)") }
    let error = try await failure { try await database.restore(archive, into: taken) }
    #expect(error.message == "the restore cannot begin: 2 things stand in its way")
    #expect(error.detail?.contains("database \"\(taken)\" exists already.") == true)
    #expect(error.detail?.contains("roles \"\(role)\", \"\(role) 2\" do not exist.") == true)
    #expect(error.detail?.hasSuffix("Nothing was changed.") == true)
    #expect(
      error.hint?.contains("create role \"\(role)\" nologin; create role \"\(role) 2\" nologin;") == true)
    let others = try await database.others()
    #expect(others == [taken])
    try await database.dropDatabase(taken)

    // Each remedy helps.
    let name = database.name("without")
    _ = try await database.restore(archive, into: name) { options in
      options.selection.includesOwners = false
      options.selection.includesPrivileges = false
      options.selection.tables = [RelationPattern("counter")].compactMap { $0 }
    }
    try await database.dropDatabase(name)
    _ = try await database.restore(archive, into: name) { $0.createsMissingRoles = true }
    let owner = try await database.cluster.connect(database: name).run { connection in
      try connection.query(
        "select pg_get_userbyid(relowner), rolcanlogin from pg_class join pg_roles r on r.oid = relowner where relname = 'counter'"
      ).rows()
    }
    #expect(owner == [["\(role) 2", "f"]])
    try await database.dropDatabase(name)
    try await database.execute("drop role \"\(role)\", \"\(role) 2\"")
  }

  @Test(.database) func `ends with the entry's name, and without the new database`() async throws {
    let database = try #require(TestDatabase.current)
    try await database.execute(Self.shop)
    // A constraint that the rows break: pg_dump checks nothing.
    try await database.execute(
      """
      create function public.is_good(integer) returns boolean language sql immutable as 'select true';
      alter table public.items add constraint good check (public.is_good(id)) not valid;
      create function public.bad(text) returns text language plpgsql immutable as $$begin raise 'no % here', $1; end$$;
      """)
    let directory = try TemporaryDirectory()
    _ = try await database.dump(directory)
    // An index on a function that fails.
    try await database.execute(
      """
      create or replace function public.bad(text) returns text language plpgsql immutable as $$begin return $1; end$$;
      create index items_bad on public.items (public.bad(name));
      create or replace function public.bad(text) returns text language plpgsql immutable as $$begin raise 'no % here', $1; end$$;
      """)
    let second = try TemporaryDirectory()
    let archive = try await database.dump(second)
    let name = database.name("fails")
    let error = try await failure { try await database.restore(archive, into: name) }
    #expect(error.message.hasPrefix("INDEX \"public.items_bad\" cannot be restored: no item "))
    #expect(error.sqlState == "P0001")
    #expect(error.detail?.hasSuffix("The new database was dropped; nothing else was changed.") == true)
    var others = try await database.others()
    #expect(others == [])

    let kept = try await failure { try await database.restore(archive, into: name) { $0.keepsFailed = true } }
    #expect(kept.detail?.contains("The unfinished database \"\(name)\" was kept") == true)
    others = try await database.others()
    #expect(others == [name])
    try await database.dropDatabase(name)
  }

  @Test(.database) func `shows table and line of a row that the server refuses`() async throws {
    let database = try #require(TestDatabase.current)
    try await database.execute(Self.shop)
    let directory = try TemporaryDirectory()
    let archive = try await database.dump(directory, ["-Z0"])
    let toc = try RestoreSource(opening: archive).toc
    let entry = try #require(toc.entries.first { $0.kind == "TABLE DATA" })
    guard case .file(let file) = entry.place else { throw TestSupportError("no file") }
    let path = archive.string + "/" + String(decoding: file, as: UTF8.self)
    let text = try String(contentsOfFile: path, encoding: .utf8)
    try text.replacingOccurrences(of: "\n500\t", with: "\nfive hundred\t").write(
      toFile: path, atomically: false, encoding: .utf8)
    let error = try await failure { try await database.restore(archive, into: database.name("line")) }
    #expect(error.message.hasPrefix("TABLE DATA \"public.items\" cannot be restored: invalid input syntax"))
    #expect(error.detail?.contains("COPY items, line 500, column id: \"five hundred\"") == true)
    let others = try await database.others()
    #expect(others == [])
  }

  @Test(.database, arguments: ["missing", "cut", "flipped", "empty", "after"])
  func `of damaged foreign files leaves nothing`(damage: String) async throws {
    let database = try #require(TestDatabase.current)
    try await database.execute(Self.shop)
    let directory = try TemporaryDirectory()
    let archive = try await database.dump(directory)
    let files = try FileManager.default.contentsOfDirectory(atPath: archive.string)
    let file = try #require(files.first { $0.hasSuffix(".dat.gz") })
    let url = URL(fileURLWithPath: archive.string + "/" + file)
    var data = try Data(contentsOf: url)
    switch damage {
    case "cut": data.removeLast(data.count / 2)
    case "flipped": data[data.count / 2] ^= 4
    case "empty": data = Data()
    case "after": data.append(contentsOf: [0, 0, 0])
    default: break
    }
    if damage == "missing" { try FileManager.default.removeItem(at: url) } else { try data.write(to: url) }
    let error = try await failure { try await database.restore(archive, into: database.name("damaged")) }
    #expect(error.kind == .failed)
    let others = try await database.others()
    #expect(others == [])
  }

  @Test(.database) func `is dropped when the restore is cancelled, wherever it is`() async throws {
    let database = try #require(TestDatabase.current)
    try await database.execute(
      Self.shop + "create table big as select n, repeat(md5(n::text), 20) from generate_series(1, 200000) n;")
    let directory = try TemporaryDirectory()
    let archive = try await database.dump(directory, ["-Z1"])
    for milliseconds in [20, 120, 250, 500, 900] {
      let name = database.name("cancelled")
      let task = Task { try await database.restore(archive, into: name) }
      try await Task.sleep(for: .milliseconds(milliseconds))
      task.cancel()
      do {
        _ = try await task.value
        try await database.dropDatabase(name)
      } catch let error as BackupError {
        #expect(error.kind == .interrupted, "\(error)")
        let others = try await database.others()
        #expect(others == [], "after \(milliseconds) ms: \(error)")
      }
    }
  }

  @Test func `is what the next one drops when it was killed, but not one that runs`() async throws {
    // A server of its own: on a shared one another test's restore may drop what this one looks for.
    try await PostgresCluster.with { cluster in
      try await withDatabase(on: cluster) { database in try await dropsTheDead(beside: database) }
    }
  }

  private func dropsTheDead(beside database: TestDatabase) async throws {
    try await database.execute(Self.shop)
    let directory = try TemporaryDirectory()
    let archive = try await database.dump(directory)
    let (dead, running, unmarked) = (
      database.name("dead"), database.name("running"), database.name("unmarked")
    )
    // Its mark came with a dump of another database.
    let carried = database.name("carried")
    let other = database.cluster.connect()
    try await other.run { connection in
      for name in [dead, running, unmarked, carried] { _ = try connection.execute("create database \(name)") }
      for name in [dead, running] {
        let oid = try connection.query("select oid from pg_database where datname = $1", [name]).integer(0, 0)
        let mark = RestoreMark(
          state: .unfinished, source: "x", time: "t", runner: "process 1 on here", oid: try #require(oid))
        _ = try connection.execute("comment on database \(name) is \(Quoting.literal(mark.text))")
      }
      let stranger = RestoreMark(
        state: .unfinished, source: "x", time: "t", runner: "process 1 on here", oid: 1)
      _ = try connection.execute("comment on database \(carried) is \(Quoting.literal(stranger.text))")
      let isTaken = try RestoreLock.take(running, on: connection)
      #expect(isTaken)
    }
    let name = database.name("next")
    let report = try await database.restore(archive, into: name)
    #expect(report.removedLeftovers == [dead])
    var others = try await database.others()
    #expect(Set(others) == [running, unmarked, carried, name])
    // Its run is gone now.
    try await other.run { _ = try $0.execute("select pg_advisory_unlock_all()") }
    await other.close()
    let last = database.name("last")
    let second = try await database.restore(archive, into: last)
    #expect(second.removedLeftovers == [running])
    others = try await database.others()
    #expect(Set(others) == [unmarked, carried, name, last])
  }

  @Test(.database) func `is one whose sequence ends elsewhere than the archive says`() async throws {
    let database = try #require(TestDatabase.current)
    // Building the index calls a function that only claims to be immutable, after the sequence was set.
    try await database.execute(
      Self.shop + """
        create function public.number(text) returns bigint language sql immutable
          as $$select nextval('public.counter')$$;
        create index items_number on public.items (public.number(name));
        """)
    let directory = try TemporaryDirectory()
    let archive = try await database.dump(directory)
    let name = database.name("sequence")
    let error = try await failure { try await database.restore(archive, into: name) }
    #expect(error.message == "the restored database is not equal to the archive")
    #expect(error.detail?.contains("SEQUENCE SET \"public.counter\" is at ") == true, "\(error)")
    let others = try await database.others()
    #expect(others == [])
    let report = try await database.restore(archive, into: name) { $0.check = .counts }
    #expect(report.checked == "counts")
    try await database.dropDatabase(name)
  }

  @Test(.database) func `is no more than its tables, with what belongs to them`() async throws {
    let database = try #require(TestDatabase.current)
    try await database.execute(
      """
      create schema app; create table app.orders (id serial primary key, item integer);
      create table app.other (id integer primary key);
      alter table app.orders add constraint other_fk foreign key (item) references app.other;
      create index orders_item on app.orders (item);
      insert into app.other values (1); insert into app.orders (item) values (1), (1);
      """)
    let directory = try TemporaryDirectory()
    let archive = try await database.dump(directory)
    let name = database.name("part")
    let report = try await database.restore(archive, into: name) {
      $0.selection.tables = [RelationPattern("app.orders")].compactMap { $0 }
    }
    #expect(report.leftOut == ["FK CONSTRAINT \"app.orders other_fk\""])
    let facts = try await database.cluster.connect(database: name).run { connection in
      try connection.execute("insert into app.orders (item) values (7)")
      return try connection.query(
        """
        select (select count(*) from app.orders), (select max(id) from app.orders), to_regclass('app.other'),
          (select count(*) from pg_indexes where schemaname = 'app')
        """
      ).rows()
    }
    #expect(facts == [["3", "3", nil, "2"]])
    try await database.dropDatabase(name)
  }
}
