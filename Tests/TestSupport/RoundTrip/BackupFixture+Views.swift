extension BackupFixture {
  /// Views, also two that need each other, rules, and materialized views.
  static let views = #"""
    create view app.customer_names (id, "Name") as select id, name from app.customers where id > 5 with local check option;
    create view app.names_of_names with (security_barrier) as select "Name" || '!' as name from app.customer_names;
    create view app.one_each with (security_invoker = true) as
      select c.id, c.name, c.mood, count(*) as notes from app.customers c left join app.event_notes e on e.id = c.id group by c.id;
    create recursive view app.countdown (n) as values (10) union all select n - 1 from countdown where n > 0;
    alter view app.customer_names alter column "Name" set default 'from the view';
    create function app.names() returns setof app.customer_names language sql stable as 'select * from app.customer_names';
    create view app.from_function as select * from app.names() where id < 100;
    create function app.standard_names() returns setof text language sql stable
      begin atomic select name from app.customers group by id; end;
    -- One on a view that needs the primary key, so that it comes late in an archive.
    create materialized view app.summary as select mood, count(*) as customers, sum(notes) as notes from app.one_each group by mood;
    create unique index summary_mood on app.summary (mood);
    create materialized view app.summary_of_summary as select sum(customers) as customers from app.summary;
    create materialized view app.not_populated as select id, mood from app.customers with no data;
    create materialized view app.on_not_populated as select id from app.not_populated with no data;
    create index not_populated_id on app.not_populated (id);
    create materialized view app."Mat; view" with (fillfactor = 80) as select n as "Upper" from generate_series(1, 50) n;
    -- Two views that need each other.
    create view app.first as select 1 as a, 'x'::text as b;
    create view app.second as select * from app.first;
    create or replace view app.first as select a, b from app.second where false union all select 2, 'y';

    create table app.view_log (at serial, what text);
    create rule customer_names_insert as on insert to app.customer_names do instead
      insert into app.customers (name) values (new."Name") returning id, name;
    create rule "also log" as on update to app.old_rows where old.id <> new.id do also
      insert into app.view_log (what) values ('rule');
    alter table app.old_rows disable rule "also log";
    comment on view app.customer_names is 'a view';
    comment on column app.customer_names."Name" is 'a column of a view';
    comment on materialized view app.summary is 'a materialized view';
    comment on rule "also log" on app.old_rows is 'a rule';
    """#

  /// Triggers in every state, and event triggers.
  static let triggers = #"""
    create table app.trigger_log (at serial, what text);
    create function app.note() returns trigger language plpgsql as $$
    begin
      insert into app.trigger_log (what) values (tg_name || ' on ' || tg_table_name);
      return coalesce(new, old);
    end $$;
    create trigger usual after insert or update of name on app.customers
      for each row when (new.id is not null) execute function app.note('an "argument"', E'and\nanother\\');
    create trigger switched_off before insert on app.customers for each statement execute function app.note();
    create trigger always_on after insert on app.customers for each row execute function app.note();
    create trigger for_replicas after insert on app.customers for each row execute function app.note();
    create trigger with_tables after insert on app.empty referencing new table as added
      for each statement execute function app.note();
    create constraint trigger "late; one" after update on app.hens deferrable initially deferred
      for each row execute function app.note();
    create trigger instead_of_it instead of delete on app.customer_names for each row execute function app.note();
    create trigger on_all_partitions after insert on app.events for each row execute function app.note();
    alter table app.customers disable trigger switched_off, enable always trigger always_on, enable replica trigger for_replicas;
    alter table app.events_2024 disable trigger on_all_partitions;
    comment on trigger usual on app.customers is 'a trigger';
    create table app.ddl_log (at serial, what text);
    create function app.note_command() returns event_trigger language plpgsql as $$
    begin
      insert into app.ddl_log (what) values (tg_tag);
    end $$;
    create event trigger "Note; tables" on ddl_command_end when tag in ('CREATE TABLE') execute function app.note_command();
    create event trigger never_fires on sql_drop execute function app.note_command();
    alter event trigger never_fires disable;
    comment on event trigger "Note; tables" is 'an event trigger';
    """#
}
