/// A schema with one of nearly everything, and names that need care.
enum NastySchema {
  static let sql = #"""
    create schema "Ventas ""2024""";
    create schema app;
    create type app.state as enum ('new', 'it''s "done"', 'ñ');
    create type app.pair as (a integer, "B b" text collate "C");
    create domain app.percent as numeric(5,2) default 0 not null constraint in_range check (value between 0 and 100);
    create type app.span as range (subtype = timestamptz);
    create sequence app.numbers as integer increment 5 minvalue 5 cycle;
    create table app.customers (
      id bigint generated always as identity primary key,
      name text collate "C" not null,
      "odd ""name"".x" integer default 7,
      state app.state not null default 'new',
      at timestamptz default '2024-02-29 10:00:00+02',
      span interval default '1 day 02:03:04',
      money double precision default 0.1,
      bytes bytea default '\x00ff',
      tags text[] default '{a,"b c"}',
      doubled integer generated always as ("odd ""name"".x" * 2) stored,
      constraint "check" check (name <> '' and "odd ""name"".x" > 0)
    ) with (fillfactor = 70, autovacuum_enabled = off);
    alter table app.customers alter column name set storage external, alter column name set statistics 500;
    comment on table app.customers is E'línea 1\nlínea 2 ''quoted''';
    comment on column app.customers.name is 'nombre';
    comment on constraint "check" on app.customers is 'no empty name';
    create table app.orders (
      id serial, customer bigint not null, total numeric(12,2) check (total >= 0), placed date not null,
      period daterange, unique nulls not distinct (customer, placed)
    );
    alter table app.orders add constraint orders_customer_fkey foreign key (customer)
      references app.customers on delete cascade deferrable initially deferred not valid;
    create unique index on app.orders (lower(total::text), placed desc nulls last) include (id) where total > 0;
    create index "Índice" on app.orders using gist (period);
    comment on index app."Índice" is 'ojo';
    create statistics app.order_stats (dependencies) on customer, placed from app.orders;
    create table "Ventas ""2024"""."línea
    rota" ("a.b" integer, "select" text);
    create view app.open_orders with (security_barrier) as
      select o.id, c.name, o.total * 1.21 as gross, c.state from app.orders o join app.customers c on c.id = o.customer
      where c.state <> 'ñ';
    comment on column app.open_orders.gross is 'con IVA';
    create materialized view app.totals as select placed, sum(total) as total from app.orders group by placed;
    create unique index on app.totals (placed);
    create function app.touch() returns trigger language plpgsql as $f$ begin new.name := trim(new.name); return new; end $f$;
    create trigger touch before update of name on app.customers for each row when (old.name is distinct from new.name)
      execute function app.touch();
    create function app.add(a integer, b integer default 1, variadic rest integer[] default '{}') returns integer
      language sql immutable strict parallel safe return a + b;
    create function app.orders_of(customer bigint) returns setof app.orders language sql stable
      set search_path = app, pg_temp as 'select * from orders where customer = $1';
    create procedure app.clean(days integer) language plpgsql as 'begin null; end';
    comment on function app.add(integer, integer, integer[]) is 'adds';
    create aggregate app.product(numeric) (sfunc = numeric_mul, stype = numeric, initcond = '1');
    create function app.same(app.pair, app.pair) returns boolean language sql immutable as 'select $1.a = $2.a';
    create operator app.=== (leftarg = app.pair, rightarg = app.pair, function = app.same, commutator = operator(app.===));
    create rule no_delete as on delete to app.orders do instead nothing;
    alter table app.orders enable row level security;
    create policy mine on app.orders as restrictive for select to public using (customer = 1);
    create table app.log (at timestamptz not null, line text, primary key (at)) partition by range (at);
    create table app.log_2024 partition of app.log for values from ('2024-01-01') to ('2025-01-01');
    create table app.log_default partition of app.log default;
    create index on app.log (line);
    create table app.animals (name text, constraint named check (name <> ''));
    create table app.dogs (breed text) inherits (app.animals);
    create collation app.exact (provider = libc, locale = 'C');
    create text search dictionary app.simple_es (template = simple, stopwords = spanish);
    create text search configuration app.es (copy = pg_catalog.spanish);
    alter text search configuration app.es alter mapping for asciiword with app.simple_es, spanish_stem;
    create publication changes for table app.customers, app.orders with (publish = 'insert, update');
    create extension hstore schema app;
    create table app.uses_extension (h app.hstore);
    create foreign data wrapper nothing options (api_password 'pl4nted');
    create server remote foreign data wrapper nothing options (host 'db', "secret_token" 'pl4nted');
    create foreign table app.remote_rows (a integer options (column_name 'x')) server remote options (path '/p');
    create cast (app.pair as text) with inout as assignment;
    create event trigger watch on ddl_command_end when tag in ('DROP TABLE') execute function app.noticed();
    alter event trigger watch disable;
    create table app.toasted (a text) with (toast.autovacuum_enabled = off);
    alter table app.toasted replica identity full;
    create unlogged table app.unlogged (a int);
    alter table app.unlogged add column dropped int, add column kept int;
    alter table app.unlogged drop column dropped;
    """#

  /// ``sql`` for a server of this version, whose binaries may lack the contributed extensions.
  static func statements(serverVersion: Int, hasExtensions: Bool) -> String {
    var sql = sql.replacing(
      "create event trigger watch",
      with: """
        create function app.noticed() returns event_trigger language plpgsql as 'begin null; end';
        create event trigger watch
        """)
    if serverVersion < 150_000 { sql = sql.replacing("unique nulls not distinct", with: "unique") }
    if !hasExtensions {
      sql = sql.replacing("create extension hstore schema app;", with: "")
        .replacing("app.hstore", with: "text")
    }
    return sql
  }
}
