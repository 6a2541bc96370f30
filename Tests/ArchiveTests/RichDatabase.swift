import Foundation
import Postgres
import TestSupport

/// A database that has everything that pg_dump treats in a way of its own.
enum RichDatabase {
  /// Makes a database and fills it for the length of `body`.
  static func with<Result: Sendable>(
    options: String = "", _ body: (TestDatabase) async throws -> Result
  ) async throws -> Result {
    try await prepared.value
    return try await withDatabase(options: options) { database in
      try await database.execute(schema)
      let version = Int(try await database.value("show server_version_num") ?? "") ?? 0
      if version >= 170000 { try await database.execute("grant maintain on app.plain to rich_reader") }
      if try await database.value("select 1 from pg_available_extensions where name = 'hstore'") != nil {
        try await database.execute(extensions)
      }
      return try await body(database)
    }
  }

  /// Makes the roles and the tablespace, once: they are the cluster's.
  private static let prepared = Task {
    let session = try await PostgresCluster.shared.connect()
    try await session.run { connection in
      _ = try connection.execute(roles)
      _ = try connection.execute("set allow_in_place_tablespaces = on")
      _ = try connection.execute("create tablespace \"rich space\" location ''")
    }
    await session.close()
  }

  private static let roles = """
    create role rich_owner;
    create role rich_reader;
    create role "Rich ""odd' role";
    create role "rollé";
    """

  private static let extensions = """
    create schema ext;
    create extension hstore with schema ext;
    comment on extension hstore is 'pairs';
    """

  private static let schema = #"""
    create schema app authorization rich_owner;
    create schema "Odd ""schema""
    -- name" authorization "Rich ""odd' role";
    create schema "select";
    comment on schema app is 'it''s the application\n';
    grant usage on schema app to rich_reader with grant option;
    grant create on schema public to rich_owner;
    alter default privileges for role rich_owner in schema app grant select on tables to rich_reader;
    alter default privileges for role rich_owner revoke execute on functions from public;

    create type app.mood as enum ('sad', 'ok', 'it''s');
    alter type app.mood owner to rich_owner;
    create type app.pair as (a int, "B b" text);
    comment on column app.pair."B b" is 'second';
    create type app.float_range as range (subtype = float8, subtype_diff = float8mi);
    create type app.shell;
    create domain app.positive as int default 1 constraint positive_check check (value > 0);
    alter domain app.positive owner to rich_owner;
    comment on constraint positive_check on domain app.positive is 'above zero';
    grant usage on type app.mood to rich_reader;

    create function app.twice(int) returns int language sql immutable as 'select $1 * 2';
    alter function app.twice(int) owner to rich_owner;
    grant execute on function app.twice(int) to rich_reader;
    create function app."odd ""(" (a int, variadic b text[] default array['x']) returns setof int
      language plpgsql as $f$ begin -- a comment in a body
    return query select a;

    end $f$;
    alter function app."odd ""("(int, text[]) owner to rich_owner;
    create procedure app.act(inout a int) language sql as 'select 1';
    alter procedure app.act(int) owner to rich_owner;
    create aggregate app.total(int) (sfunc = int4pl, stype = int, initcond = '0');
    alter aggregate app.total(int) owner to rich_owner;
    create aggregate app.counted(*) (sfunc = int8inc, stype = int8, initcond = '0');
    alter aggregate app.counted(*) owner to rich_owner;
    create function app.same(int, int) returns boolean language sql immutable as 'select $1 = $2';
    create operator app.=== (leftarg = int, rightarg = int, function = app.same, commutator = operator(app.===));
    alter operator app.=== (int, int) owner to rich_owner;
    create function app.negated(app.mood) returns boolean language sql immutable as 'select false';
    create operator app.!! (rightarg = app.mood, function = app.negated);
    alter operator app.!! (none, app.mood) owner to rich_owner;
    create operator family app.family using btree;
    alter operator family app.family using btree owner to rich_owner;
    create operator class app.class for type int using btree family app.family as
      operator 1 <, operator 2 <=, operator 3 =, operator 4 >=, operator 5 >, function 1 btint4cmp(int, int);
    alter operator class app.class using btree owner to rich_owner;
    create function app.mood_number(app.mood) returns int language sql immutable as 'select 1';
    create cast (app.mood as int) with function app.mood_number(app.mood) as assignment;
    create collation app."posix collation" (provider = libc, locale = 'C');
    alter collation app."posix collation" owner to rich_owner;
    create conversion app.conversion for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8;
    alter conversion app.conversion owner to rich_owner;
    create text search dictionary app.dictionary (template = pg_catalog.simple);
    alter text search dictionary app.dictionary owner to rich_owner;
    create text search configuration app.configuration (parser = pg_catalog."default");
    alter text search configuration app.configuration add mapping for asciiword with app.dictionary;
    alter text search configuration app.configuration owner to rich_owner;
    create text search parser app.parser
      (start = prsd_start, gettoken = prsd_nexttoken, end = prsd_end, lextypes = prsd_lextype);
    create text search template app.template (lexize = dsimple_lexize);
    create access method heap2 type table handler heap_tableam_handler;
    create language plrich handler plpgsql_call_handler inline plpgsql_inline_handler;
    alter language plrich owner to "Rich ""odd' role";
    create transform for int language plrich (from sql with function prsd_lextype(internal));

