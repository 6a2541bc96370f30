extension BackupFixture {
  /// Tables, sequences, inheritance, keys that old rows do not meet.
  static let tables = #"""
    create table app.customers (
      id bigint generated always as identity (start with 5 increment by 3) primary key,
      name text not null collate app.by_bytes default 'nobody',
      mood app.mood default 'glad',
      share app.percentage,
      tags app.short_texts,
      home app.checked_place,
      places app.place[],
      span app.float_span,
      spans app.float_spans,
      label app.label,
      dropped_early integer,
      parent_id bigint,
      upper_name text generated always as (upper(name)) stored,
      dropped_late text,
      constraint customers_name_length check (length(name) < 2000),
      constraint customers_parent foreign key (parent_id) references app.customers (id) on delete set null
    );
    insert into app.customers (name, mood, share, tags, home, places, span, spans, label, dropped_early, parent_id)
    select 'customer ' || n, (enum_range(null::app.mood))[1 + n % 5], n % 100,
      array['tag ' || n, null, 'it''s, {odd} "\'], row('street ' || n, n % 100, n)::app.place,
      array[row('a,b', 1, 2)::app.place, null], app.float_span(n, n + 0.5, '[]'),
      app.float_spans(app.float_span(1, 2), app.float_span(n + 5, null)), app.label_in(textout('label ' || n)), n,
      null
    from generate_series(1, 500) n;
    update app.customers set parent_id = id - 3 where id > 5 and id % 2 = 0;
    alter table app.customers drop column dropped_early, drop column dropped_late;
    alter table app.customers add column added text default 'added, not null' not null;
    alter table app.customers alter column name set statistics 500, alter column name set (n_distinct = -0.5),
      alter column label set storage external;
    create index customers_lower on app.customers (lower(name) text_pattern_ops desc nulls last, id)
      include (share) with (fillfactor = 70) where id > 10;
    create unique index customers_upper on app.customers (upper_name) nulls not distinct;
    create index customers_backward on app.customers ((id::integer) app.backward);
    alter table app.customers cluster on customers_pkey, replica identity full;
    alter index app.customers_lower alter column 1 set statistics 300;
    create statistics app.customer_statistics (ndistinct, dependencies, mcv) on name, mood from app.customers;
    create statistics app.expression_statistics on (lower(name)), (length(name)) from app.customers;
    alter statistics app.customer_statistics set statistics 200;

    create table app.serials (
      small_one smallserial, usual serial primary key, big_one bigserial,
      from_sequence integer
    );
    create sequence app.not_called start 42;
    create sequence app.downward as smallint increment by -2 maxvalue 100 minvalue -100 start 50 cycle cache 5;
    create sequence app.far_away increment by 10;
    create sequence app.set_back;
    select nextval('app.downward'), nextval('app.downward');
    select setval('app.far_away', 9223372036854775800), setval('app.set_back', 7, false);
    alter table app.serials alter column from_sequence set default nextval('app.far_away');
    alter sequence app.set_back owned by app.serials.from_sequence;
    create unlogged sequence app.unlogged_sequence;
    insert into app.serials (from_sequence) select n from generate_series(1, 20) n;

    create table app.no_columns ();
    insert into app.no_columns select from generate_series(1, 7);
    create table app.only_generated (a integer generated always as (1 + 1) stored);
    insert into app.only_generated select from generate_series(1, 4);
    create table app.all_dropped (a integer, b text);
    insert into app.all_dropped select n, 'x' from generate_series(1, 9) n;
    alter table app.all_dropped drop column a, drop column b;
    create table app.empty (id integer primary key, document jsonb);
    create unlogged table app.unlogged (id integer primary key, body text) with (autovacuum_enabled = false);
    insert into app.unlogged select n, repeat('u', n) from generate_series(1, 50) n;
    create table app.other_method (id integer, body text) using heap_too;
    insert into app.other_method select n, 'by another method ' || n from generate_series(1, 300) n;
    create table app.typed of app.place (constraint typed_street check (street <> ''));
    insert into app.typed values ('typed', 3, 4);
    create table app.two_names ("like" text, "a ""b"" c" integer, constraint "two names; unique" unique ("like", "a ""b"" c"));
    insert into app.two_names values ('x', 1), (null, 2), (null, 2);

    -- Two tables that refer to each other; a check and a key that old rows do not meet.
    create table app.hens (id integer primary key, from_egg integer);
    create table app.eggs (id integer primary key, of_hen integer references app.hens deferrable initially deferred);
    alter table app.hens add constraint hens_egg foreign key (from_egg) references app.eggs;
    insert into app.hens values (1, null), (2, null);
    insert into app.eggs values (10, 1), (20, 2);
    update app.hens set from_egg = 20 where id = 1;
    create table app.old_rows (id integer, hen integer, amount integer);
    insert into app.old_rows values (1, 99, -5), (2, 1, 5);
    alter table app.old_rows add constraint old_rows_amount check (amount > 0) not valid;
    alter table app.old_rows add constraint old_rows_hen foreign key (hen) references app.hens not valid;
    create table app.booked (room integer, during tsrange, exclude using gist (during with &&) where (room = 1));
    insert into app.booked values (1, '[2026-01-01, 2026-01-02)'), (2, '[2026-01-01, 2026-01-02)'), (2, 'empty');

    -- Inheritance with rows in parent and children, a merged column, a constraint that is not passed on.
    create table app.animals (id integer primary key, name text not null default 'animal', check (id > 0) no inherit);
    create table app.dogs (breed text, name text default 'dog') inherits (app.animals);
    create table app.puppies (age integer) inherits (app.dogs);
    create table app.two_parents () inherits (app.dogs, app.two_names);
    insert into app.animals select n, 'animal ' || n from generate_series(1, 10) n;
    insert into app.dogs (id, breed) select n, 'breed ' || n from generate_series(100, 120) n;
    insert into app.puppies (id, age) select n, n from generate_series(200, 205) n;
    insert into app.two_parents (id, "like") values (-1, 'two');
    alter table app.puppies no inherit app.dogs;
    alter table app.puppies inherit app.dogs;
    comment on table app.customers is E'all customers\nwith ''quotes'', "names", \\ and a semicolon;\n-- no comment';
    comment on column app.customers.name is 'größe 表 🐘';
    comment on index app.customers_lower is 'an index';
    comment on constraint customers_name_length on app.customers is 'a constraint';
    comment on sequence app.downward is 'downward';
    comment on statistics app.customer_statistics is 'statistics';
    """#
}
