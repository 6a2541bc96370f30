-- tsdb: version 1.0.0
-- tsdb: requires support_troubleshooting_schema support_troubleshooting_feedback_schema support_webhooks_schema
--
-- Notificaciones, configuración, errores, predicciones, entrenamiento,
-- informes y métricas. No usa objetos de los webhooks, pero va después de
-- ellos en la lista de despliegue.

-- ---------------------------------------------------------------------------
-- Tablas
-- ---------------------------------------------------------------------------

create table if not exists public.support_troubleshooting_notifications (
  id integer generated always as identity,
  session_id character varying(128) not null,
  notification_type character varying(64) not null,
  recipient character varying(256) not null,
  subject character varying(512),
  message text not null,
  status character varying(32) not null default 'pending',
  sent_at timestamp with time zone,
  delivered_at timestamp with time zone,
  read_at timestamp with time zone,
  error_message text,
  metadata jsonb not null default '{}',
  created_at timestamp with time zone not null default now(),
  constraint support_troubleshooting_notifications_pkey
    primary key (id),
  constraint support_troubleshooting_notifications_session_id_fkey
    foreign key (session_id)
    references public.support_troubleshooting_sessions (session_id)
    on delete cascade,
  constraint support_troubleshooting_notifications_status_check
    check (status::text in ('pending', 'sent', 'delivered', 'read', 'failed'))
);

create table if not exists public.support_troubleshooting_config (
  id integer generated always as identity,
  config_key character varying(128) not null,
  config_value text not null,
  config_type character varying(32) not null default 'string',
  description text,
  updated_by character varying(256),
  updated_at timestamp with time zone not null default now(),
  constraint support_troubleshooting_config_pkey
    primary key (id),
  constraint support_troubleshooting_config_config_key_key
    unique (config_key),
  constraint support_troubleshooting_config_type_check
    check (config_type::text in ('string', 'number', 'boolean', 'json')),
  -- Los operadores editan los valores a mano: se rechaza el que no corresponde
  -- a su tipo. Un JSON mal formado lo rechaza la propia conversión.
  constraint support_troubleshooting_config_value_check
    check (
      case config_type::text
        when 'number' then config_value ~ '^-?[0-9]+([.][0-9]+)?([eE][+-]?[0-9]+)?$'
        when 'boolean' then config_value in ('true', 'false')
        when 'json' then config_value::jsonb is not null
        else true
      end
    )
);

-- Sin clave externa hacia las sesiones: un error puede llegar antes que su
-- sesión, o sin ella, y no debe perderse ni abortar la transacción del cliente.
create table if not exists public.support_troubleshooting_errors (
  id bigint generated always as identity,
  error_type character varying(128) not null,
  error_message text not null,
  severity character varying(16) not null,
  category character varying(32) not null,
  session_id character varying(128),
  ticket_id character varying(128),
  stack_trace text,
  metadata jsonb not null default '{}',
  occurred_at timestamp with time zone not null default now(),
  constraint support_troubleshooting_errors_pkey
    primary key (id),
  constraint support_troubleshooting_errors_severity_check
    check (severity::text in ('low', 'medium', 'high', 'critical')),
  constraint support_troubleshooting_errors_category_check
    check (category::text in ('validation', 'database', 'external_api', 'configuration', 'business_logic', 'unknown'))
);

create table if not exists public.support_troubleshooting_predictions (
  prediction_id uuid not null default gen_random_uuid(),
  customer_email character varying(256) not null,
  predicted_problem_id character varying(128) not null,
  predicted_problem_title character varying(512),
  probability numeric(5,2),
  confidence numeric(5,2),
  prediction_reasons jsonb not null default '[]',
  recommended_actions jsonb not null default '[]',
  estimated_impact character varying(20),
  predicted_at timestamp with time zone not null default now(),
  was_correct boolean,
  actual_problem_id character varying(128),
  verified_at timestamp with time zone,
  constraint support_troubleshooting_predictions_pkey
    primary key (prediction_id),
  constraint support_troubleshooting_predictions_probability_check
    check (probability >= 0 and probability <= 100),
  constraint support_troubleshooting_predictions_confidence_check
    check (confidence >= 0 and confidence <= 100),
  constraint support_troubleshooting_predictions_reasons_check
    check (jsonb_typeof(prediction_reasons) = 'array'),
  constraint support_troubleshooting_predictions_actions_check
    check (jsonb_typeof(recommended_actions) = 'array'),
  constraint support_troubleshooting_predictions_impact_check
    check (estimated_impact::text in ('low', 'medium', 'high'))
);

