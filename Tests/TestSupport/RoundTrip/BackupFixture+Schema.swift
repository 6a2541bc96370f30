extension BackupFixture {
  /// Roles, which the whole cluster shares, and schemas.
  static let roles = #"""
    do $$
    declare
      wanted text;
    begin
      foreach wanted in array array['fixture_owner', 'fixture_reader', 'Fixture "quoted" writer', 'fixture_größe'] loop
        begin
          execute format('create role %I', wanted);
        exception when duplicate_object or unique_violation then
          null;
        end;
      end loop;
    end $$;
    create schema app authorization fixture_owner;
    create schema "Odd Schema; --";
    create schema other;
    comment on schema app is E'the application\nin two lines';
    """#

  /// Types of every kind, and a collation.
  static let types = #"""
    create type app.mood as enum ('glad', 'sad', 'it''s "odd"', E'two\nlines', '');
    alter type app.mood owner to fixture_owner;
    create domain app.percentage as numeric(5,2) default 12.5
      constraint percentage_range check (value between 0 and 100);
    create domain app.short_texts as text[] constraint short_texts_length check (cardinality(value) < 10);
    create type app.place as (street text, house app.percentage, "Upper" integer);
    alter type app.place add attribute gone text;
    alter type app.place drop attribute gone;
    create domain app.checked_place as app.place check ((value).street is not null);
    create function app.float_distance(double precision, double precision) returns double precision
      language sql immutable as 'select $1 - $2';
    create type app.float_span as range (
      subtype = double precision, subtype_diff = app.float_distance, multirange_type_name = app.float_spans);
    create type app.unfinished;
    -- A base type from functions that the server itself has.
    create type app.label;
    create function app.label_in(cstring) returns app.label language internal immutable strict as 'textin';
    create function app.label_out(app.label) returns cstring language internal immutable strict as 'textout';
    create type app.label (input = app.label_in, output = app.label_out, like = pg_catalog.text, category = 'U');
    comment on type app.mood is 'how one feels; "quoted", \backslash\';
    comment on domain app.percentage is 'of a hundred';
    comment on constraint percentage_range on domain app.percentage is 'never more';
    comment on column app.place.street is 'an attribute';
    create collation app.by_bytes (provider = libc, locale = 'C');
    comment on collation app.by_bytes is 'plain';
    """#

  /// Functions, procedures, aggregates, operators, casts, a language, an access method.
  static let routines = #"""
    create function app.with_defaults(a integer, b text default 'it''s', variadic c numeric[] default '{}')
      returns text language sql stable parallel safe cost 5 set search_path = app, pg_temp
      as $body$ select a::text || b || cardinality(c)::text $body$;
    create function app.table_function(inout n integer, out doubled integer) returns setof record
      language plpgsql rows 7 security definer as $$
    begin
      -- A comment with 'quotes' and $dollars$ and \backslashes.
      doubled := n * 2;
      return next;
    end $$;
    create function app.standard_body(a integer) returns integer
      language sql immutable begin atomic select a + 1; end;
    create procedure app.do_nothing(inout n integer, in "Odd ""name" text default E'a\nb') language plpgsql as $$
    begin
      n := coalesce(n, 0) + 1;
    end $$;
    create function app.both(state integer, next integer) returns integer
      language sql immutable as 'select coalesce(state, 0) + coalesce(next, 0)';
    create aggregate app.total(integer) (
      sfunc = app.both, stype = integer, initcond = '0', combinefunc = app.both, parallel = safe);
    create aggregate app.nth(double precision order by anyelement) (
      sfunc = ordered_set_transition, stype = internal, finalfunc = percentile_disc_final, finalfunc_extra,
      finalfunc_modify = read_write);
    create function app.moods_equal(app.mood, integer) returns boolean
      language sql immutable as 'select length($1::text) = $2';
    create operator app.=== (
      leftarg = app.mood, rightarg = integer, function = app.moods_equal, restrict = eqsel, join = eqjoinsel);
    create operator family app.numbers using btree;
    create operator class app.backward for type integer using btree family app.numbers as
      operator 1 >, operator 2 >=, operator 3 =, operator 4 <=, operator 5 <, function 1 btint4cmp(integer, integer);
    create function app.place_text(app.place) returns text language sql immutable as 'select ($1).street';
    create cast (app.place as text) with function app.place_text(app.place) as assignment;
    create cast (app.label as text) without function as implicit;
    create function app.plpgsql_handler() returns language_handler language c
      as '$libdir/plpgsql', 'plpgsql_call_handler';
    create trusted language plpgsql_too handler app.plpgsql_handler;
    create function app.in_the_other_language() returns integer language plpgsql_too as $$ begin return 1; end $$;
    create access method heap_too type table handler pg_catalog.heap_tableam_handler;
    create conversion app.from_latin for 'LATIN1' to 'UTF8' from pg_catalog.iso8859_1_to_utf8;
    alter function app.with_defaults(integer, text, numeric[]) owner to fixture_owner;
    comment on function app.with_defaults(integer, text, numeric[]) is E'a function\n\twith a tab';
    comment on procedure app.do_nothing(integer, text) is 'a procedure';
    comment on aggregate app.total(integer) is 'an aggregate';
    comment on operator app.=== (app.mood, integer) is 'an operator';
    comment on operator class app.backward using btree is 'an operator class';
    comment on operator family app.numbers using btree is 'an operator family';
    comment on cast (app.place as text) is 'a cast';
    comment on language plpgsql_too is 'a language';
    comment on access method heap_too is 'a table access method';
    comment on conversion app.from_latin is 'a conversion';
    """#
}
