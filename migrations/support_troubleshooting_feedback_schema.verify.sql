-- Comprueba que lo que crea support_troubleshooting_feedback_schema.sql existe y
-- tiene la forma esperada (opiniones).
-- Solo lee. Reúne todas las diferencias y las muestra en un único error.

do $verify$
declare
  v_problems text[] := '{}';
  v_foreign_key text;
  v_tickets constant regclass := to_regclass('public.support_tickets');
begin
  -- Tablas
  v_problems := v_problems || array(
    select format('%s: no existe o no es una %s', e.table_name, e.kind)
    from (
      values
        ('support_troubleshooting_feedback', 'tabla')
    ) as e (table_name, kind)
    left join pg_class as c
      on c.oid = to_regclass('public.' || e.table_name)
    where c.relkind is distinct from (case e.kind when 'tabla' then 'r' else 'p' end)::"char"
  );

  -- Columnas: tipo, obligatoriedad y valor por omisión. Una columna de más solo estorba
  -- si impide las inserciones de los clientes.
  v_problems := v_problems || array(
    with expected (table_name, column_name, type, not_null, default_value) as (
      values
        ('support_troubleshooting_feedback', 'id', 'integer', true, 'identity'),
        ('support_troubleshooting_feedback', 'session_id', 'character varying(128)', true, ''),
        ('support_troubleshooting_feedback', 'ticket_id', 'character varying(128)', false, ''),
        ('support_troubleshooting_feedback', 'customer_email', 'character varying(256)', true, ''),
        ('support_troubleshooting_feedback', 'rating', 'integer', true, ''),
        ('support_troubleshooting_feedback', 'feedback_text', 'text', false, ''),
        ('support_troubleshooting_feedback', 'was_helpful', 'boolean', false, ''),
        ('support_troubleshooting_feedback', 'problem_detected_id', 'character varying(128)', false, ''),
        ('support_troubleshooting_feedback', 'total_steps', 'integer', false, ''),
        ('support_troubleshooting_feedback', 'completed_steps', 'integer', false, ''),
        ('support_troubleshooting_feedback', 'resolved', 'boolean', false, ''),
        ('support_troubleshooting_feedback', 'collected_at', 'timestamp with time zone', true, 'now()')
    ),
    actual as (
      select
        c.relname as table_name,
        a.attname as column_name,
        format_type(a.atttypid, a.atttypmod) as type,
        a.attnotnull as not_null,
        case
          when a.attidentity <> '' then 'identity'
          else coalesce(pg_get_expr(d.adbin, d.adrelid), '')
        end as default_value
      from pg_class as c
      join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
      where c.relnamespace = 'public'::regnamespace
        and c.relname in (select e.table_name from expected as e)
    )
    select
      case
        when a.column_name is null then format('%s.%s: falta la columna', e.table_name, e.column_name)
        when e.column_name is null then
          format('%s.%s: sobra una columna obligatoria sin valor por omisión', a.table_name, a.column_name)
        else format(
          '%s.%s: es "%s", se esperaba "%s"',
          e.table_name, e.column_name,
          concat_ws(' ', a.type, case when a.not_null then 'not null' end, 'default ' || nullif(a.default_value, '')),
          concat_ws(' ', e.type, case when e.not_null then 'not null' end, 'default ' || nullif(e.default_value, '')))
      end
    from expected as e
    full join actual as a on a.table_name = e.table_name and a.column_name = e.column_name
    where case
        when a.column_name is null then to_regclass('public.' || e.table_name) is not null
        when e.column_name is null then a.not_null and a.default_value = ''
        else (a.type, a.not_null, a.default_value) <> (e.type, e.not_null, e.default_value)
      end
  );

  -- Claves y restricciones, con su acción y ya validadas
  v_problems := v_problems || array(
    select
      case
        when k.definition is null then format('%s: falta la restricción "%s"', e.table_name, e.name)
        else format('%s: la restricción "%s" es "%s", se esperaba "%s"', e.table_name, e.name, k.definition, e.definition)
      end
    from (
      values
        ('support_troubleshooting_feedback', 'support_troubleshooting_feedback_pkey',
          'PRIMARY KEY (id)'),
        ('support_troubleshooting_feedback', 'support_troubleshooting_feedback_session_id_fkey',
          'FOREIGN KEY (session_id) REFERENCES support_troubleshooting_sessions(session_id) ON DELETE CASCADE'),
        ('support_troubleshooting_feedback', 'support_troubleshooting_feedback_rating_check',
          'CHECK (((rating >= 1) AND (rating <= 5)))')
    ) as e (table_name, name, definition)
    join pg_class as c
      on c.oid = to_regclass('public.' || e.table_name)
    left join lateral (
      select regexp_replace(replace(pg_get_constraintdef(k.oid), 'public.', ''), '\s+', ' ', 'g') as definition
      from pg_constraint as k
      where k.conrelid = c.oid and k.conname = e.name
    ) as k on true
    where k.definition is distinct from e.definition
  );

  -- Clave externa hacia support_tickets: puede faltar donde esa tabla no existe
  -- o su clave no sirve, y queda sin validar mientras haya filas huérfanas.
  select replace(pg_get_constraintdef(k.oid), 'public.', '')
    into v_foreign_key
    from pg_constraint as k
   where k.conrelid = to_regclass('public.support_troubleshooting_feedback')
     and k.conname = 'support_troubleshooting_feedback_ticket_id_fkey';

  if v_foreign_key is null then
    if exists (
      select
        from pg_index as i
        join pg_class as c on c.oid = i.indrelid
        join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
       where i.indrelid = v_tickets
         and c.relkind in ('r', 'p')
         and i.indisunique and i.indisvalid and i.indimmediate
         and i.indnkeyatts = 1
         and i.indpred is null
         and a.attname = 'ticket_id'
         and a.atttypid = 'varchar'::regtype
    ) then
      raise warning 'falta la clave externa "support_troubleshooting_feedback_ticket_id_fkey", aunque public.support_tickets la permite: vuelva a ejecutar support_troubleshooting_feedback_schema.sql';
    end if;
  elsif v_foreign_key = 'FOREIGN KEY (ticket_id) REFERENCES support_tickets(ticket_id) ON DELETE SET NULL NOT VALID' then
    raise warning 'la clave externa "support_troubleshooting_feedback_ticket_id_fkey" está sin validar: hay filas cuyo ticket no existe';
  elsif v_foreign_key <> 'FOREIGN KEY (ticket_id) REFERENCES support_tickets(ticket_id) ON DELETE SET NULL' then
    v_problems := v_problems || format(
      'support_troubleshooting_feedback: la restricción "support_troubleshooting_feedback_ticket_id_fkey" es "%s"', v_foreign_key);
  end if;

  -- Índices, válidos y listos
  v_problems := v_problems || array(
    select
      case
        when i.definition is null then format('falta el índice "%s"', e.name)
        when i.definition <> e.definition then
          format('el índice "%s" es "%s", se esperaba "%s"', e.name, i.definition, e.definition)
        else format('el índice "%s" no es válido: bórrelo y vuelva a crearlo', e.name)
      end
    from (
      values
        ('support_troubleshooting_feedback_session_idx',
          'CREATE INDEX support_troubleshooting_feedback_session_idx ON support_troubleshooting_feedback USING btree (session_id, collected_at DESC)'),
        ('support_troubleshooting_feedback_collected_at_idx',
          'CREATE INDEX support_troubleshooting_feedback_collected_at_idx ON support_troubleshooting_feedback USING btree (collected_at)'),
        ('support_troubleshooting_feedback_ticket_id_idx',
          'CREATE INDEX support_troubleshooting_feedback_ticket_id_idx ON support_troubleshooting_feedback USING btree (ticket_id) WHERE (ticket_id IS NOT NULL)')
    ) as e (name, definition)
    left join lateral (
      select
        replace(pg_get_indexdef(i.indexrelid), 'public.', '') as definition,
        i.indisvalid and i.indisready as usable
      from pg_index as i
      where i.indexrelid = to_regclass('public.' || e.name)
    ) as i on true
    where (i.definition, i.usable) is distinct from (e.definition, true)
  );

  -- También los índices de las claves.
  v_problems := v_problems || array(
    select format('el índice "%s" de la tabla %s no es válido', i.indexrelid::regclass, i.indrelid::regclass)
    from pg_index as i
    where not (i.indisvalid and i.indisready)
      and i.indrelid in (
        to_regclass('public.support_troubleshooting_feedback')
      )
      and exists (select from pg_constraint as k where k.conindid = i.indexrelid and k.conrelid = i.indrelid)
  );

  -- Vista: columnas, por orden y tipo
  v_problems := v_problems || array(
    select format(
      '%s, columna %s: es "%s", se esperaba "%s"',
      e.view_name, e.position, coalesce(a.actual, 'ninguna'), e.name || ' ' || e.type)
    from (
      values
        ('vw_troubleshooting_feedback_summary', 1, 'date', 'date'),
        ('vw_troubleshooting_feedback_summary', 2, 'total_feedback', 'integer'),
        ('vw_troubleshooting_feedback_summary', 3, 'average_rating', 'double precision'),
        ('vw_troubleshooting_feedback_summary', 4, 'helpful_count', 'integer'),
        ('vw_troubleshooting_feedback_summary', 5, 'resolved_count', 'integer'),
        ('vw_troubleshooting_feedback_summary', 6, 'positive_feedback_count', 'integer')
    ) as e (view_name, position, name, type)
    left join lateral (
      select format('%s %s', a.attname, format_type(a.atttypid, a.atttypmod)) as actual
      from pg_attribute as a
      join pg_class as c on c.oid = a.attrelid
      where c.oid = to_regclass('public.' || e.view_name)
        and c.relkind = 'v'
        and a.attnum = e.position
    ) as a on true
    where a.actual is distinct from e.name || ' ' || e.type
  );

  -- Funciones: una sola por nombre, con su firma, su resultado y search_path fijo
  v_problems := v_problems || array(
    select
      case
        when f.overloads is null then format('falta la función "%s(%s)"', e.name, e.arguments)
        when f.overloads > 1 then format('hay %s funciones con el nombre "%s"', f.overloads, e.name)
        when f.search_path is null then format('la función "%s" no fija search_path', e.name)
        else format('la función es "%s", se esperaba "%s"', f.signature, e.signature)
      end
    from (
      select
        v.*,
        format(
          '%s(%s) returns %s, %s valores por omisión, %s%s', v.name, v.arguments, v.result, v.defaults, v.volatility,
          case when v.security_definer then ', security definer' else '' end) as signature
      from (
        values
          (
            'troubleshooting_copy_feedback_rating', '',
            'trigger',
            0, false, 'volatile'),
          (
            'get_feedback_by_problem', 'timestamp with time zone, timestamp with time zone',
            'TABLE(problem_id character varying, total_feedback integer, average_rating double precision, helpful_percentage double precision, resolution_rate double precision)',
            2, false, 'stable')
      ) as v (name, arguments, result, defaults, security_definer, volatility)
    ) as e
    left join (
      select
        p.proname,
        count(*) as overloads,
        min(
          format(
            '%s(%s) returns %s, %s valores por omisión, %s%s', p.proname, oidvectortypes(p.proargtypes),
            pg_get_function_result(p.oid), p.pronargdefaults,
            case p.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end,
            case when p.prosecdef then ', security definer' else '' end)) as signature,
        min(setting.search_path) as search_path
      from pg_proc as p
      left join lateral (
        select s as search_path from unnest(p.proconfig) as s where s like 'search_path=%'
      ) as setting on true
      where p.pronamespace = 'public'::regnamespace
      group by p.proname
    ) as f on f.proname = e.name
    where f.overloads is distinct from 1
       or f.search_path is null
       or f.signature is distinct from e.signature
  );

  -- Disparadores, activos
  v_problems := v_problems || array(
    select
      case
        when t.definition is null then format('%s: falta el disparador "%s"', e.table_name, e.name)
        when t.definition <> e.definition then
          format('el disparador "%s" es "%s", se esperaba "%s"', e.name, t.definition, e.definition)
        else format('%s: el disparador "%s" está desactivado', e.table_name, e.name)
      end
    from (
      values
        ('support_troubleshooting_feedback', 'support_troubleshooting_feedback_copy_rating',
          'CREATE TRIGGER support_troubleshooting_feedback_copy_rating AFTER INSERT ON support_troubleshooting_feedback REFERENCING NEW TABLE AS new_feedback FOR EACH STATEMENT EXECUTE FUNCTION troubleshooting_copy_feedback_rating()')
    ) as e (table_name, name, definition)
    left join lateral (
      select
        replace(pg_get_triggerdef(t.oid), 'public.', '') as definition,
        t.tgenabled in ('O', 'A') as enabled
      from pg_trigger as t
      where t.tgrelid = to_regclass('public.' || e.table_name)
        and t.tgname = e.name
    ) as t on true
    where (t.definition, t.enabled) is distinct from (e.definition, true)
  );

  if cardinality(v_problems) > 0 then
    raise exception using
      message = format('support_troubleshooting_feedback_schema: diferencias: %s; la primera: %s', cardinality(v_problems), v_problems[1]),
      detail = array_to_string(v_problems, E'\n');
  end if;
end
$verify$;