create table if not exists public.support_troubleshooting_ml_training (
  id integer generated always as identity,
  problem_description text not null,
  detected_problem_id character varying(128),
  actual_problem_id character varying(128),
  confidence_score numeric(5,4),
  corrected_by character varying(256),
  correction_notes text,
  used_for_training boolean not null default false,
  created_at timestamp with time zone not null default now(),
  constraint support_troubleshooting_ml_training_pkey
    primary key (id),
  constraint support_troubleshooting_ml_training_confidence_check
    check (confidence_score >= 0 and confidence_score <= 1)
);

create table if not exists public.support_troubleshooting_reports (
  id integer generated always as identity,
  report_id character varying(128) not null,
  report_name character varying(256),
  report_type character varying(64) not null,
  parameters jsonb not null default '{}',
  report_data jsonb not null,
  generated_at timestamp with time zone not null default now(),
  expires_at timestamp with time zone,
  constraint support_troubleshooting_reports_pkey
    primary key (id),
  constraint support_troubleshooting_reports_report_id_key
    unique (report_id),
  constraint support_troubleshooting_reports_type_check
    check (report_type::text in ('daily', 'weekly', 'monthly', 'custom', 'problem_analysis', 'agent_performance', 'customer_satisfaction'))
);

-- ---------------------------------------------------------------------------
-- Índices y disparador
-- ---------------------------------------------------------------------------

create index if not exists support_troubleshooting_notifications_session_idx
  on public.support_troubleshooting_notifications (session_id, created_at desc);

create index if not exists support_troubleshooting_errors_occurred_at_idx
  on public.support_troubleshooting_errors (occurred_at desc);

create index if not exists support_troubleshooting_predictions_customer_idx
  on public.support_troubleshooting_predictions (customer_email, predicted_at desc);

create index if not exists support_troubleshooting_ml_training_pending_idx
  on public.support_troubleshooting_ml_training (detected_problem_id, actual_problem_id)
  where not used_for_training;

create index if not exists support_troubleshooting_reports_expires_at_idx
  on public.support_troubleshooting_reports (expires_at)
  where expires_at is not null;

-- La vista de tiempo real cuenta cierres recientes de sesiones de cualquier
-- edad, y el panel la consulta cada 30 segundos.
create index if not exists support_troubleshooting_sessions_resolved_at_idx
  on public.support_troubleshooting_sessions (resolved_at)
  where resolved_at is not null;

create index if not exists support_troubleshooting_sessions_escalated_at_idx
  on public.support_troubleshooting_sessions (escalated_at)
  where escalated_at is not null;

create or replace trigger support_troubleshooting_config_touch_updated_at
  before update on public.support_troubleshooting_config
  for each row
  execute function public.troubleshooting_touch_updated_at();

-- ---------------------------------------------------------------------------
-- Métricas en tiempo real: siempre una fila
-- ---------------------------------------------------------------------------
-- Un lector usa los nombres y otro las siete primeras posiciones: el orden de
-- las columnas es parte del contrato. "Hoy" sigue la zona horaria de la
-- conexión. Una vista anterior con otras columnas no puede reemplazarse: se
-- borra antes.

do $$
begin
  if exists (
    select
      from pg_catalog.pg_attribute as a
      join pg_catalog.pg_class as c on c.oid = a.attrelid and c.relkind = 'v'
     where c.oid = pg_catalog.to_regclass('public.vw_troubleshooting_realtime_metrics')
       and a.attnum > 0
    having pg_catalog.string_agg(
             pg_catalog.format('%s %s', a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod)),
             ', ' order by a.attnum)
           <> 'active_sessions integer, sessions_today integer, resolved_today integer, '
              'escalated_today integer, avg_resolution_time_minutes double precision, '
              'resolution_rate double precision, top_problems jsonb, resolved_last_hour integer, '
              'escalated_last_hour integer, unique_problems_24h integer, feedback_count_24h integer, '
              'avg_rating_24h double precision'
  ) then
    drop view public.vw_troubleshooting_realtime_metrics;
  end if;
