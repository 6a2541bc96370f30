import SQLSyntax
import Testing

@Suite struct BodyReferenceTests {
  static let bodies: [(String, [String], [String])] = [
    (
      "create function f() returns int language sql as $$ select g(x) from a.t; insert into u values (1) $$",
      ["a.t", "u"], ["g"]
    ),
    (
      "create function f() returns int language sql as 'with x as (select 1 from t) select * from x'", ["t"],
      []
    ),
    (
      "create function f() returns int language sql as $$ create temp table w (x int); select * from w $$",
      [], []
    ),
    ("create function f() returns int as $$ select 1 from t $$ language SQL", ["t"], []),
    (
      "create function f() returns int language sql as $$ merge into t using u on true when matched then delete returning g(1) $$",
      ["t", "u"], ["g"]
    ),
    (
      """
      create function f() returns trigger language plpgsql as $$
      declare v int; r a.t%rowtype;
      begin -- from nowhere
        select count(*) into v from a.t join "B".u using (x), w where coalesce(x1, x2) = 'from q' and y in (x3, x4) order by x5, x6;
          select a from f(x7, x8) as ff, w2 group by x9, x10;
        insert into log (x) values (g(new.x));
        update only a.t set y = a.h(1);
        delete from k using m where true;
        with c as (select 1 from n) select * into v from c;
        perform p(1);
        if exists (select 1 from lateral_table) then return new; end if;
        for r in select * from o loop null; end loop;
        truncate table tt;
        return new;
      end $$
      """,
      ["a.t", "\"B\".u", "w", "w2", "log", "k", "m", "n", "lateral_table", "o", "tt"],
      ["count", "g", "a.h", "p"]
    ),
    ("do $$ begin insert into a.t select * from f(1); create index on u (x); end $$", ["a.t", "u"], ["f"]),
    ("create function f() returns int language c as 'lib', 'sym'", [], []),
    ("create function f() returns int language plpython3u as 'select 1 from t'", [], []),
  ]

  @Test(arguments: bodies)
  func `a body's uses are kept apart, and those of a checked body are uses of the statement as well`(
    text: String, relations: [String], functions: [String]
  ) throws {
    let statement = try analysed(text)
    // The grammar of 15 does not know MERGE … RETURNING, so that body is only looked at.
    let isChecked = text.lowercased().contains("language sql") && !text.contains("merge")
    #expect(described(statement.uses, of: [.relation]) == (isChecked ? relations : []))
    #expect(described(statement.bodyUses, of: [.relation]) == relations)
    let found = described(statement.bodyUses, of: [.function])
    for function in functions { #expect(found.contains(function)) }
  }

  @Test(arguments: [
    ("do $$ begin end $$", true), ("execute q(1)", true), ("selec 1", true), ("select f()", false),
    ("create function f() returns int language plpgsql as $$ begin execute 'x'; end $$", false),
    ("import foreign schema a from server s into b", true),
  ])
  func `what cannot be seen through is called opaque`(text: String, isOpaque: Bool) throws {
    #expect(try script(text).statements[0].isOpaque == isOpaque)
  }
}
