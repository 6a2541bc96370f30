-- Comprueba que lo que crea support_troubleshooting_performance_schema.sql existe y
-- tiene la forma esperada (auditoría, vistas materializadas, caché, límites y métricas).
-- Solo lee. Reúne todas las diferencias y las muestra en un único error.

do $verify$
declare
  v_problems text[] := '{}';
  v_datestyle constant text := current_setting('datestyle');
  v_rows bigint;
  v_covers_now boolean;
  v_covers_next_month boolean;
begin
  -- Tablas
  v_problems := v_problems || array(
    select format('%s: no existe o no es una %s', e.table_name, e.kind)
    from (
      values
        ('support_troubleshooting_audit_log', 'tabla particionada'),
        ('support_troubleshooting_cache', 'tabla'),
        ('support_troubleshooting_rate_limits', 'tabla'),
        ('support_troubleshooting_performance_metrics', 'tabla')
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
        ('support_troubleshooting_audit_log', 'id', 'bigint', true, 'identity'),
        ('support_troubleshooting_audit_log', 'table_name', 'character varying(128)', true, ''),
        ('support_troubleshooting_audit_log', 'record_id', 'character varying(128)', true, ''),
        ('support_troubleshooting_audit_log', 'action', 'character varying(16)', true, ''),
        ('support_troubleshooting_audit_log', 'old_values', 'jsonb', false, ''),
        ('support_troubleshooting_audit_log', 'new_values', 'jsonb', false, ''),
        ('support_troubleshooting_audit_log', 'changed_by', 'character varying(256)', false, ''),
        ('support_troubleshooting_audit_log', 'changed_at', 'timestamp with time zone', true, 'now()'),
        ('support_troubleshooting_audit_log', 'ip_address', 'inet', false, ''),
        ('support_troubleshooting_cache', 'cache_key', 'character varying(256)', true, ''),
        ('support_troubleshooting_cache', 'cache_value', 'jsonb', true, ''),
        ('support_troubleshooting_cache', 'expires_at', 'timestamp with time zone', true, ''),
        ('support_troubleshooting_cache', 'created_at', 'timestamp with time zone', true, 'now()'),
        ('support_troubleshooting_cache', 'hit_count', 'integer', true, '0'),
        ('support_troubleshooting_cache', 'last_accessed_at', 'timestamp with time zone', false, ''),
        ('support_troubleshooting_rate_limits', 'id', 'integer', true, 'identity'),
        ('support_troubleshooting_rate_limits', 'identifier', 'character varying(256)', true, ''),
        ('support_troubleshooting_rate_limits', 'limit_type', 'character varying(64)', true, ''),
        ('support_troubleshooting_rate_limits', 'current_count', 'integer', true, '0'),
        ('support_troubleshooting_rate_limits', 'window_start', 'timestamp with time zone', true, 'now()'),
        ('support_troubleshooting_rate_limits', 'blocked_until', 'timestamp with time zone', false, ''),
        ('support_troubleshooting_rate_limits', 'created_at', 'timestamp with time zone', true, 'now()'),
        ('support_troubleshooting_rate_limits', 'updated_at', 'timestamp with time zone', true, 'now()'),
        ('support_troubleshooting_performance_metrics', 'id', 'bigint', true, 'identity'),
        ('support_troubleshooting_performance_metrics', 'metric_name', 'character varying(128)', true, ''),
        ('support_troubleshooting_performance_metrics', 'metric_value', 'numeric', true, ''),
        ('support_troubleshooting_performance_metrics', 'metric_unit', 'character varying(32)', false, ''),
        ('support_troubleshooting_performance_metrics', 'context', 'jsonb', true, '''{}''::jsonb'),
        ('support_troubleshooting_performance_metrics', 'recorded_at', 'timestamp with time zone', true, 'now()')
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
        ('support_troubleshooting_audit_log', 'support_troubleshooting_audit_log_pkey',
          'PRIMARY KEY (id, changed_at)'),
        ('support_troubleshooting_audit_log', 'support_troubleshooting_audit_log_action_check',
          'CHECK (((action)::text = ANY (ARRAY[''INSERT''::text, ''UPDATE''::text, ''DELETE''::text])))'),
        ('support_troubleshooting_cache', 'support_troubleshooting_cache_pkey',
          'PRIMARY KEY (cache_key)'),
        ('support_troubleshooting_rate_limits', 'support_troubleshooting_rate_limits_pkey',
          'PRIMARY KEY (id)'),
        ('support_troubleshooting_rate_limits', 'support_troubleshooting_rate_limits_identifier_limit_type_key',
          'UNIQUE (identifier, limit_type)'),
        ('support_troubleshooting_performance_metrics', 'support_troubleshooting_performance_metrics_pkey',
          'PRIMARY KEY (id)')
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
        ('support_troubleshooting_audit_log_table_idx',
          'CREATE INDEX support_troubleshooting_audit_log_table_idx ON ONLY support_troubleshooting_audit_log USING btree (table_name, changed_at DESC)'),
        ('support_troubleshooting_audit_log_changed_at_idx',
          'CREATE INDEX support_troubleshooting_audit_log_changed_at_idx ON ONLY support_troubleshooting_audit_log USING btree (changed_at)'),
        ('support_troubleshooting_audit_log_record_idx',
          'CREATE INDEX support_troubleshooting_audit_log_record_idx ON ONLY support_troubleshooting_audit_log USING btree (table_name, record_id)'),
        ('support_troubleshooting_cache_expires_at_idx',
          'CREATE INDEX support_troubleshooting_cache_expires_at_idx ON support_troubleshooting_cache USING btree (expires_at)'),
        ('support_troubleshooting_rate_limits_window_start_idx',
          'CREATE INDEX support_troubleshooting_rate_limits_window_start_idx ON support_troubleshooting_rate_limits USING btree (window_start)'),
        ('support_troubleshooting_performance_metrics_name_idx',
          'CREATE INDEX support_troubleshooting_performance_metrics_name_idx ON support_troubleshooting_performance_metrics USING btree (metric_name, recorded_at DESC)'),
        ('support_troubleshooting_performance_metrics_recorded_at_idx',
          'CREATE INDEX support_troubleshooting_performance_metrics_recorded_at_idx ON support_troubleshooting_performance_metrics USING btree (recorded_at)'),
        ('mv_daily_troubleshooting_summary_date_idx',
          'CREATE UNIQUE INDEX mv_daily_troubleshooting_summary_date_idx ON mv_daily_troubleshooting_summary USING btree (date)'),
        ('mv_top_problems_detected_problem_id_idx',
          'CREATE UNIQUE INDEX mv_top_problems_detected_problem_id_idx ON mv_top_problems USING btree (detected_problem_id)'),
        ('mv_feedback_summary_problem_detected_id_idx',
          'CREATE UNIQUE INDEX mv_feedback_summary_problem_detected_id_idx ON mv_feedback_summary USING btree (problem_detected_id)'),
        ('support_troubleshooting_sessions_search_idx',
          'CREATE INDEX support_troubleshooting_sessions_search_idx ON support_troubleshooting_sessions USING gin (to_tsvector(''spanish''::regconfig, ((problem_description || '' ''::text) || (COALESCE(detected_problem_title, ''''::character varying))::text)))')
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
        to_regclass('public.support_troubleshooting_audit_log'),
        to_regclass('public.support_troubleshooting_cache'),
        to_regclass('public.support_troubleshooting_rate_limits'),
        to_regclass('public.support_troubleshooting_performance_metrics')
      )
      and exists (select from pg_constraint as k where k.conindid = i.indexrelid and k.conrelid = i.indrelid)
  );

  -- Vistas materializadas: columnas, por orden y tipo
  v_problems := v_problems || array(
    select format(
      '%s, columna %s: es "%s", se esperaba "%s"',
      e.view_name, e.position, coalesce(a.actual, 'ninguna'), e.name || ' ' || e.type)
    from (
      values
        ('mv_daily_troubleshooting_summary', 1, 'date', 'date'),
        ('mv_daily_troubleshooting_summary', 2, 'total_sessions', 'integer'),
        ('mv_daily_troubleshooting_summary', 3, 'resolved', 'integer'),
        ('mv_daily_troubleshooting_summary', 4, 'escalated', 'integer'),
        ('mv_daily_troubleshooting_summary', 5, 'active', 'integer'),
        ('mv_daily_troubleshooting_summary', 6, 'avg_duration_minutes', 'double precision'),
        ('mv_daily_troubleshooting_summary', 7, 'unique_problems', 'integer'),
        ('mv_daily_troubleshooting_summary', 8, 'unique_customers', 'integer'),
        ('mv_top_problems', 1, 'detected_problem_id', 'character varying(128)'),
        ('mv_top_problems', 2, 'detected_problem_title', 'character varying'),
        ('mv_top_problems', 3, 'total_sessions', 'integer'),
        ('mv_top_problems', 4, 'resolved_count', 'integer'),
        ('mv_top_problems', 5, 'escalated_count', 'integer'),
        ('mv_top_problems', 6, 'resolution_rate', 'double precision'),
        ('mv_top_problems', 7, 'avg_duration_minutes', 'double precision'),
        ('mv_top_problems', 8, 'last_occurrence', 'timestamp with time zone'),
        ('mv_feedback_summary', 1, 'problem_detected_id', 'character varying(128)'),
        ('mv_feedback_summary', 2, 'total_feedback', 'integer'),
        ('mv_feedback_summary', 3, 'avg_rating', 'double precision'),
        ('mv_feedback_summary', 4, 'positive_count', 'integer'),
        ('mv_feedback_summary', 5, 'negative_count', 'integer'),
        ('mv_feedback_summary', 6, 'helpful_count', 'integer'),
        ('mv_feedback_summary', 7, 'helpful_percentage', 'double precision'),
        ('mv_feedback_summary', 8, 'last_feedback', 'timestamp with time zone')
    ) as e (view_name, position, name, type)
    left join lateral (
      select format('%s %s', a.attname, format_type(a.atttypid, a.atttypmod)) as actual
      from pg_attribute as a
      join pg_class as c on c.oid = a.attrelid
      where c.oid = to_regclass('public.' || e.view_name)
        and c.relkind = 'm'
        and a.attnum = e.position
    ) as a on true
    where a.actual is distinct from e.name || ' ' || e.type
  );

  -- Cada vista materializada tiene datos y un índice único sobre su clave, sin
  -- condición ni expresión: sin él no hay refresco concurrente.
  v_problems := v_problems || array(
    select format(
      'la vista materializada "%s" %s', e.name,
      case when c.relispopulated then 'no tiene un índice único sobre ' || e.key else 'no tiene datos: refrésquela' end)
    from (
      values
        ('mv_daily_troubleshooting_summary', 'date'),
        ('mv_top_problems', 'detected_problem_id'),
        ('mv_feedback_summary', 'problem_detected_id')
    ) as e (name, key)
    join pg_class as c
      on c.oid = to_regclass('public.' || e.name)
    where not c.relispopulated
       or not exists (
         select
         from pg_index as i
         join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
         where i.indrelid = c.oid
           and i.indisunique and i.indisvalid and i.indisready and i.indimmediate
           and i.indpred is null and i.indexprs is null
           and i.indnkeyatts = 1
           and a.attname = e.key
       )
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
            'troubleshooting_audit_row', '',
            'trigger',
            0, true, 'volatile'),
          (
            'refresh_troubleshooting_views', '',
            'void',
            0, true, 'volatile'),
          (
            'cleanup_expired_cache', '',
            'integer',
            0, false, 'volatile'),
          (
            'check_rate_limit', 'character varying, character varying, integer, integer',
            'boolean',
            1, false, 'volatile'),
          (
            'get_performance_stats', 'character varying, integer',
            'TABLE(avg_value numeric, min_value numeric, max_value numeric, p95_value numeric, sample_count bigint, p99_value numeric)',
            1, false, 'stable'),
          (
            'maintenance_troubleshooting_tables', '',
            'TABLE(task character varying, result text, rows_affected bigint)',
            0, false, 'volatile'),
          (
            'search_troubleshooting_sessions', 'text, integer',
            'TABLE(session_id character varying, customer_email character varying, problem_description text, detected_problem_title character varying, status character varying, started_at timestamp with time zone, rank real)',
            1, false, 'stable')
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
        ('support_troubleshooting_sessions', 'support_troubleshooting_sessions_audit',
          'CREATE TRIGGER support_troubleshooting_sessions_audit AFTER INSERT OR DELETE OR UPDATE ON support_troubleshooting_sessions FOR EACH ROW EXECUTE FUNCTION troubleshooting_audit_row(''session_id'')'),
        ('support_webhooks', 'support_webhooks_audit',
          'CREATE TRIGGER support_webhooks_audit AFTER INSERT OR DELETE OR UPDATE ON support_webhooks FOR EACH ROW EXECUTE FUNCTION troubleshooting_audit_row(''webhook_id'')'),
        ('support_troubleshooting_config', 'support_troubleshooting_config_audit',
          'CREATE TRIGGER support_troubleshooting_config_audit AFTER INSERT OR DELETE OR UPDATE ON support_troubleshooting_config FOR EACH ROW EXECUTE FUNCTION troubleshooting_audit_row(''config_key'')')
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

  -- Auditoría: particionada por meses UTC, con la partición por defecto vacía y
  -- el mes en curso creado.
  if exists (
    select
    from pg_partitioned_table as p
    where p.partrelid = to_regclass('public.support_troubleshooting_audit_log')
  ) then
    v_problems := v_problems || array(
      select format(
        'support_troubleshooting_audit_log: particionada por "%s", se esperaba "RANGE (changed_at)"',
        pg_get_partkeydef(p.partrelid))
      from pg_partitioned_table as p
      where p.partrelid = 'public.support_troubleshooting_audit_log'::regclass
        and pg_get_partkeydef(p.partrelid) <> 'RANGE (changed_at)'
    );

    if exists (
      select
      from pg_partitioned_table as p
      where p.partrelid = 'public.support_troubleshooting_audit_log'::regclass
        and p.partdefid = to_regclass('public.support_troubleshooting_audit_log_default')
    ) then
      select count(*) into v_rows from public.support_troubleshooting_audit_log_default;
      if v_rows > 0 then
        v_problems := v_problems || format(
          'support_troubleshooting_audit_log_default: la partición por defecto tiene %s filas y debe estar vacía', v_rows);
      end if;
    else
      v_problems := v_problems ||
        'support_troubleshooting_audit_log: falta la partición por defecto "support_troubleshooting_audit_log_default"'::text;
    end if;

    -- Los límites se leen del catálogo como texto: en ISO no dependen de la
    -- configuración de la conexión, que se repone después.
    perform set_config('datestyle', 'ISO', true);
    with partition as (
      select
        c.relname as name,
        (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \(''([^'']+)''\)'))[1]::timestamptz as lower_bound,
        (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'TO \(''([^'']+)''\)'))[1]::timestamptz as upper_bound
      from pg_inherits as i
      join pg_class as c on c.oid = i.inhrelid
      where i.inhparent = 'public.support_troubleshooting_audit_log'::regclass
    )
    select
      coalesce(bool_or(now() >= p.lower_bound and now() < p.upper_bound), false),
      coalesce(bool_or(m.next_month >= p.lower_bound and m.next_month < p.upper_bound), false),
      v_problems || coalesce(
        array_agg(format('%s: sus límites no son un mes UTC', p.name) order by p.name)
          filter (
            where date_trunc('month', p.lower_bound at time zone 'UTC') <> p.lower_bound at time zone 'UTC'
               or p.upper_bound at time zone 'UTC' <> p.lower_bound at time zone 'UTC' + interval '1 month'
          ),
        '{}')
      into v_covers_now, v_covers_next_month, v_problems
      from partition as p
      cross join (
        select (date_trunc('month', now() at time zone 'UTC') + interval '1 month') at time zone 'UTC'
      ) as m (next_month);
    perform set_config('datestyle', v_datestyle, true);

    if not v_covers_now then
      v_problems := v_problems || 'support_troubleshooting_audit_log: falta la partición del mes en curso'::text;
    elsif not v_covers_next_month then
      raise warning 'support_troubleshooting_audit_log: falta la partición del mes próximo; la crea el mantenimiento, o repetir support_troubleshooting_performance_schema.sql';
    end if;
  end if;

  if cardinality(v_problems) > 0 then
    raise exception using
      message = format('support_troubleshooting_performance_schema: diferencias: %s; la primera: %s', cardinality(v_problems), v_problems[1]),
      detail = array_to_string(v_problems, E'\n');
  end if;
end
$verify$;