end
$$;

create or replace view public.vw_troubleshooting_realtime_metrics as
select
  active.sessions as active_sessions,
  today.sessions as sessions_today,
  resolved.today as resolved_today,
  escalated.today as escalated_today,
  closed.avg_minutes as avg_resolution_time_minutes,
  today.resolution_rate,
  problems.top as top_problems,
  resolved.last_hour as resolved_last_hour,
  escalated.last_hour as escalated_last_hour,
  recent.problems as unique_problems_24h,
  feedback.total as feedback_count_24h,
  feedback.rating as avg_rating_24h
from
  (
    select count(*)::integer as sessions
    from public.support_troubleshooting_sessions as s
    where s.status::text in ('started', 'in_progress')
      and s.started_at >= now() - interval '7 days'
  ) as active
cross join
  (
    select
      count(*)::integer as sessions,
      (100.0 * count(*) filter (where s.status::text = 'resolved') / nullif(count(*), 0))::double precision
        as resolution_rate
    from public.support_troubleshooting_sessions as s
    where s.started_at >= date_trunc('day', now())
  ) as today
cross join
  (
    select
      (count(*) filter (where s.resolved_at >= date_trunc('day', now())))::integer as today,
      (count(*) filter (where s.resolved_at >= now() - interval '1 hour'))::integer as last_hour
    from public.support_troubleshooting_sessions as s
    where s.status::text = 'resolved'
      and s.resolved_at >= least(date_trunc('day', now()), now() - interval '1 hour')
  ) as resolved
cross join
  (
    select
      (count(*) filter (where s.escalated_at >= date_trunc('day', now())))::integer as today,
      (count(*) filter (where s.escalated_at >= now() - interval '1 hour'))::integer as last_hour
    from public.support_troubleshooting_sessions as s
    where s.status::text = 'escalated'
      and s.escalated_at >= least(date_trunc('day', now()), now() - interval '1 hour')
  ) as escalated
cross join
  (
    select (avg(c.total_duration_seconds) / 60)::double precision as avg_minutes
    from (
      select s.total_duration_seconds
      from public.support_troubleshooting_sessions as s
      where s.status::text = 'resolved'
        and s.resolved_at >= now() - interval '24 hours'
      union all
      select s.total_duration_seconds
      from public.support_troubleshooting_sessions as s
      where s.status::text = 'escalated'
        and s.escalated_at >= now() - interval '24 hours'
    ) as c
  ) as closed
cross join
  (
    select count(distinct s.detected_problem_id)::integer as problems
    from public.support_troubleshooting_sessions as s
    where s.started_at >= now() - interval '24 hours'
  ) as recent
cross join
  (
    select
      coalesce(
        jsonb_agg(
          jsonb_build_object(
            'problem_id', p.problem_id,
            'problem_title', p.problem_title,
            'count', p.sessions
          )
          order by p.sessions desc, p.problem_id
        ),
        '[]'::jsonb
      ) as top
    from (
      select
        s.detected_problem_id as problem_id,
        (array_agg(s.detected_problem_title order by s.started_at desc, s.id desc)
          filter (where s.detected_problem_title is not null))[1] as problem_title,
        count(*)::integer as sessions
      from public.support_troubleshooting_sessions as s
      where s.started_at >= now() - interval '24 hours'
        and s.detected_problem_id is not null
      group by s.detected_problem_id
      order by count(*) desc, s.detected_problem_id
      limit 5
    ) as p
  ) as problems
cross join
  (
    select
      count(*)::integer as total,
      avg(f.rating)::double precision as rating
    from public.support_troubleshooting_feedback as f
    where f.collected_at >= now() - interval '24 hours'
  ) as feedback;

-- ---------------------------------------------------------------------------
-- Métricas por período
-- ---------------------------------------------------------------------------

create or replace function public.get_troubleshooting_metrics_by_period(
  p_period_start timestamp with time zone,
  p_period_end timestamp with time zone,
  p_group_by character varying default 'day'
)
returns table (
  period_label character varying,
  total_sessions integer,
  resolved_sessions integer,
  escalated_sessions integer,
  resolution_rate double precision,
  avg_duration_minutes double precision,
  avg_rating double precision
)
language plpgsql
stable
set search_path = pg_catalog, public, pg_temp
as $$
declare
  v_label_format text;
