-- Comprueba que lo que crea support_troubleshooting_advanced_schema.sql existe y
-- tiene la forma esperada (notificaciones, configuración, errores, predicciones, entrenamiento e informes).
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
        ('support_troubleshooting_notifications', 'tabla'),
        ('support_troubleshooting_config', 'tabla'),
        ('support_troubleshooting_errors', 'tabla'),
        ('support_troubleshooting_predictions', 'tabla'),
        ('support_troubleshooting_ml_training', 'tabla'),
        ('support_troubleshooting_reports', 'tabla')
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
        ('support_troubleshooting_notifications', 'id', 'integer', true, 'identity'),
        ('support_troubleshooting_notifications', 'session_id', 'character varying(128)', true, ''),
        ('support_troubleshooting_notifications', 'notification_type', 'character varying(64)', true, ''),
        ('support_troubleshooting_notifications', 'recipient', 'character varying(256)', true, ''),
        ('support_troubleshooting_notifications', 'subject', 'character varying(512)', false, ''),
        ('support_troubleshooting_notifications', 'message', 'text', true, ''),
        ('support_troubleshooting_notifications', 'status', 'character varying(32)', true, '''pending''::character varying'),
        ('support_troubleshooting_notifications', 'sent_at', 'timestamp with time zone', false, ''),
        ('support_troubleshooting_notifications', 'delivered_at', 'timestamp with time zone', false, ''),
        ('support_troubleshooting_notifications', 'read_at', 'timestamp with time zone', false, ''),
        ('support_troubleshooting_notifications', 'error_message', 'text', false, ''),
        ('support_troubleshooting_notifications', 'metadata', 'jsonb', true, '''{}''::jsonb'),
        ('support_troubleshooting_notifications', 'created_at', 'timestamp with time zone', true, 'now()'),
        ('support_troubleshooting_config', 'id', 'integer', true, 'identity'),
        ('support_troubleshooting_config', 'config_key', 'character varying(128)', true, ''),
        ('support_troubleshooting_config', 'config_value', 'text', true, ''),
        ('support_troubleshooting_config', 'config_type', 'character varying(32)', true, '''string''::character varying'),
        ('support_troubleshooting_config', 'description', 'text', false, ''),
        ('support_troubleshooting_config', 'updated_by', 'character varying(256)', false, ''),
        ('support_troubleshooting_config', 'updated_at', 'timestamp with time zone', true, 'now()'),
        ('support_troubleshooting_errors', 'id', 'bigint', true, 'identity'),
        ('support_troubleshooting_errors', 'error_type', 'character varying(128)', true, ''),
        ('support_troubleshooting_errors', 'error_message', 'text', true, ''),
        ('support_troubleshooting_errors', 'severity', 'character varying(16)', true, ''),
        ('support_troubleshooting_errors', 'category', 'character varying(32)', true, ''),
        ('support_troubleshooting_errors', 'session_id', 'character varying(128)', false, ''),
        ('support_troubleshooting_errors', 'ticket_id', 'character varying(128)', false, ''),
        ('support_troubleshooting_errors', 'stack_trace', 'text', false, ''),
        ('support_troubleshooting_errors', 'metadata', 'jsonb', true, '''{}''::jsonb'),
        ('support_troubleshooting_errors', 'occurred_at', 'timestamp with time zone', true, 'now()'),
        ('support_troubleshooting_predictions', 'prediction_id', 'uuid', true, 'gen_random_uuid()'),
        ('support_troubleshooting_predictions', 'customer_email', 'character varying(256)', true, ''),
        ('support_troubleshooting_predictions', 'predicted_problem_id', 'character varying(128)', true, ''),
        ('support_troubleshooting_predictions', 'predicted_problem_title', 'character varying(512)', false, ''),
        ('support_troubleshooting_predictions', 'probability', 'numeric(5,2)', false, ''),
        ('support_troubleshooting_predictions', 'confidence', 'numeric(5,2)', false, ''),
        ('support_troubleshooting_predictions', 'prediction_reasons', 'jsonb', true, '''[]''::jsonb'),
        ('support_troubleshooting_predictions', 'recommended_actions', 'jsonb', true, '''[]''::jsonb'),
        ('support_troubleshooting_predictions', 'estimated_impact', 'character varying(20)', false, ''),
        ('support_troubleshooting_predictions', 'predicted_at', 'timestamp with time zone', true, 'now()'),
        ('support_troubleshooting_predictions', 'was_correct', 'boolean', false, ''),
        ('support_troubleshooting_predictions', 'actual_problem_id', 'character varying(128)', false, ''),
        ('support_troubleshooting_predictions', 'verified_at', 'timestamp with time zone', false, ''),
        ('support_troubleshooting_ml_training', 'id', 'integer', true, 'identity'),
        ('support_troubleshooting_ml_training', 'problem_description', 'text', true, ''),
        ('support_troubleshooting_ml_training', 'detected_problem_id', 'character varying(128)', false, ''),
        ('support_troubleshooting_ml_training', 'actual_problem_id', 'character varying(128)', false, ''),
        ('support_troubleshooting_ml_training', 'confidence_score', 'numeric(5,4)', false, ''),
        ('support_troubleshooting_ml_training', 'corrected_by', 'character varying(256)', false, ''),
        ('support_troubleshooting_ml_training', 'correction_notes', 'text', false, ''),
        ('support_troubleshooting_ml_training', 'used_for_training', 'boolean', true, 'false'),
        ('support_troubleshooting_ml_training', 'created_at', 'timestamp with time zone', true, 'now()'),
        ('support_troubleshooting_reports', 'id', 'integer', true, 'identity'),
        ('support_troubleshooting_reports', 'report_id', 'character varying(128)', true, ''),
        ('support_troubleshooting_reports', 'report_name', 'character varying(256)', false, ''),
        ('support_troubleshooting_reports', 'report_type', 'character varying(64)', true, ''),
        ('support_troubleshooting_reports', 'parameters', 'jsonb', true, '''{}''::jsonb'),
        ('support_troubleshooting_reports', 'report_data', 'jsonb', true, ''),
        ('support_troubleshooting_reports', 'generated_at', 'timestamp with time zone', true, 'now()'),
        ('support_troubleshooting_reports', 'expires_at', 'timestamp with time zone', false, '')
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
        ('support_troubleshooting_notifications', 'support_troubleshooting_notifications_pkey',
          'PRIMARY KEY (id)'),
        ('support_troubleshooting_notifications', 'support_troubleshooting_notifications_session_id_fkey',
          'FOREIGN KEY (session_id) REFERENCES support_troubleshooting_sessions(session_id) ON DELETE CASCADE'),
        ('support_troubleshooting_notifications', 'support_troubleshooting_notifications_status_check',
          'CHECK (((status)::text = ANY (ARRAY[''pending''::text, ''sent''::text, ''delivered''::text, ''read''::text, ''failed''::text])))'),
        ('support_troubleshooting_config', 'support_troubleshooting_config_pkey',
          'PRIMARY KEY (id)'),
        ('support_troubleshooting_config', 'support_troubleshooting_config_config_key_key',
          'UNIQUE (config_key)'),
        ('support_troubleshooting_config', 'support_troubleshooting_config_type_check',
          'CHECK (((config_type)::text = ANY (ARRAY[''string''::text, ''number''::text, ''boolean''::text, ''json''::text])))'),
        ('support_troubleshooting_config', 'support_troubleshooting_config_value_check',
          'CHECK ( CASE (config_type)::text WHEN ''number''::text THEN (config_value ~ ''^-?[0-9]+([.][0-9]+)?([eE][+-]?[0-9]+)?$''::text) WHEN ''boolean''::text THEN (config_value = ANY (ARRAY[''true''::text, ''false''::text])) WHEN ''json''::text THEN ((config_value)::jsonb IS NOT NULL) ELSE true END)'),
        ('support_troubleshooting_errors', 'support_troubleshooting_errors_pkey',
          'PRIMARY KEY (id)'),
        ('support_troubleshooting_errors', 'support_troubleshooting_errors_category_check',
          'CHECK (((category)::text = ANY (ARRAY[''validation''::text, ''database''::text, ''external_api''::text, ''configuration''::text, ''business_logic''::text, ''unknown''::text])))'),
        ('support_troubleshooting_errors', 'support_troubleshooting_errors_severity_check',
          'CHECK (((severity)::text = ANY (ARRAY[''low''::text, ''medium''::text, ''high''::text, ''critical''::text])))'),
        ('support_troubleshooting_predictions', 'support_troubleshooting_predictions_pkey',
          'PRIMARY KEY (prediction_id)'),
        ('support_troubleshooting_predictions', 'support_troubleshooting_predictions_actions_check',
          'CHECK ((jsonb_typeof(recommended_actions) = ''array''::text))'),
        ('support_troubleshooting_predictions', 'support_troubleshooting_predictions_confidence_check',
          'CHECK (((confidence >= (0)::numeric) AND (confidence <= (100)::numeric)))'),
        ('support_troubleshooting_predictions', 'support_troubleshooting_predictions_impact_check',
          'CHECK (((estimated_impact)::text = ANY (ARRAY[''low''::text, ''medium''::text, ''high''::text])))'),
        ('support_troubleshooting_predictions', 'support_troubleshooting_predictions_probability_check',
          'CHECK (((probability >= (0)::numeric) AND (probability <= (100)::numeric)))'),
        ('support_troubleshooting_predictions', 'support_troubleshooting_predictions_reasons_check',
          'CHECK ((jsonb_typeof(prediction_reasons) = ''array''::text))'),
        ('support_troubleshooting_ml_training', 'support_troubleshooting_ml_training_pkey',
          'PRIMARY KEY (id)'),
        ('support_troubleshooting_ml_training', 'support_troubleshooting_ml_training_confidence_check',
          'CHECK (((confidence_score >= (0)::numeric) AND (confidence_score <= (1)::numeric)))'),
        ('support_troubleshooting_reports', 'support_troubleshooting_reports_pkey',
          'PRIMARY KEY (id)'),
        ('support_troubleshooting_reports', 'support_troubleshooting_reports_report_id_key',
          'UNIQUE (report_id)'),
        ('support_troubleshooting_reports', 'support_troubleshooting_reports_type_check',
          'CHECK (((report_type)::text = ANY (ARRAY[''daily''::text, ''weekly''::text, ''monthly''::text, ''custom''::text, ''problem_analysis''::text, ''agent_performance''::text, ''customer_satisfaction''::text])))')
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
        ('support_troubleshooting_notifications_session_idx',
          'CREATE INDEX support_troubleshooting_notifications_session_idx ON support_troubleshooting_notifications USING btree (session_id, created_at DESC)'),
        ('support_troubleshooting_errors_occurred_at_idx',
          'CREATE INDEX support_troubleshooting_errors_occurred_at_idx ON support_troubleshooting_errors USING btree (occurred_at DESC)'),
        ('support_troubleshooting_predictions_customer_idx',
          'CREATE INDEX support_troubleshooting_predictions_customer_idx ON support_troubleshooting_predictions USING btree (customer_email, predicted_at DESC)'),
        ('support_troubleshooting_ml_training_pending_idx',
          'CREATE INDEX support_troubleshooting_ml_training_pending_idx ON support_troubleshooting_ml_training USING btree (detected_problem_id, actual_problem_id) WHERE (NOT used_for_training)'),
        ('support_troubleshooting_reports_expires_at_idx',
          'CREATE INDEX support_troubleshooting_reports_expires_at_idx ON support_troubleshooting_reports USING btree (expires_at) WHERE (expires_at IS NOT NULL)'),
        ('support_troubleshooting_sessions_resolved_at_idx',
          'CREATE INDEX support_troubleshooting_sessions_resolved_at_idx ON support_troubleshooting_sessions USING btree (resolved_at) WHERE (resolved_at IS NOT NULL)'),
        ('support_troubleshooting_sessions_escalated_at_idx',
          'CREATE INDEX support_troubleshooting_sessions_escalated_at_idx ON support_troubleshooting_sessions USING btree (escalated_at) WHERE (escalated_at IS NOT NULL)')
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
        to_regclass('public.support_troubleshooting_notifications'),
        to_regclass('public.support_troubleshooting_config'),
        to_regclass('public.support_troubleshooting_errors'),
        to_regclass('public.support_troubleshooting_predictions'),
        to_regclass('public.support_troubleshooting_ml_training'),
        to_regclass('public.support_troubleshooting_reports')
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
        ('vw_troubleshooting_realtime_metrics', 1, 'active_sessions', 'integer'),
        ('vw_troubleshooting_realtime_metrics', 2, 'sessions_today', 'integer'),
        ('vw_troubleshooting_realtime_metrics', 3, 'resolved_today', 'integer'),
        ('vw_troubleshooting_realtime_metrics', 4, 'escalated_today', 'integer'),
        ('vw_troubleshooting_realtime_metrics', 5, 'avg_resolution_time_minutes', 'double precision'),
        ('vw_troubleshooting_realtime_metrics', 6, 'resolution_rate', 'double precision'),
        ('vw_troubleshooting_realtime_metrics', 7, 'top_problems', 'jsonb'),
        ('vw_troubleshooting_realtime_metrics', 8, 'resolved_last_hour', 'integer'),
        ('vw_troubleshooting_realtime_metrics', 9, 'escalated_last_hour', 'integer'),
        ('vw_troubleshooting_realtime_metrics', 10, 'unique_problems_24h', 'integer'),
        ('vw_troubleshooting_realtime_metrics', 11, 'feedback_count_24h', 'integer'),
        ('vw_troubleshooting_realtime_metrics', 12, 'avg_rating_24h', 'double precision')
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
            'get_troubleshooting_metrics_by_period', 'timestamp with time zone, timestamp with time zone, character varying',
            'TABLE(period_label character varying, total_sessions integer, resolved_sessions integer, escalated_sessions integer, resolution_rate double precision, avg_duration_minutes double precision, avg_rating double precision)',
            1, false, 'stable'),
          (
            'cleanup_old_troubleshooting_data', 'integer, boolean',
            'TABLE(table_name character varying, deleted_count bigint)',
            2, false, 'volatile'),
          (
            'register_prediction', 'character varying, character varying, character varying, numeric, numeric, jsonb, jsonb, character varying',
            'uuid',
            0, false, 'volatile'),
          (
            'verify_prediction', 'uuid, character varying',
            'boolean',
            0, false, 'volatile')
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
        ('support_troubleshooting_config', 'support_troubleshooting_config_touch_updated_at',
          'CREATE TRIGGER support_troubleshooting_config_touch_updated_at BEFORE UPDATE ON support_troubleshooting_config FOR EACH ROW EXECUTE FUNCTION troubleshooting_touch_updated_at()')
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
      message = format('support_troubleshooting_advanced_schema: diferencias: %s; la primera: %s', cardinality(v_problems), v_problems[1]),
      detail = array_to_string(v_problems, E'\n');
  end if;
end
$verify$;