    create table app.plain (
      id bigint generated always as identity primary key,
      code int generated by default as identity,
      serial_number serial,
      amount numeric(10, 2) default 0 not null,
      doubled numeric generated always as (amount * 2) stored,
      mood app.mood default 'ok',
      "weird ""col""" text collate app."posix collation",
      size app.positive,
      constraint amount_check check (amount >= 0)
    );
    alter table app.plain owner to rich_owner;
    grant select on app.plain to rich_reader;
    grant update (amount), select (mood) on app.plain to "Rich ""odd' role";
    comment on table app.plain is 'a table';
    comment on column app.plain.amount is E'an\namount -- not a comment\n\n-- still the text';
    comment on constraint amount_check on app.plain is 'not below zero';
    insert into app.plain (amount, "weird ""col""") select n, E'text\t' || n || E'\\.\n' from generate_series(1, 500) n;
    create unique index plain_code on app.plain (code) include (mood) where amount > 1;
    create index plain_expression on app.plain (lower("weird ""col""")) tablespace "rich space";
    comment on index app.plain_code is 'by code';
    alter table app.plain cluster on plain_pkey;
    alter table app.plain alter column mood set statistics 50;
    alter index app.plain_expression alter column 1 set statistics 70;
    alter table app.plain replica identity using index plain_pkey;
    create statistics app.plain_statistics (dependencies, ndistinct) on code, amount from app.plain;
    alter statistics app.plain_statistics owner to rich_owner;
    create sequence app.numbers start 10 increment 5 owned by none;
    select nextval('app.numbers');
    alter sequence app.numbers owner to rich_owner;
    grant usage on sequence app.numbers to rich_reader;

    create table app.zero_columns ();
    insert into app.zero_columns default values;
    create table app.only_generated (a int generated always as (1) stored);
    insert into app.only_generated default values;
    create table "Odd ""schema""
    -- name"."table
    with 'newline"" and -- dashes" ("co
    l" int primary key, "größe" text);
    alter table "Odd ""schema""
    -- name"."table
    with 'newline"" and -- dashes" owner to "Rich ""odd' role";
    insert into "Odd ""schema""
    -- name"."table
    with 'newline"" and -- dashes" values (1, 'ä€😀'), (2, null), (3, '\N');
    create table "select"."table" ("order" int, "user" int, abs int, "between" int, "coalesce" int);
    alter table "select"."table" owner to rich_owner;
    create sequence "select"."values";
    alter sequence "select"."values" owner to rich_owner;
    create view "select"."left" as select 1 as "right";
    alter view "select"."left" owner to "rollé";
    create unlogged table app.unlogged (a int);
    create table app.in_space (a int primary key) tablespace "rich space";
    create table app.other_method (a int) using heap2;
    create table app.with_options (a int, b text) with (fillfactor = 50, autovacuum_enabled = off);
    alter table app.with_options alter column b set storage external;
    create table app.dropped (a int, b int, c int);
    alter table app.dropped drop column b;
    insert into app.dropped values (1, 2);
    create table app.typed of app.pair;
    create table app.parent (a int, b text);
    create table app.child (c int) inherits (app.parent);
    insert into app.parent values (1, 'p');
    insert into app.child values (2, 'c', 3);

    create table app.parted (at date not null, n int) partition by range (at);
    alter table app.parted owner to rich_owner;
    create table app.parted_1 partition of app.parted for values from ('2020-01-01') to ('2021-01-01');
    create table app.parted_2 partition of app.parted for values from ('2021-01-01') to ('2022-01-01')
      partition by list (n);
    create table app.parted_2_default partition of app.parted_2 default tablespace "rich space";
    alter table app.parted add primary key (at, n);
    create index parted_n on app.parted (n);
    insert into app.parted values ('2020-05-05', 1), ('2021-05-05', 2);
    create table app.hashed (m app.mood, n int) partition by hash (m);
    create table app.hashed_0 partition of app.hashed for values with (modulus 2, remainder 0);
    create table app.hashed_1 partition of app.hashed for values with (modulus 2, remainder 1);
    insert into app.hashed values ('sad', 1), ('ok', 2), ('it''s', 3);