begin
  v_label_format := case p_group_by
    when 'hour' then 'YYYY-MM-DD HH24:00'
    when 'day' then 'YYYY-MM-DD'
    when 'week' then 'IYYY-"W"IW'
  end;

  if v_label_format is null then
    raise exception 'agrupación desconocida: "%"', p_group_by
      using errcode = 'invalid_parameter_value',
            hint = 'Use hour, day o week.';
  end if;

  return query
    select
      to_char(b.bucket, v_label_format)::character varying,
      count(*)::integer,
      (count(*) filter (where b.status = 'resolved'))::integer,
      (count(*) filter (where b.status = 'escalated'))::integer,
      (100.0 * count(*) filter (where b.status = 'resolved') / count(*))::double precision,
      (avg(b.seconds) / 60)::double precision,
      (sum(b.ratings_total) / nullif(sum(b.ratings_count), 0))::double precision
    from (
      select
        date_trunc(p_group_by, s.started_at) as bucket,
        s.status::text as status,
        case when s.status::text in ('resolved', 'escalated') then s.total_duration_seconds end as seconds,
        r.ratings_total,
        r.ratings_count
      from public.support_troubleshooting_sessions as s
      cross join lateral (
        select sum(f.rating)::numeric as ratings_total, count(*) as ratings_count
        from public.support_troubleshooting_feedback as f
        where f.session_id = s.session_id
      ) as r
      where s.started_at >= p_period_start
        and s.started_at <= p_period_end
    ) as b
    group by b.bucket
    order by b.bucket;
end
$$;

-- ---------------------------------------------------------------------------
-- Retención
-- ---------------------------------------------------------------------------

create or replace function public.cleanup_old_troubleshooting_data(
  p_days_to_keep integer default 90,
  p_dry_run boolean default false
)
returns table (
  table_name character varying,
  deleted_count bigint
)
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
declare
  v_limit timestamptz;
  v_sessions text[];
begin
  if p_days_to_keep is null or p_days_to_keep < 1 then
    raise exception 'los días que se conservan deben ser al menos 1, no %', coalesce(p_days_to_keep::text, 'null')
      using errcode = 'invalid_parameter_value';
  end if;

  -- Mil años bastan; más no caben en el tipo timestamp.
  v_limit := now() - make_interval(days => least(p_days_to_keep, 365000));

  if coalesce(p_dry_run, false) then
    v_sessions := array(
      select s.session_id::text
        from public.support_troubleshooting_sessions as s
       where s.started_at < v_limit
         and s.status::text in ('resolved', 'escalated')
    );
    return query
      select t.name, t.rows
        from (
          select 1, 'support_troubleshooting_attempts'::character varying, count(*)
            from public.support_troubleshooting_attempts as a where a.session_id::text = any (v_sessions)
          union all
          select 2, 'support_troubleshooting_feedback', count(*)
            from public.support_troubleshooting_feedback as f where f.session_id::text = any (v_sessions)
          union all
          select 3, 'support_troubleshooting_notifications', count(*)
            from public.support_troubleshooting_notifications as n where n.session_id::text = any (v_sessions)
          union all
          select 4, 'support_troubleshooting_sessions', cardinality(v_sessions)::bigint
        ) as t (position, name, rows)
       order by t.position;
    return;
  end if;

  -- Con las sesiones bloqueadas nadie les añade filas mientras se cuentan y se
  -- borran las que de otro modo caerían en cascada.
  v_sessions := array(
    select s.session_id::text
      from public.support_troubleshooting_sessions as s
     where s.started_at < v_limit
       and s.status::text in ('resolved', 'escalated')
     order by s.id
       for update
  );

  table_name := 'support_troubleshooting_attempts';
  delete from public.support_troubleshooting_attempts as a where a.session_id::text = any (v_sessions);
  get diagnostics deleted_count = row_count;
  return next;

  table_name := 'support_troubleshooting_feedback';
  delete from public.support_troubleshooting_feedback as f where f.session_id::text = any (v_sessions);
  get diagnostics deleted_count = row_count;
  return next;

  table_name := 'support_troubleshooting_notifications';
  delete from public.support_troubleshooting_notifications as n where n.session_id::text = any (v_sessions);
  get diagnostics deleted_count = row_count;
  return next;

  table_name := 'support_troubleshooting_sessions';
  delete from public.support_troubleshooting_sessions as s where s.session_id::text = any (v_sessions);
  get diagnostics deleted_count = row_count;
  return next;
