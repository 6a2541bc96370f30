extension BackupFixture {
  /// Text search, publications, foreign data.
  static let others = #"""
    create text search dictionary app.simple_words (template = simple, stopwords = english, accept = false);
    create text search configuration app.words (copy = pg_catalog.english);
    alter text search configuration app.words alter mapping for asciiword with app.simple_words, english_stem;
    create text search configuration app.sparse (parser = pg_catalog."default");
    alter text search configuration app.sparse add mapping for email, url with simple;
    create text search parser app.words_parser (
      start = prsd_start, gettoken = prsd_nexttoken, end = prsd_end, lextypes = prsd_lextype, headline = prsd_headline);
    create text search template app.words_template (init = dsimple_init, lexize = dsimple_lexize);
    comment on text search dictionary app.simple_words is 'a dictionary';
    comment on text search configuration app.words is 'a configuration';
    create index customers_words on app.customers using gin (to_tsvector('app.words', name));
    create publication for_some for table app.customers (id, name) where (id > 10), table only app.animals
      with (publish = 'insert');
    create publication "for all; --" for all tables with (publish = 'insert', publish_via_partition_root = true);
    create publication for_schema for tables in schema app, other with (publish = 'insert, truncate');
    comment on publication for_some is 'a publication';
    create foreign data wrapper no_handler options (debug 'true');
    create server nowhere type 'none' version '1' foreign data wrapper no_handler options (host 'it''s');
    create user mapping for fixture_reader server nowhere options (user 'x', password 'not a secret');
    create foreign table app.far (id integer options (column_name 'x'), body text not null default 'b') server nowhere options (a 'b');
    alter foreign table app.far owner to fixture_owner;
    grant usage on foreign server nowhere to fixture_reader;
    grant usage on foreign data wrapper no_handler to fixture_reader with grant option;
    comment on server nowhere is 'a server';
    comment on foreign data wrapper no_handler is 'a wrapper';
    comment on foreign table app.far is 'a foreign table';
    """#

  /// Large objects: empty, with a hole, of megabytes, with owner, privileges and comment.
  static let largeObjects = #"""
    select lo_from_bytea(700001, 'a small one'), lo_from_bytea(700002, ''),
      lo_from_bytea(700003, (select decode(string_agg(md5(n::text), '' order by n), 'hex') from generate_series(1, 100000) n)),
      lo_from_bytea(700004, decode(repeat('005c2e0a', 3000), 'hex')), lo_from_bytea(700005, 'for all'),
      lo_create(700006), lo_from_bytea(4000000000, 'a large identifier');
    select lo_put(700006, 5000000, 'after a hole');
    alter large object 700001 owner to fixture_owner;
    alter large object 700005 owner to "Fixture ""quoted"" writer";
    grant select on large object 700001 to fixture_reader;
    grant select, update on large object 700003 to fixture_reader with grant option;
    grant select on large object 700005 to public;
    revoke all on large object 700004 from postgres;
    comment on large object 700001 is E'a large object\nin ''two'' lines';
    comment on large object 700002 is 'empty';
    """#

  /// What only some servers have: versions, libraries that were built in, extensions.
  static let optional = #"""
    -- What only some servers have: versions, libraries that were built in, extensions that are installed.
    do $optional$
    declare
      version integer := current_setting('server_version_num')::integer;
      wanted text;
    begin
      begin
        create table app.documents (id integer, document xml);
        insert into app.documents values (1, xmlparse(content 'text <a b="c">d</a> größe')), (2, xmlparse(document '<a/>'));
      exception when feature_not_supported then
        raise notice 'no xml';
      end;
      begin
        create table app.squeezed (id integer, body text compression lz4);
        insert into app.squeezed select n, repeat('squeeze ' || n, 10000) from generate_series(1, 20) n;
      exception when feature_not_supported or invalid_parameter_value then
        raise notice 'no lz4';
      end;
      begin
        create collation app.without_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
        create table app.without_case (body text collate app.without_case unique);
        insert into app.without_case values ('a'), ('B'), ('ö');
      exception when feature_not_supported then
        raise notice 'no icu';
      end;
      if version >= 170000 then
        grant maintain on app.customers to fixture_reader;
        create collation app.builtin (provider = builtin, locale = 'C.UTF-8');
      end if;
      if version >= 180000 then
        execute 'create table app.computed (a integer, twice integer generated always as (a * 2) virtual, b text not null)';
        insert into app.computed (a, b) select n, 'b' || n from generate_series(1, 30) n;
        execute 'create table app.only_computed (a integer generated always as (1) virtual)';
        insert into app.only_computed select from generate_series(1, 3) n;
        alter table app.old_rows add column added integer;
        execute 'alter table app.old_rows add constraint old_rows_added not null added not valid';
        execute 'alter table app.old_rows add constraint old_rows_weak check (amount > 100) not enforced';
        execute 'alter table app.old_rows add constraint old_rows_weak_key foreign key (id) references app.eggs not enforced';
        execute 'create index customers_computed on app.customers (name) where id > 3';
      end if;
      foreach wanted in array array['hstore', 'citext', 'postgres_fdw', 'file_fdw', 'lo', 'tsdb_fixture'] loop
        if exists (select from pg_catalog.pg_available_extensions where name = wanted) then
          execute format('create schema %I', 'ext_' || wanted);
          execute format('create extension %1$I schema %2$I', wanted, 'ext_' || wanted);
        else
          raise notice 'no extension %', wanted;
        end if;
      end loop;
      if exists (select from pg_catalog.pg_extension where extname = 'hstore') then
        create table app.pairs (id integer, pairs ext_hstore.hstore);
        insert into app.pairs values (1, 'a=>1, "b c"=>NULL, "\\"=>"\""'), (2, '');
        create index pairs_pairs on app.pairs using gist (pairs ext_hstore.gist_hstore_ops (siglen = 32));
        alter extension hstore add table app.half_secret;
        alter extension hstore drop table app.half_secret;
      end if;
      if exists (select from pg_catalog.pg_extension where extname = 'citext') then
        create table app.words_without_case (word ext_citext.citext primary key);
        insert into app.words_without_case values ('Word'), ('other');
      end if;
      if exists (select from pg_catalog.pg_extension where extname = 'postgres_fdw') then
        create server loopback foreign data wrapper postgres_fdw options (dbname 'nowhere', fetch_size '10');
        create user mapping for public server loopback options (password_required 'true');
        create foreign table app.elsewhere (id integer, body text) server loopback options (table_name 'x');
        create table app.half_elsewhere (id integer, body text) partition by range (id);
        create table app.half_elsewhere_here partition of app.half_elsewhere for values from (0) to (100);
        create foreign table app.half_elsewhere_there partition of app.half_elsewhere for values from (100) to (200)
          server loopback;
        insert into app.half_elsewhere values (1, 'here');
      end if;
      if exists (select from pg_catalog.pg_extension where extname = 'file_fdw') then
        create server files foreign data wrapper file_fdw;
        create foreign table app.hosts (line text) server files options (filename '/etc/hostname', format 'text');
      end if;
      if exists (select from pg_catalog.pg_extension where extname = 'tsdb_fixture') then
        insert into ext_tsdb_fixture.settings (name, value, is_own) values ('of the user', E'a\nb', true), ('another', null, true);
        insert into ext_tsdb_fixture.whole (value) values ('one'), ('two');
        perform setval('ext_tsdb_fixture.counter', 77);
        grant select on ext_tsdb_fixture.settings to fixture_reader;
      end if;
    end $optional$;
    """#

  /// Properties of the database itself. The settings are meant to disturb who relies on defaults.
  static let database = #"""
    do $database$
    declare
      name text := current_database();
    begin
      execute format('comment on database %I is %L', name, E'the fixture\nof round trips');
      execute format('alter database %I set datestyle = %L', name, 'SQL, DMY');
      execute format('alter database %I set intervalstyle = %L', name, 'iso_8601');
      execute format('alter database %I set bytea_output = %L', name, 'escape');
      execute format('alter database %I set extra_float_digits = 0', name);
      execute format('alter database %I set search_path = other, app, %L', name, 'Odd Schema; --');
      execute format('alter database %I set timezone = %L', name, 'Asia/Kathmandu');
      execute format('alter database %I set statement_timeout = %L', name, '1h');
      execute format('alter role fixture_reader in database %I set work_mem = %L', name, '5MB');
      execute format('grant connect, temporary on database %I to fixture_reader with grant option', name);
      execute format('revoke temporary on database %I from public', name);
      execute format('alter database %I connection limit 150', name);
      execute format('alter database %I owner to fixture_owner', name);
    end $database$;
    """#
}