    create table app.referring (id int primary key, plain bigint references app.plain (id) on delete cascade,
      self int references app.referring (id) deferrable initially deferred);
    alter table app.referring add constraint not_valid check (id < 100) not valid;
    alter table app.referring add constraint excluded exclude using btree (plain with =);
    create function app.trigger_function() returns trigger language plpgsql as 'begin return new; end';
    create trigger "odd trigger" before insert or update of self on app.referring for each row
      execute function app.trigger_function('it''s');
    alter table app.referring disable trigger "odd trigger";
    comment on trigger "odd trigger" on app.referring is 'a trigger';
    create rule "odd rule" as on delete to app.referring where old.id = 7 do instead nothing;
    comment on rule "odd rule" on app.referring is 'a rule';
    alter table app.referring enable row level security;
    create policy "odd policy" on app.referring for select to rich_reader using (id > 0);
    comment on policy "odd policy" on app.referring is 'a policy';
    alter table app.plain enable row level security;
    alter table app.plain force row level security;

    create view app.simple_view as select id, amount from app.plain with local check option;
    alter view app.simple_view owner to rich_owner;
    grant select on app.simple_view to public;
    alter view app.simple_view alter column amount set default 5;
    create view app.circular as select 1 as a;
    create materialized view app.mat as select count(*) as n from app.plain;
    alter materialized view app.mat owner to rich_owner;
    create index mat_index on app.mat (n);
    comment on materialized view app.mat is 'counted';
    grant select on app.mat to rich_reader;
    create materialized view app.mat_of_mat as select n + 1 as n from app.mat;
    create materialized view app.mat_empty as select 1 as a with no data;
    comment on view app.simple_view is 'a view';

    create foreign data wrapper rich_wrapper options (debug 'true');
    create server "rich server" foreign data wrapper rich_wrapper options (host 'it''s');
    alter server "rich server" owner to "Rich ""odd' role";
    grant usage on foreign data wrapper rich_wrapper to "Rich ""odd' role";
    create user mapping for rich_reader server "rich server" options (user 'x', password 'secret');
    create foreign table app.elsewhere (a int options (column_name 'b')) server "rich server" options (t 'u');
    alter foreign table app.elsewhere owner to rich_owner;
    comment on foreign table app.elsewhere is 'far';

    create publication "rich publication" for table app.plain (id, amount), app.parent where (a > 1);
    create publication rich_schema_publication for tables in schema app with (publish = 'insert');
    alter publication rich_schema_publication owner to postgres;
    comment on publication rich_schema_publication is 'published';
    create subscription rich_subscription connection 'dbname=nowhere' publication p with (connect = false, slot_name = none);
    comment on subscription rich_subscription is 'subscribed';

    create function app.event_function() returns event_trigger language plpgsql as 'begin end';
    create event trigger rich_event on ddl_command_start when tag in ('CREATE CAST') execute function app.event_function();
    comment on event trigger rich_event is 'an event';
    alter event trigger rich_event enable replica;

    select lo_from_bytea(70001, 'one'), lo_from_bytea(70002, repeat('two', 10000)::bytea),
      lo_from_bytea(70003, ''), lo_from_bytea(3000000007, 'four');
    alter large object 70001 owner to rich_owner;
    grant select on large object 70001 to rich_reader;
    alter large object 70002 owner to rich_owner;
    grant select on large object 70002 to rich_reader;
    comment on large object 70003 is 'an empty one';
    insert into app.referring values (1, 1, 1), (2, 2, 1);
    comment on function app.twice(int) is 'doubles';
    comment on type app.mood is 'a mood';
    comment on aggregate app.total(int) is 'adds';
    comment on operator app.=== (int, int) is 'the same';
    comment on cast (app.mood as int) is 'a cast';
    comment on language plrich is 'a language';
    comment on sequence app.numbers is 'numbers';
    do $$
    begin
      execute format('comment on database %I is %L', current_database(), 'a database');
      execute format('alter database %I set work_mem = %L', current_database(), '5MB');
      execute format('grant connect on database %I to rich_reader', current_database());
    end $$;
    """#
}