end
$$;

-- ---------------------------------------------------------------------------
-- Predicciones
-- ---------------------------------------------------------------------------

create or replace function public.register_prediction(
  p_customer_email character varying,
  p_problem_id character varying,
  p_problem_title character varying,
  p_probability numeric,
  p_confidence numeric,
  p_reasons jsonb,
  p_actions jsonb,
  p_impact character varying
)
returns uuid
language sql
set search_path = pg_catalog, public, pg_temp
as $$
  insert into public.support_troubleshooting_predictions (
    customer_email,
    predicted_problem_id,
    predicted_problem_title,
    probability,
    confidence,
    prediction_reasons,
    recommended_actions,
    estimated_impact
  )
  values (
    p_customer_email,
    p_problem_id,
    p_problem_title,
    p_probability,
    p_confidence,
    coalesce(p_reasons, '[]'),
    coalesce(p_actions, '[]'),
    p_impact
  )
  returning prediction_id
$$;

create or replace function public.verify_prediction(
  p_prediction_id uuid,
  p_actual_problem_id character varying
)
returns boolean
language sql
set search_path = pg_catalog, public, pg_temp
as $$
  update public.support_troubleshooting_predictions as p
     set actual_problem_id = p_actual_problem_id,
         was_correct = (p.predicted_problem_id = p_actual_problem_id),
         verified_at = now()
   where p.prediction_id = p_prediction_id
  returning p.was_correct
$$;

-- ---------------------------------------------------------------------------
-- Comentarios
-- ---------------------------------------------------------------------------

comment on table public.support_troubleshooting_notifications is
  'Notificaciones a clientes y agentes, con su estado de envío.';
comment on column public.support_troubleshooting_notifications.id is
  'Identificador interno.';
comment on column public.support_troubleshooting_notifications.session_id is
  'Sesión que originó la notificación.';
comment on column public.support_troubleshooting_notifications.notification_type is
  'Canal: email, sms, push, slack, teams, discord, webhook u otro.';
comment on column public.support_troubleshooting_notifications.recipient is
  'Destinatario según el canal.';
comment on column public.support_troubleshooting_notifications.subject is
  'Asunto.';
comment on column public.support_troubleshooting_notifications.message is
  'Texto del mensaje.';
comment on column public.support_troubleshooting_notifications.status is
  'Estado: pending (pendiente), sent (enviada), delivered (entregada), read (leída) o failed (fallida).';
comment on column public.support_troubleshooting_notifications.sent_at is
  'Momento del envío.';
comment on column public.support_troubleshooting_notifications.delivered_at is
  'Momento de la entrega.';
comment on column public.support_troubleshooting_notifications.read_at is
  'Momento de la lectura.';
comment on column public.support_troubleshooting_notifications.error_message is
  'Error del envío.';
comment on column public.support_troubleshooting_notifications.metadata is
  'Datos adicionales en JSON.';
comment on column public.support_troubleshooting_notifications.created_at is
  'Momento de la creación.';

comment on table public.support_troubleshooting_config is
  'Configuración del sistema de troubleshooting: una fila por clave.';
comment on column public.support_troubleshooting_config.id is
  'Identificador interno.';
comment on column public.support_troubleshooting_config.config_key is
  'Nombre de la clave.';
comment on column public.support_troubleshooting_config.config_value is
  'Valor, escrito según config_type.';
comment on column public.support_troubleshooting_config.config_type is
  'Tipo del valor: string, number, boolean (true o false) o json.';
comment on column public.support_troubleshooting_config.description is
  'Para qué sirve la clave.';
comment on column public.support_troubleshooting_config.updated_by is
  'Quién hizo la última modificación.';
comment on column public.support_troubleshooting_config.updated_at is
  'Última modificación de la fila.';

comment on table public.support_troubleshooting_errors is
  'Errores del sistema de troubleshooting. Sin clave externa: un error puede llegar antes que su sesión.';
comment on column public.support_troubleshooting_errors.id is
  'Identificador interno.';
