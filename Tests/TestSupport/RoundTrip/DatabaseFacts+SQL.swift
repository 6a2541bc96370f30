extension DatabaseFacts {
  /// Values read the same whatever the database's own settings; triggers stay quiet.
  static let sessionSettings = """
    set search_path = pg_catalog; set datestyle = 'ISO, YMD'; set intervalstyle = 'postgres';
    set extra_float_digits = 3; set bytea_output = 'hex'; set timezone = 'UTC'; set statement_timeout = 0;
    set session_replication_role = 'replica'; set row_security = off; set xmloption = 'content';
    set client_min_messages = 'warning';
    """

  /// Temporary functions that return facts by name. Names and values are put together by the server,
  /// because in a database without an encoding they need not be text to us.
  static let functions = printable + rowFacts + otherFacts + databaseFacts

  private static let printable = #"""
    create function pg_temp.printable(value text) returns text language sql as $$
      select case when pg_catalog.getdatabaseencoding() = 'SQL_ASCII'
        then encode(convert_to(value, 'SQL_ASCII'), 'escape') else value end;
    $$;
    create function pg_temp.acl(acl aclitem[], kind "char", owner oid) returns text language sql as $$
      select coalesce(string_agg(line, '; ' order by line collate "C"), 'nobody') from (
        select format('%s to %s by %s%s', privilege_type,
          case when grantee = 0 then 'public' else grantee::regrole::text end, grantor::regrole,
          case when is_grantable then ' with grant option' else '' end) as line
        from aclexplode(coalesce(acl, acldefault(kind, owner)))) lines;
    $$;

    """#

  private static let rowFacts = #"""
    create function pg_temp.rows_of(source text) returns text language plpgsql as $$
    declare
      result text;
    begin
      execute format('select count(*) || '' rows, '' || coalesce(sum(hashtextextended(line, 0)), 0)
        || '' '' || coalesce(sum(hashtextextended(line, 7)), 0)
        from (select fixture_row::text collate "C" as line from %s fixture_row) lines', source) into result;
      return result;
    end $$;
    create function pg_temp.row_facts(with_order boolean) returns table (fact text, value text)
    language plpgsql as $$
    declare
      r record;
    begin
      for r in
        select c.oid, c.oid::regclass::text as name, c.relkind, c.relispopulated,
          -- The hash of an enum value depends on its OID, so rows move between such partitions.
          exists (select from pg_partition_ancestors(c.oid) a join pg_partitioned_table p on p.partrelid = a.relid
            join pg_opclass o on o.oid = any (p.partclass)
            where a.relid <> c.oid and p.partstrat = 'h' and o.opcname = 'enum_ops') as moves
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p', 'm', 'S') and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
          and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid
            and d.deptype = 'e' and not exists (select from pg_extension e where c.oid = any (e.extconfig)))
      loop
        if r.relkind = 'S' then
          fact := 'sequence ' || r.name;
          execute format('select last_value || '' '' || is_called from %s', r.name) into value;
          return next;
        elsif r.relkind = 'm' then
          fact := 'rows of materialized view ' || r.name;
          value := case when r.relispopulated then pg_temp.rows_of(r.name) else 'not populated' end;
          return next;
        elsif r.relkind = 'p' then
          -- Foreign partitions may lead nowhere.
          continue when exists (select from pg_partition_tree(r.oid) t join pg_class c on c.oid = t.relid
            where c.relkind = 'f');
          fact := 'rows of partitioned table ' || r.name;
          value := pg_temp.rows_of(r.name);
          if not r.moves then return next; end if;
        elsif not r.moves then
          fact := 'rows of ' || r.name;
          value := pg_temp.rows_of('only ' || r.name);
          return next;
          if with_order then
            fact := 'order of ' || r.name;
            execute format('select md5(string_agg(md5(fixture_row::text), '''' order by fixture_row.ctid))
              from only %s fixture_row', r.name) into value;
            return next;
          end if;
        end if;
      end loop;
      return query select 'large object ' || m.oid,
          md5(lo_get(m.oid)) || ' of ' || m.lomowner::regrole || ', ' || pg_temp.acl(m.lomacl, 'L', m.lomowner)
          || coalesce(', comment ' || obj_description(m.oid, 'pg_largeobject'), '')
        from pg_largeobject_metadata m;
    end $$;

    """#

  private static let otherFacts = #"""
    create function pg_temp.other_facts() returns table (fact text, value text) language sql as $$
      with privileges (class, id, sub, acl, kind, owner, schema) as (
        select 'pg_class'::regclass, oid, 0, relacl, case relkind when 'S' then 's' else 'r' end::"char", relowner,
          relnamespace
        from pg_class where relkind in ('r', 'p', 'm', 'v', 'f', 'S')
        union all select 'pg_class'::regclass, attrelid, attnum, attacl, 'c', 10, relnamespace
        from pg_attribute a join pg_class c on c.oid = attrelid where attacl is not null and not attisdropped
        union all select 'pg_proc'::regclass, oid, 0, proacl, 'f', proowner, pronamespace from pg_proc
        union all select 'pg_type'::regclass, oid, 0, typacl, 'T', typowner, typnamespace from pg_type
        where typelem = 0 and typrelid = 0
        union all select 'pg_namespace'::regclass, oid, 0, nspacl, 'n', nspowner, oid from pg_namespace
        union all select 'pg_language'::regclass, oid, 0, lanacl, 'l', lanowner, null from pg_language
        union all select 'pg_foreign_data_wrapper'::regclass, oid, 0, fdwacl, 'F', fdwowner, null
        from pg_foreign_data_wrapper
        union all select 'pg_foreign_server'::regclass, oid, 0, srvacl, 'S', srvowner, null from pg_foreign_server)
      select 'privileges of ' || o.type || ' ' || o.identity,
        pg_temp.acl(p.acl, p.kind, p.owner) || ', owner ' || p.owner::regrole
      from privileges p left join pg_namespace n on n.oid = p.schema,
        pg_identify_object(p.class, p.id, p.sub) o
      where n.nspname is null or n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
      union all select format('default privileges of %s in %s for %s', d.defaclrole::regrole,
          coalesce(n.nspname, 'all schemas'), d.defaclobjtype), pg_temp.acl(d.defaclacl, 'r', 10)
        from pg_default_acl d left join pg_namespace n on n.oid = d.defaclnamespace
      union all select 'comment on ' || o.type || ' ' || o.identity, d.description
        from pg_description d, pg_identify_object(d.classoid, d.objoid, d.objsubid) o
        where d.objoid >= 16384 and d.classoid <> 'pg_largeobject'::regclass
      union all select 'index ' || indexrelid::regclass, format('valid %s, ready %s, clustered %s, identity %s',
          indisvalid, indisready, indisclustered, indisreplident)
        from pg_index where indexrelid >= 16384 and indrelid >= 16384
          and indrelid not in (select reltoastrelid from pg_class)
      union all select 'trigger ' || quote_ident(tgname) || ' on ' || tgrelid::regclass, tgenabled::text
        from pg_trigger where not tgisinternal
      union all select 'event trigger ' || quote_ident(evtname), evtenabled::text || ' ' || coalesce(evttags::text, '')
        from pg_event_trigger
      union all select 'constraint ' || quote_ident(conname) || ' on ' ||
          case when conrelid <> 0 then conrelid::regclass::text else contypid::regtype::text end,
          contype::text || ' validated ' || convalidated::text
        from pg_constraint where oid >= 16384
      union all select 'extension ' || quote_ident(extname), extversion || ' ' || extnamespace::regnamespace
        from pg_extension
      union all select 'enum ' || enumtypid::regtype, string_agg(quote_literal(enumlabel), ', ' order by enumsortorder)
        from pg_enum group by enumtypid
      union all select 'table ' || oid::regclass, format('persistence %s, row security %s %s, replica identity %s, method %s',
          relpersistence, relrowsecurity, relforcerowsecurity, relreplident, (select amname from pg_am a where a.oid = relam))
        from pg_class where relkind in ('r', 'p', 'm') and oid >= 16384 and relnamespace <> 'pg_toast'::regnamespace;
    $$;

    """#

  private static let databaseFacts = #"""
    create function pg_temp.database_facts() returns table (fact text, value text) language sql as $$
      select 'database', concat_ws(', ', pg_encoding_to_char(encoding), datcollate, datctype,
        'limit ' || datconnlimit, 'owner ' || datdba::regrole, pg_temp.acl(datacl, 'd', datdba),
        shobj_description(oid, 'pg_database'))
      from pg_database where datname = current_database()
      union all select 'settings of ' || case setrole when 0 then 'all' else setrole::regrole::text end,
        setconfig::text
      from pg_db_role_setting where setdatabase = (select oid from pg_database where datname = current_database());
    $$;
    """#
}
