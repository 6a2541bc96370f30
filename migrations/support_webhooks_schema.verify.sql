-- Comprueba que lo que crea support_webhooks_schema.sql existe y
-- tiene la forma esperada (webhooks).
-- Solo lee. Reúne todas las diferencias y las muestra en un único error.

do $verify$
declare
  v_problems text[] := '{}';
begin
  -- Tablas
  v_problems := v_problems || array(
    select format('%s: no existe o no es una %s', e.table_name, e.kind)
    from (
      values
        ('support_webhooks', 'tabla'),
        ('support_webhook_events', 'tabla')
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
        ('support_webhooks', 'id', 'integer', true, 'identity'),
        ('support_webhooks', 'webhook_id', 'character varying(128)', true, ''),
        ('support_webhooks', 'url', 'text', true, ''),
        ('support_webhooks', 'events', 'jsonb', true, ''),
        ('support_webhooks', 'secret', 'character varying(256)', false, ''),
        ('support_webhooks', 'headers', 'jsonb', true, '''{}''::jsonb'),
        ('support_webhooks', 'timeout', 'integer', true, '10'),
        ('support_webhooks', 'retry_attempts', 'integer', true, '3'),
        ('support_webhooks', 'enabled', 'boolean', true, 'true'),
        ('support_webhooks', 'created_at', 'timestamp with time zone', true, 'now()'),
        ('support_webhooks', 'updated_at', 'timestamp with time zone', true, 'now()'),
        ('support_webhook_events', 'id', 'bigint', true, 'identity'),
        ('support_webhook_events', 'webhook_id', 'character varying(128)', true, ''),
        ('support_webhook_events', 'event_type', 'character varying(64)', true, ''),
        ('support_webhook_events', 'payload', 'jsonb', true, ''),
        ('support_webhook_events', 'response_status', 'integer', false, ''),
        ('support_webhook_events', 'response_body', 'text', false, ''),
        ('support_webhook_events', 'success', 'boolean', true, ''),
        ('support_webhook_events', 'error_message', 'text', false, ''),
        ('support_webhook_events', 'triggered_at', 'timestamp with time zone', true, 'now()')
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
        ('support_webhooks', 'support_webhooks_pkey',
          'PRIMARY KEY (id)'),
        ('support_webhooks', 'support_webhooks_webhook_id_key',
          'UNIQUE (webhook_id)'),
        ('support_webhooks', 'support_webhooks_events_check',
          'CHECK (((jsonb_typeof(events) = ''array''::text) AND (events <> ''[]''::jsonb)))'),
        ('support_webhooks', 'support_webhooks_headers_check',
          'CHECK ((jsonb_typeof(headers) = ''object''::text))'),
        ('support_webhooks', 'support_webhooks_retry_attempts_check',
          'CHECK (((retry_attempts >= 0) AND (retry_attempts <= 10)))'),
        ('support_webhooks', 'support_webhooks_timeout_check',
          'CHECK (((timeout >= 1) AND (timeout <= 300)))'),
        ('support_webhooks', 'support_webhooks_url_check',
          'CHECK ((url ~* ''^https?://[^/[:space:]]''::text))'),
        ('support_webhook_events', 'support_webhook_events_pkey',
          'PRIMARY KEY (id)'),
        ('support_webhook_events', 'support_webhook_events_webhook_id_fkey',
          'FOREIGN KEY (webhook_id) REFERENCES support_webhooks(webhook_id) ON DELETE CASCADE')
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
        ('support_webhook_events_webhook_idx',
          'CREATE INDEX support_webhook_events_webhook_idx ON support_webhook_events USING btree (webhook_id, triggered_at DESC)')
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
        to_regclass('public.support_webhooks'),
        to_regclass('public.support_webhook_events')
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
        ('vw_webhook_stats', 1, 'webhook_id', 'character varying(128)'),
        ('vw_webhook_stats', 2, 'url', 'text'),
        ('vw_webhook_stats', 3, 'enabled', 'boolean'),
        ('vw_webhook_stats', 4, 'total_events', 'integer'),
        ('vw_webhook_stats', 5, 'successful_events', 'integer'),
        ('vw_webhook_stats', 6, 'failed_events', 'integer'),
        ('vw_webhook_stats', 7, 'success_rate', 'double precision'),
        ('vw_webhook_stats', 8, 'last_triggered_at', 'timestamp with time zone')
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
        ('support_webhooks', 'support_webhooks_touch_updated_at',
          'CREATE TRIGGER support_webhooks_touch_updated_at BEFORE UPDATE ON support_webhooks FOR EACH ROW EXECUTE FUNCTION troubleshooting_touch_updated_at()')
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
      message = format('support_webhooks_schema: diferencias: %s; la primera: %s', cardinality(v_problems), v_problems[1]),
      detail = array_to_string(v_problems, E'\n');
  end if;
end
$verify$;