comment on column public.support_troubleshooting_errors.error_type is
  'Clase del error.';
comment on column public.support_troubleshooting_errors.error_message is
  'Mensaje del error.';
comment on column public.support_troubleshooting_errors.severity is
  'Gravedad: low (baja), medium (media), high (alta) o critical (crítica).';
comment on column public.support_troubleshooting_errors.category is
  'Categoría: validation, database, external_api, configuration, business_logic o unknown.';
comment on column public.support_troubleshooting_errors.session_id is
  'Sesión en la que ocurrió, si se conoce; puede no existir en la base.';
comment on column public.support_troubleshooting_errors.ticket_id is
  'Ticket relacionado, si se conoce; puede no existir en la base.';
comment on column public.support_troubleshooting_errors.stack_trace is
  'Traza de la pila.';
comment on column public.support_troubleshooting_errors.metadata is
  'Datos adicionales en JSON.';
comment on column public.support_troubleshooting_errors.occurred_at is
  'Momento del error.';

comment on table public.support_troubleshooting_predictions is
  'Predicciones de problemas futuros de un cliente y su resultado.';
comment on column public.support_troubleshooting_predictions.prediction_id is
  'Identificador de la predicción.';
comment on column public.support_troubleshooting_predictions.customer_email is
  'Correo electrónico del cliente.';
comment on column public.support_troubleshooting_predictions.predicted_problem_id is
  'Problema previsto.';
comment on column public.support_troubleshooting_predictions.predicted_problem_title is
  'Título del problema previsto.';
comment on column public.support_troubleshooting_predictions.probability is
  'Probabilidad, de 0 a 100.';
comment on column public.support_troubleshooting_predictions.confidence is
  'Confianza, de 0 a 100.';
comment on column public.support_troubleshooting_predictions.prediction_reasons is
  'Razones de la predicción: lista JSON.';
comment on column public.support_troubleshooting_predictions.recommended_actions is
  'Acciones recomendadas: lista JSON.';
comment on column public.support_troubleshooting_predictions.estimated_impact is
  'Impacto estimado: low (bajo), medium (medio) o high (alto).';
comment on column public.support_troubleshooting_predictions.predicted_at is
  'Momento de la predicción.';
comment on column public.support_troubleshooting_predictions.was_correct is
  'Si la predicción acertó; vacío mientras no se verifica.';
comment on column public.support_troubleshooting_predictions.actual_problem_id is
  'Problema que ocurrió en realidad.';
comment on column public.support_troubleshooting_predictions.verified_at is
  'Momento de la verificación.';

comment on table public.support_troubleshooting_ml_training is
  'Datos de entrenamiento para la detección de problemas: aquí se registran las correcciones nuevas.';
comment on column public.support_troubleshooting_ml_training.id is
  'Identificador interno.';
comment on column public.support_troubleshooting_ml_training.problem_description is
  'Descripción del problema.';
comment on column public.support_troubleshooting_ml_training.detected_problem_id is
  'Problema que detectó el sistema.';
comment on column public.support_troubleshooting_ml_training.actual_problem_id is
  'Problema real.';
comment on column public.support_troubleshooting_ml_training.confidence_score is
  'Confianza de la detección, de 0 a 1.';
comment on column public.support_troubleshooting_ml_training.corrected_by is
  'Quién corrigió la detección.';
comment on column public.support_troubleshooting_ml_training.correction_notes is
  'Notas de la corrección.';
comment on column public.support_troubleshooting_ml_training.used_for_training is
  'Verdadero cuando la fila ya se usó para entrenar.';
comment on column public.support_troubleshooting_ml_training.created_at is
  'Momento del registro.';

comment on table public.support_troubleshooting_reports is
  'Informes generados.';
comment on column public.support_troubleshooting_reports.id is
  'Identificador interno.';
comment on column public.support_troubleshooting_reports.report_id is
  'Identificador público del informe.';
comment on column public.support_troubleshooting_reports.report_name is
  'Nombre del informe.';
comment on column public.support_troubleshooting_reports.report_type is
  'Clase: daily, weekly, monthly, custom, problem_analysis, agent_performance o customer_satisfaction.';
comment on column public.support_troubleshooting_reports.parameters is
  'Parámetros con los que se generó.';
comment on column public.support_troubleshooting_reports.report_data is
  'Contenido del informe.';
