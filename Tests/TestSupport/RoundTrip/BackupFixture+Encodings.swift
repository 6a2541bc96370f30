extension BackupFixture {
  /// A database in LATIN1 that uses every character of it.
  static let latin1 = #"""
    create type "Grüße" as enum ('ü', 'ÿ', 'plain');
    create table "größe" (id integer generated always as identity primary key, "naïve" text, kind "Grüße" default 'ü',
      constraint "größer" check ("naïve" <> 'ß'));
    insert into "größe" ("naïve") select string_agg(chr(n), '' order by n) from generate_series(160, 255) n;
    insert into "größe" ("naïve") select chr(160 + n % 96) || repeat('é', n % 50) from generate_series(1, 3000) n;
    create table "tür; --" ("à" text);
    insert into "tür; --" values ('\.'), ('é'), (null), ('');
    create view "Übersicht" as select "naïve" || 'é' as "ö" from "größe" where "naïve" > 'ä';
    create function "löse"() returns text language sql as $$ select 'gelöst: ÿ' $$;
    create index "größe_naïve" on "größe" ("naïve") where "naïve" <> 'ö';
    comment on table "größe" is E'Größe\nÿ';
    comment on column "größe"."naïve" is 'naïveté';
    select lo_from_bytea(710001, '\x00e9ff');
    comment on large object 710001 is 'Schlüssel';
    """#

  /// A database in SQL_ASCII, with bytes that are no UTF-8 in names and values.
  static let sqlASCII = #"""
    -- Bytes that are no UTF-8, in names and in values, written as escapes.
    do $bytes$
    declare
      odd text;
    begin
      foreach odd in array array[E'caf\xe9', E'\xff\xfe', E'\x80', E'gr\xc3\xb6\xc3\x9fe', E'\xc3', 'plain'] loop
        execute format('create table %1$I (id serial, %1$I text default %1$L, constraint %2$I check (%1$I <> %2$L))',
          odd, odd || E' \xa0');
        execute format('insert into %1$I (%1$I) values (%1$L), (null), (%2$L)', odd, E'\\. \x81\n');
        execute format('create view %1$I as select %2$I || %3$L as %2$I from %2$I', odd || ' view', odd, E'\xe9');
        execute format('create type %I as enum (%L)', odd || ' enum', odd);
        execute format('comment on table %I is %L', odd, odd || E'\n\xe9');
      end loop;
    end $bytes$;
    create table all_bytes (id integer, body text);
    insert into all_bytes select n, chr(n) from generate_series(1, 127) n;
    do $bytes$
    begin
      for n in 128..255 loop
        execute format(E'insert into all_bytes values (%1$s, E''a\\x%2$sb'')', n, to_hex(n));
      end loop;
    end $bytes$;
    insert into all_bytes select id + 1000 * n, body from all_bytes, generate_series(1, 30) n;
    select lo_from_bytea(720001, '\x00e9ff');
    do $bytes$ begin execute format('comment on large object 720001 is %L', E'Schl\xfcssel'); end $bytes$;
    """#
}