comment on column public.support_troubleshooting_reports.generated_at is
  'Momento de la generación.';
comment on column public.support_troubleshooting_reports.expires_at is
  'Momento desde el que puede borrarse; vacío si no caduca.';

comment on index public.support_troubleshooting_notifications_session_idx is
  'Notificaciones de una sesión y borrado en cascada.';
comment on index public.support_troubleshooting_errors_occurred_at_idx is
  'Errores recientes.';
comment on index public.support_troubleshooting_predictions_customer_idx is
  'Predicciones de un cliente, lo más reciente primero.';
comment on index public.support_troubleshooting_ml_training_pending_idx is
  'Patrones de corrección que aún no se usaron para entrenar.';
comment on index public.support_troubleshooting_reports_expires_at_idx is
  'Informes caducados.';
comment on index public.support_troubleshooting_sessions_resolved_at_idx is
  'Resoluciones recientes, para la vista de tiempo real.';
comment on index public.support_troubleshooting_sessions_escalated_at_idx is
  'Escalados recientes, para la vista de tiempo real.';
comment on trigger support_troubleshooting_config_touch_updated_at on public.support_troubleshooting_config is
  'Mantiene updated_at.';

comment on view public.vw_troubleshooting_realtime_metrics is
  'Métricas en tiempo real: siempre una fila. «Hoy» sigue la zona horaria de la conexión. El orden de las columnas es fijo: hay lectores por posición.';
comment on column public.vw_troubleshooting_realtime_metrics.active_sessions is
  'Sesiones iniciadas o en curso que comenzaron en los últimos 7 días.';
comment on column public.vw_troubleshooting_realtime_metrics.sessions_today is
  'Sesiones que comenzaron hoy.';
comment on column public.vw_troubleshooting_realtime_metrics.resolved_today is
  'Sesiones resueltas hoy, aunque comenzaran antes.';
comment on column public.vw_troubleshooting_realtime_metrics.escalated_today is
  'Sesiones escaladas hoy, aunque comenzaran antes.';
comment on column public.vw_troubleshooting_realtime_metrics.avg_resolution_time_minutes is
  'Duración media de las sesiones cerradas en las últimas 24 horas, en minutos; vacío si no hay.';
comment on column public.vw_troubleshooting_realtime_metrics.resolution_rate is
  'Porcentaje de las sesiones de hoy que están resueltas; vacío si no hay.';
comment on column public.vw_troubleshooting_realtime_metrics.top_problems is
  'Hasta cinco problemas más frecuentes de las últimas 24 horas: lista JSON de problem_id, problem_title y count.';
comment on column public.vw_troubleshooting_realtime_metrics.resolved_last_hour is
  'Sesiones resueltas en la última hora.';
comment on column public.vw_troubleshooting_realtime_metrics.escalated_last_hour is
  'Sesiones escaladas en la última hora.';
comment on column public.vw_troubleshooting_realtime_metrics.unique_problems_24h is
  'Problemas distintos en las sesiones de las últimas 24 horas.';
comment on column public.vw_troubleshooting_realtime_metrics.feedback_count_24h is
  'Opiniones recogidas en las últimas 24 horas.';
comment on column public.vw_troubleshooting_realtime_metrics.avg_rating_24h is
  'Valoración media de las últimas 24 horas; vacío si no hay opiniones.';

comment on function public.get_troubleshooting_metrics_by_period(timestamp with time zone, timestamp with time zone, character varying) is
  'Métricas de las sesiones iniciadas en el período, ambos extremos incluidos, agrupadas por hour, day o week (semana ISO), en orden de tiempo y según la zona horaria de la conexión.';
comment on function public.cleanup_old_troubleshooting_data(integer, boolean) is
  'Borra las sesiones resueltas o escaladas que comenzaron hace más de los días indicados, con lo que depende de ellas, y devuelve cuántas filas borró de cada tabla. Con el segundo argumento verdadero solo cuenta.';
comment on function public.register_prediction(character varying, character varying, character varying, numeric, numeric, jsonb, jsonb, character varying) is
  'Registra una predicción y devuelve su identificador.';
comment on function public.verify_prediction(uuid, character varying) is
  'Registra el problema que ocurrió en realidad. Devuelve si la predicción acertó, o null si no existe.';
