-- tsdb: version 1.0.0
-- tsdb: requires support_troubleshooting_schema support_troubleshooting_feedback_schema support_webhooks_schema support_troubleshooting_advanced_schema
--
-- Auditoría, vistas materializadas, caché, límites de uso, métricas de
-- rendimiento, mantenimiento y búsqueda de texto.

-- ---------------------------------------------------------------------------
-- Auditoría, particionada por mes
-- ---------------------------------------------------------------------------

create table if not exists public.support_troubleshooting_audit_log (
  id bigint generated always as identity,
  table_name character varying(128) not null,
  record_id character varying(128) not null,
  action character varying(16) not null,
  old_values jsonb,
  new_values jsonb,
  changed_by character varying(256),
  changed_at timestamp with time zone not null default now(),
  ip_address inet,
  constraint support_troubleshooting_audit_log_pkey
    primary key (id, changed_at),
  constraint support_troubleshooting_audit_log_action_check
    check (action::text in ('INSERT', 'UPDATE', 'DELETE'))
) partition by range (changed_at);

-- La partición por defecto recoge lo que no cabe en ningún mes creado: debe
-- estar siempre vacía. Sus índices se crean con nombre antes que los de la
-- tabla, que los adoptan.
create table if not exists public.support_troubleshooting_audit_log_default
  partition of public.support_troubleshooting_audit_log default;

create index if not exists support_troubleshooting_audit_log_default_table_idx
  on public.support_troubleshooting_audit_log_default (table_name, changed_at desc);

create index if not exists support_troubleshooting_audit_log_default_changed_at_idx
  on public.support_troubleshooting_audit_log_default (changed_at);

create index if not exists support_troubleshooting_audit_log_default_record_idx
  on public.support_troubleshooting_audit_log_default (table_name, record_id);

create index if not exists support_troubleshooting_audit_log_table_idx
  on public.support_troubleshooting_audit_log (table_name, changed_at desc);

create index if not exists support_troubleshooting_audit_log_changed_at_idx
  on public.support_troubleshooting_audit_log (changed_at);

create index if not exists support_troubleshooting_audit_log_record_idx
  on public.support_troubleshooting_audit_log (table_name, record_id);

-- Particiones desde el mes en curso (el día 1, también el mes anterior, por
-- las transacciones que empezaron antes de medianoche) hasta tres meses
-- después. Los límites son meses UTC, cualquiera que sea la zona horaria de la
-- conexión. Cada partición se crea aparte y después se une: así la tabla solo
-- se bloquea un instante y las filas que hubiera en la partición por defecto
-- pasan a su mes. El mantenimiento de tsdb crea las de los meses siguientes.

do $$
declare
  v_parent constant regclass := 'public.support_troubleshooting_audit_log';
  v_month timestamp := date_trunc('month', (now() - interval '1 day') at time zone 'UTC');
  v_last constant timestamp := date_trunc('month', now() at time zone 'UTC') + interval '3 months';
  v_name text;
  v_from text;
  v_to text;
begin
  while v_month <= v_last loop
    v_name := 'support_troubleshooting_audit_log_' || to_char(v_month, 'YYYY_MM');
    v_from := to_char(v_month, 'YYYY-MM-DD') || ' 00:00:00+00';
    v_month := v_month + interval '1 month';
    v_to := to_char(v_month, 'YYYY-MM-DD') || ' 00:00:00+00';

    continue when exists (
      select
        from pg_catalog.pg_inherits as i
       where i.inhparent = v_parent
         and i.inhrelid = to_regclass('public.' || v_name)
    );

    if to_regclass('public.' || v_name) is not null then
      raise exception 'la tabla "%" existe, pero no es una partición de "support_troubleshooting_audit_log"', v_name
        using errcode = 'duplicate_table';
    end if;

    execute format(
      'create table public.%I (like public.support_troubleshooting_audit_log including defaults including constraints)',
      v_name);
    execute format('alter table public.%I add constraint %I primary key (id, changed_at)', v_name, v_name || '_pkey');
    execute format('create index %I on public.%I (table_name, changed_at desc)', v_name || '_table_idx', v_name);
    execute format('create index %I on public.%I (changed_at)', v_name || '_changed_at_idx', v_name);
    execute format('create index %I on public.%I (table_name, record_id)', v_name || '_record_idx', v_name);
    execute format('comment on table public.%I is %L', v_name,
      format('Auditoría: cambios desde %s hasta %s, sin incluirlo.', v_from, v_to));

    lock table only public.support_troubleshooting_audit_log_default in access exclusive mode;
    execute format(
      'with moved as (
         delete from public.support_troubleshooting_audit_log_default
         where changed_at >= %L and changed_at < %L
         returning *
       )
       insert into public.%I select * from moved',
      v_from, v_to, v_name);
    execute format(
      'alter table public.support_troubleshooting_audit_log attach partition public.%I for values from (%L) to (%L)',
      v_name, v_from, v_to);
  end loop;
end
$$;

-- ---------------------------------------------------------------------------
-- Disparador de auditoría
-- ---------------------------------------------------------------------------
-- Vale para cualquier tabla: recibe como argumento la columna que identifica
-- el registro y trabaja sobre la fila en JSON. Se ejecuta con los permisos del
-- propietario: quien cambia los datos no necesita poder escribir la auditoría.

create or replace function public.troubleshooting_audit_row()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, public, pg_temp
as $$
declare
  -- Nombres de claves que no se guardan, a cualquier profundidad: la clave de
  -- firma de los webhooks y las credenciales que lleven cabeceras y metadatos.
  v_sensitive constant text :=
    'secret|password|passwd|contraseña|token|api[_-]?key|authorization|cookie|credential|private[_-]?key';
  v_images jsonb[] := array[null, null]::jsonb[];
  v_path text[];
  v_record_id text;
begin
  if tg_op <> 'INSERT' then
    v_images[1] := to_jsonb(old);
  end if;
  if tg_op <> 'DELETE' then
    v_images[2] := to_jsonb(new);
  end if;

  -- Una escritura que no cambia nada no se audita.
  if tg_op = 'UPDATE' and v_images[1] - 'updated_at' = v_images[2] - 'updated_at' then
    return null;
  end if;

  v_record_id := coalesce(
    coalesce(v_images[2], v_images[1]) ->> tg_argv[0],
    coalesce(v_images[2], v_images[1]) ->> 'id',
    '');

  for i in 1..2 loop
    continue when v_images[i] is null
               or v_images[i]::text !~* ('"[^"]*(' || v_sensitive || ')[^"]*"\s*:');

    for v_path in
      with recursive node (path, value, sensitive) as (
        select array[]::text[], v_images[i], false
        union all
        select n.path || e.key, e.value, e.sensitive
          from node as n
          cross join lateral (
            select o.key, o.value, o.key ~* v_sensitive as sensitive
              from jsonb_each(case when jsonb_typeof(n.value) = 'object' then n.value else '{}' end) as o
            union all
            select (a.position - 1)::text, a.value, false
              from jsonb_array_elements(case when jsonb_typeof(n.value) = 'array' then n.value else '[]' end)
                   with ordinality as a (value, position)
          ) as e
         where not n.sensitive
      )
      select node.path from node where node.sensitive
    loop
      v_images[i] := v_images[i] #- v_path;
    end loop;
  end loop;

  insert into public.support_troubleshooting_audit_log
    (table_name, record_id, action, old_values, new_values, changed_by, ip_address)
  values (
    tg_table_name,
    left(v_record_id, 128),
    tg_op,
    v_images[1],
    v_images[2],
    left(coalesce(nullif(current_setting('app.user', true), ''), session_user), 256),
    inet_client_addr()
  );

  return null;
end
$$;

-- Nadie más puede poner este disparador en una tabla suya y falsear así la
-- auditoría; los disparadores que ya existen no necesitan el permiso.
revoke execute on function public.troubleshooting_audit_row() from public;

create or replace trigger support_troubleshooting_sessions_audit
  after insert or update or delete on public.support_troubleshooting_sessions
  for each row
  execute function public.troubleshooting_audit_row('session_id');

create or replace trigger support_webhooks_audit
  after insert or update or delete on public.support_webhooks
  for each row
  execute function public.troubleshooting_audit_row('webhook_id');

create or replace trigger support_troubleshooting_config_audit
  after insert or update or delete on public.support_troubleshooting_config
  for each row
  execute function public.troubleshooting_audit_row('config_key');

-- ---------------------------------------------------------------------------
-- Caché, límites de uso y métricas de rendimiento
-- ---------------------------------------------------------------------------

create table if not exists public.support_troubleshooting_cache (
  cache_key character varying(256) not null,
  cache_value jsonb not null,
  expires_at timestamp with time zone not null,
  created_at timestamp with time zone not null default now(),
  hit_count integer not null default 0,
  last_accessed_at timestamp with time zone,
  constraint support_troubleshooting_cache_pkey
    primary key (cache_key)
);

create index if not exists support_troubleshooting_cache_expires_at_idx
  on public.support_troubleshooting_cache (expires_at);

create table if not exists public.support_troubleshooting_rate_limits (
  id integer generated always as identity,
  identifier character varying(256) not null,
  limit_type character varying(64) not null,
  current_count integer not null default 0,
  window_start timestamp with time zone not null default now(),
  blocked_until timestamp with time zone,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  constraint support_troubleshooting_rate_limits_pkey
    primary key (id),
  constraint support_troubleshooting_rate_limits_identifier_limit_type_key
    unique (identifier, limit_type)
);

create index if not exists support_troubleshooting_rate_limits_window_start_idx
  on public.support_troubleshooting_rate_limits (window_start);

create table if not exists public.support_troubleshooting_performance_metrics (
  id bigint generated always as identity,
  metric_name character varying(128) not null,
  metric_value numeric not null,
  metric_unit character varying(32),
  context jsonb not null default '{}',
  recorded_at timestamp with time zone not null default now(),
  constraint support_troubleshooting_performance_metrics_pkey
    primary key (id)
);

create index if not exists support_troubleshooting_performance_metrics_name_idx
  on public.support_troubleshooting_performance_metrics (metric_name, recorded_at desc);

create index if not exists support_troubleshooting_performance_metrics_recorded_at_idx
  on public.support_troubleshooting_performance_metrics (recorded_at);

-- ---------------------------------------------------------------------------
-- Vistas materializadas
-- ---------------------------------------------------------------------------
-- Las ventanas empiezan en días UTC completos: el contenido no depende de la
-- zona horaria de quien las refresca. Las medias se calculan en numeric, que
-- no depende del orden de las filas, y un refresco sin cambios no escribe.
-- Cada una tiene un índice único sin condición ni expresión, que el refresco
-- concurrente exige. Una vista anterior con otras columnas se borra antes.

do $$
declare
  v_expected constant text[] := array[
    'mv_daily_troubleshooting_summary',
    'date date, total_sessions integer, resolved integer, escalated integer, active integer, '
    'avg_duration_minutes double precision, unique_problems integer, unique_customers integer',
    'mv_top_problems',
    'detected_problem_id character varying(128), detected_problem_title character varying, '
    'total_sessions integer, resolved_count integer, escalated_count integer, '
    'resolution_rate double precision, avg_duration_minutes double precision, '
    'last_occurrence timestamp with time zone',
    'mv_feedback_summary',
    'problem_detected_id character varying(128), total_feedback integer, avg_rating double precision, '
    'positive_count integer, negative_count integer, helpful_count integer, '
    'helpful_percentage double precision, last_feedback timestamp with time zone'
  ];
begin
  for i in 1..5 by 2 loop
    if exists (
      select
        from pg_catalog.pg_attribute as a
        join pg_catalog.pg_class as c on c.oid = a.attrelid and c.relkind = 'm'
       where c.oid = pg_catalog.to_regclass('public.' || v_expected[i])
         and a.attnum > 0
      having pg_catalog.string_agg(
               pg_catalog.format('%s %s', a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod)),
               ', ' order by a.attnum)
             <> v_expected[i + 1]
    ) then
      execute pg_catalog.format('drop materialized view public.%I', v_expected[i]);
    end if;
  end loop;
end
$$;

create materialized view if not exists public.mv_daily_troubleshooting_summary as
select
  (s.started_at at time zone 'UTC')::date as date,
  count(*)::integer as total_sessions,
  (count(*) filter (where s.status::text = 'resolved'))::integer as resolved,
  (count(*) filter (where s.status::text = 'escalated'))::integer as escalated,
  (count(*) filter (where s.status::text in ('started', 'in_progress')))::integer as active,
  (avg(s.total_duration_seconds) filter (where s.status::text in ('resolved', 'escalated')) / 60)::double precision
    as avg_duration_minutes,
  count(distinct s.detected_problem_id)::integer as unique_problems,
  count(distinct s.customer_email)::integer as unique_customers
from public.support_troubleshooting_sessions as s
where s.started_at >= (date_trunc('day', now() at time zone 'UTC') - interval '90 days') at time zone 'UTC'
group by (s.started_at at time zone 'UTC')::date
with data;

create unique index if not exists mv_daily_troubleshooting_summary_date_idx
  on public.mv_daily_troubleshooting_summary (date);

-- Se agrupa solo por el problema: un mismo problema llega con varios títulos o
-- con ninguno, y vale el más reciente.
create materialized view if not exists public.mv_top_problems as
select
  s.detected_problem_id,
  (array_agg(s.detected_problem_title order by s.started_at desc, s.id desc)
    filter (where s.detected_problem_title is not null))[1] as detected_problem_title,
  count(*)::integer as total_sessions,
  (count(*) filter (where s.status::text = 'resolved'))::integer as resolved_count,
  (count(*) filter (where s.status::text = 'escalated'))::integer as escalated_count,
  (100.0 * count(*) filter (where s.status::text = 'resolved') / count(*))::double precision as resolution_rate,
  (avg(s.total_duration_seconds) filter (where s.status::text in ('resolved', 'escalated')) / 60)::double precision
    as avg_duration_minutes,
  max(s.started_at) as last_occurrence
from public.support_troubleshooting_sessions as s
where s.started_at >= (date_trunc('day', now() at time zone 'UTC') - interval '30 days') at time zone 'UTC'
  and s.detected_problem_id is not null
group by s.detected_problem_id
with data;

create unique index if not exists mv_top_problems_detected_problem_id_idx
  on public.mv_top_problems (detected_problem_id);

create materialized view if not exists public.mv_feedback_summary as
select
  f.problem_detected_id,
  count(*)::integer as total_feedback,
  avg(f.rating)::double precision as avg_rating,
  (count(*) filter (where f.rating >= 4))::integer as positive_count,
  (count(*) filter (where f.rating <= 2))::integer as negative_count,
  (count(*) filter (where f.was_helpful))::integer as helpful_count,
  (100.0 * count(*) filter (where f.was_helpful) / count(*))::double precision as helpful_percentage,
  max(f.collected_at) as last_feedback
from public.support_troubleshooting_feedback as f
where f.collected_at >= (date_trunc('day', now() at time zone 'UTC') - interval '90 days') at time zone 'UTC'
  and f.problem_detected_id is not null
group by f.problem_detected_id
with data;

create unique index if not exists mv_feedback_summary_problem_detected_id_idx
  on public.mv_feedback_summary (problem_detected_id);

-- Con los permisos del propietario: el rol de la aplicación no posee las
-- vistas, y solo el propietario puede refrescarlas.
create or replace function public.refresh_troubleshooting_views()
returns void
language plpgsql
security definer
set search_path = pg_catalog, public, pg_temp
as $$
declare
  v_name text;
  v_populated boolean;
begin
  foreach v_name in array array['mv_daily_troubleshooting_summary', 'mv_top_problems', 'mv_feedback_summary'] loop
    select c.relispopulated
      into strict v_populated
      from pg_catalog.pg_class as c
     where c.oid = ('public.' || v_name)::regclass;

    -- Una vista sin datos (restaurada solo con su esquema) no admite el
    -- refresco concurrente.
    execute format(
      'refresh materialized view %s public.%I',
      case when v_populated then 'concurrently' else '' end,
      v_name);
  end loop;
end
$$;

-- ---------------------------------------------------------------------------
-- Funciones de caché, límites y métricas
-- ---------------------------------------------------------------------------

create or replace function public.cleanup_expired_cache()
returns integer
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
declare
  v_deleted integer;
begin
  delete from public.support_troubleshooting_cache as c
   where c.expires_at <= now();
  get diagnostics v_deleted = row_count;
  return v_deleted;
end
$$;

create or replace function public.check_rate_limit(
  p_identifier character varying,
  p_limit_type character varying,
  p_max_count integer,
  p_window_minutes integer default 60
)
returns boolean
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
declare
  -- El reloj y no now(): dentro de una transacción larga el tiempo también pasa.
  v_now constant timestamptz := clock_timestamp();
  v_block constant interval := interval '1 hour';
  v_blocked_until timestamptz;
begin
  if p_max_count is null or p_max_count < 0 or p_window_minutes is null or p_window_minutes < 1 then
    raise exception 'límite no válido: máximo %, ventana de % minutos', p_max_count, p_window_minutes
      using errcode = 'invalid_parameter_value',
            hint = 'El máximo debe ser 0 o más y la ventana, de al menos 1 minuto.';
  end if;

  -- Una sola sentencia: llamadas simultáneas se ponen en fila sobre la fila
  -- del contador, y cada una lo ve como lo dejó la anterior.
  insert into public.support_troubleshooting_rate_limits as r
    (identifier, limit_type, current_count, window_start, blocked_until, created_at, updated_at)
  values (
    p_identifier, p_limit_type, 1, v_now,
    case when p_max_count < 1 then v_now + v_block end,
    v_now, v_now
  )
  on conflict (identifier, limit_type) do update
    set (current_count, window_start, blocked_until, updated_at) = (
      select
        case
          when state.fresh then 1
          when state.blocked then r.current_count
          else r.current_count + 1
        end,
        case when state.fresh then v_now else r.window_start end,
        case
          when state.blocked then r.blocked_until
          when state.fresh and p_max_count >= 1 then null
          when not state.fresh and r.current_count < p_max_count then null
          else v_now + v_block
        end,
        v_now
      from (
        select
          coalesce(r.blocked_until > v_now, false) as blocked,
          case
            when r.blocked_until is null then r.window_start <= v_now - make_interval(mins => p_window_minutes)
            else r.blocked_until <= v_now
          end as fresh
      ) as state
    )
  returning r.blocked_until into v_blocked_until;

  return v_blocked_until is null;
end
$$;

create or replace function public.get_performance_stats(
  p_metric_name character varying,
  p_hours integer default 24
)
returns table (
  avg_value numeric,
  min_value numeric,
  max_value numeric,
  p95_value numeric,
  sample_count bigint,
  p99_value numeric
)
language sql
stable
set search_path = pg_catalog, public, pg_temp
as $$
  select
    avg(m.metric_value),
    min(m.metric_value),
    max(m.metric_value),
    (percentile_cont(0.95) within group (order by m.metric_value::double precision))::numeric,
    count(*),
    (percentile_cont(0.99) within group (order by m.metric_value::double precision))::numeric
  from public.support_troubleshooting_performance_metrics as m
  where m.metric_name = p_metric_name
    and m.recorded_at >= now() - make_interval(hours => p_hours)
$$;

-- ---------------------------------------------------------------------------
-- Mantenimiento: una fila por tarea
-- ---------------------------------------------------------------------------
-- Cada tarea tiene su propio bloque: si falla, informa de su error y las demás
-- siguen.

create or replace function public.maintenance_troubleshooting_tables()
returns table (
  task character varying,
  result text,
  rows_affected bigint
)
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
begin
  task := 'cleanup_cache';
  begin
    rows_affected := public.cleanup_expired_cache();
    result := 'ok';
  exception when others then
    rows_affected := 0;
    result := format('error %s: %s', sqlstate, sqlerrm);
  end;
  return next;

  task := 'refresh_views';
  begin
    perform public.refresh_troubleshooting_views();
    rows_affected := 3;
    result := 'ok';
  exception when others then
    rows_affected := 0;
    result := format('error %s: %s', sqlstate, sqlerrm);
  end;
  return next;

  task := 'cleanup_rate_limits';
  begin
    delete from public.support_troubleshooting_rate_limits as r
     where r.window_start < now() - interval '7 days'
       and (r.blocked_until is null or r.blocked_until <= now());
    get diagnostics rows_affected = row_count;
    result := 'ok';
  exception when others then
    rows_affected := 0;
    result := format('error %s: %s', sqlstate, sqlerrm);
  end;
  return next;

  task := 'cleanup_metrics';
  begin
    delete from public.support_troubleshooting_performance_metrics as m
     where m.recorded_at < now() - interval '90 days';
    get diagnostics rows_affected = row_count;
    result := 'ok';
  exception when others then
    rows_affected := 0;
    result := format('error %s: %s', sqlstate, sqlerrm);
  end;
  return next;

  task := 'cleanup_reports';
  begin
    delete from public.support_troubleshooting_reports as r
     where r.expires_at <= now();
    get diagnostics rows_affected = row_count;
    result := 'ok';
  exception when others then
    rows_affected := 0;
    result := format('error %s: %s', sqlstate, sqlerrm);
  end;
  return next;
end
$$;

-- ---------------------------------------------------------------------------
-- Búsqueda de texto en español
-- ---------------------------------------------------------------------------
-- El índice y la función usan exactamente la misma expresión.

create index if not exists support_troubleshooting_sessions_search_idx
  on public.support_troubleshooting_sessions
  using gin (
    to_tsvector(
      'pg_catalog.spanish'::regconfig,
      problem_description || ' ' || coalesce(detected_problem_title, '')
    )
  );

create or replace function public.search_troubleshooting_sessions(
  p_search_text text,
  p_max_rows integer default 50
)
returns table (
  session_id character varying,
  customer_email character varying,
  problem_description text,
  detected_problem_title character varying,
  status character varying,
  started_at timestamp with time zone,
  rank real
)
language sql
stable
set search_path = pg_catalog, public, pg_temp
as $$
  select
    s.session_id,
    s.customer_email,
    s.problem_description,
    s.detected_problem_title,
    s.status,
    s.started_at,
    ts_rank(
      to_tsvector(
        'pg_catalog.spanish'::regconfig,
        s.problem_description || ' ' || coalesce(s.detected_problem_title, '')
      ),
      websearch_to_tsquery('pg_catalog.spanish'::regconfig, p_search_text)
    ) as score
  from public.support_troubleshooting_sessions as s
  where to_tsvector(
          'pg_catalog.spanish'::regconfig,
          s.problem_description || ' ' || coalesce(s.detected_problem_title, '')
        ) @@ websearch_to_tsquery('pg_catalog.spanish'::regconfig, p_search_text)
  order by score desc, s.started_at desc, s.id desc
  limit greatest(p_max_rows, 0)
$$;

-- ---------------------------------------------------------------------------
-- Comentarios
-- ---------------------------------------------------------------------------

comment on table public.support_troubleshooting_audit_log is
  'Auditoría de cambios en sesiones, webhooks y configuración, particionada por mes UTC. Nunca contiene secretos.';
comment on column public.support_troubleshooting_audit_log.id is
  'Identificador interno.';
comment on column public.support_troubleshooting_audit_log.table_name is
  'Tabla que cambió.';
comment on column public.support_troubleshooting_audit_log.record_id is
  'Clave de negocio del registro: session_id, webhook_id o config_key; si falta, su id.';
comment on column public.support_troubleshooting_audit_log.action is
  'Operación: INSERT, UPDATE o DELETE.';
comment on column public.support_troubleshooting_audit_log.old_values is
  'La fila antes del cambio, sin secretos.';
comment on column public.support_troubleshooting_audit_log.new_values is
  'La fila después del cambio, sin secretos.';
comment on column public.support_troubleshooting_audit_log.changed_by is
  'Quién hizo el cambio: el parámetro app.user si la aplicación lo fija con set_config(''app.user'', …); si no, el rol de la conexión.';
comment on column public.support_troubleshooting_audit_log.changed_at is
  'Momento del cambio: la hora de su transacción.';
comment on column public.support_troubleshooting_audit_log.ip_address is
  'Dirección del cliente; vacía en conexiones locales.';
comment on table public.support_troubleshooting_audit_log_default is
  'Auditoría: partición por defecto. Debe estar vacía; si tiene filas, faltan particiones mensuales.';

comment on index public.support_troubleshooting_audit_log_table_idx is
  'Cambios de una tabla, lo más reciente primero.';
comment on index public.support_troubleshooting_audit_log_changed_at_idx is
  'Filtros por período.';
comment on index public.support_troubleshooting_audit_log_record_idx is
  'Historial de un registro.';

comment on function public.troubleshooting_audit_row() is
  'Disparador de auditoría para cualquier tabla. Argumento: la columna que identifica el registro. Omite las claves con nombre de secreto (secret, password, token, authorization y similares) a cualquier profundidad, y las modificaciones que no cambian nada salvo updated_at.';
comment on trigger support_troubleshooting_sessions_audit on public.support_troubleshooting_sessions is
  'Registra los cambios en support_troubleshooting_audit_log.';
comment on trigger support_webhooks_audit on public.support_webhooks is
  'Registra los cambios en support_troubleshooting_audit_log, sin secretos.';
comment on trigger support_troubleshooting_config_audit on public.support_troubleshooting_config is
  'Registra los cambios en support_troubleshooting_audit_log.';

comment on table public.support_troubleshooting_cache is
  'Caché de resultados con caducidad.';
comment on column public.support_troubleshooting_cache.cache_key is
  'Clave de la entrada.';
comment on column public.support_troubleshooting_cache.cache_value is
  'Valor guardado.';
comment on column public.support_troubleshooting_cache.expires_at is
  'Momento desde el que la entrada no vale.';
comment on column public.support_troubleshooting_cache.created_at is
  'Momento de la creación.';
comment on column public.support_troubleshooting_cache.hit_count is
  'Lecturas de la entrada, contadas por la aplicación.';
comment on column public.support_troubleshooting_cache.last_accessed_at is
  'Última lectura.';

comment on table public.support_troubleshooting_rate_limits is
  'Límites de uso: un contador por identificador y clase de límite.';
comment on column public.support_troubleshooting_rate_limits.id is
  'Identificador interno.';
comment on column public.support_troubleshooting_rate_limits.identifier is
  'A quién se limita: correo, dirección o sesión.';
comment on column public.support_troubleshooting_rate_limits.limit_type is
  'Clase de límite, por ejemplo session_per_hour.';
comment on column public.support_troubleshooting_rate_limits.current_count is
  'Eventos contados en la ventana.';
comment on column public.support_troubleshooting_rate_limits.window_start is
  'Comienzo de la ventana.';
comment on column public.support_troubleshooting_rate_limits.blocked_until is
  'Fin del bloqueo; vacío si no está bloqueado.';
comment on column public.support_troubleshooting_rate_limits.created_at is
  'Momento del primer evento.';
comment on column public.support_troubleshooting_rate_limits.updated_at is
  'Momento del último evento.';

comment on table public.support_troubleshooting_performance_metrics is
  'Mediciones de rendimiento.';
comment on column public.support_troubleshooting_performance_metrics.id is
  'Identificador interno.';
comment on column public.support_troubleshooting_performance_metrics.metric_name is
  'Nombre de la métrica.';
comment on column public.support_troubleshooting_performance_metrics.metric_value is
  'Valor medido.';
comment on column public.support_troubleshooting_performance_metrics.metric_unit is
  'Unidad, por ejemplo milliseconds, count o percentage.';
comment on column public.support_troubleshooting_performance_metrics.context is
  'Datos adicionales en JSON.';
comment on column public.support_troubleshooting_performance_metrics.recorded_at is
  'Momento de la medición.';

comment on index public.support_troubleshooting_cache_expires_at_idx is
  'Entradas caducadas.';
comment on index public.support_troubleshooting_rate_limits_window_start_idx is
  'Limpieza de contadores antiguos.';
comment on index public.support_troubleshooting_performance_metrics_name_idx is
  'Mediciones de una métrica, lo más reciente primero.';
comment on index public.support_troubleshooting_performance_metrics_recorded_at_idx is
  'Limpieza de mediciones antiguas.';

comment on materialized view public.mv_daily_troubleshooting_summary is
  'Resumen por día UTC de los últimos 90 días.';
comment on column public.mv_daily_troubleshooting_summary.date is
  'Día UTC en que comenzaron las sesiones.';
comment on column public.mv_daily_troubleshooting_summary.total_sessions is
  'Sesiones iniciadas.';
comment on column public.mv_daily_troubleshooting_summary.resolved is
  'Sesiones resueltas.';
comment on column public.mv_daily_troubleshooting_summary.escalated is
  'Sesiones escaladas.';
comment on column public.mv_daily_troubleshooting_summary.active is
  'Sesiones iniciadas o en curso.';
comment on column public.mv_daily_troubleshooting_summary.avg_duration_minutes is
  'Duración media de las sesiones cerradas, en minutos.';
comment on column public.mv_daily_troubleshooting_summary.unique_problems is
  'Problemas distintos.';
comment on column public.mv_daily_troubleshooting_summary.unique_customers is
  'Clientes distintos.';
comment on index public.mv_daily_troubleshooting_summary_date_idx is
  'Clave de la vista, necesaria para el refresco concurrente.';

comment on materialized view public.mv_top_problems is
  'Problemas de los últimos 30 días: una fila por problema.';
comment on column public.mv_top_problems.detected_problem_id is
  'Problema detectado.';
comment on column public.mv_top_problems.detected_problem_title is
  'Título más reciente del problema; vacío si nunca llegó ninguno.';
comment on column public.mv_top_problems.total_sessions is
  'Sesiones del problema.';
comment on column public.mv_top_problems.resolved_count is
  'Sesiones resueltas.';
comment on column public.mv_top_problems.escalated_count is
  'Sesiones escaladas.';
comment on column public.mv_top_problems.resolution_rate is
  'Porcentaje de sesiones resueltas.';
comment on column public.mv_top_problems.avg_duration_minutes is
  'Duración media de las sesiones cerradas, en minutos.';
comment on column public.mv_top_problems.last_occurrence is
  'Comienzo de la sesión más reciente.';
comment on index public.mv_top_problems_detected_problem_id_idx is
  'Clave de la vista, necesaria para el refresco concurrente.';

comment on materialized view public.mv_feedback_summary is
  'Opiniones por problema de los últimos 90 días.';
comment on column public.mv_feedback_summary.problem_detected_id is
  'Problema detectado.';
comment on column public.mv_feedback_summary.total_feedback is
  'Opiniones recogidas.';
comment on column public.mv_feedback_summary.avg_rating is
  'Valoración media.';
comment on column public.mv_feedback_summary.positive_count is
  'Opiniones con valoración de 4 o 5.';
comment on column public.mv_feedback_summary.negative_count is
  'Opiniones con valoración de 1 o 2.';
comment on column public.mv_feedback_summary.helpful_count is
  'Opiniones que consideran útil la guía.';
comment on column public.mv_feedback_summary.helpful_percentage is
  'Porcentaje de opiniones que consideran útil la guía.';
comment on column public.mv_feedback_summary.last_feedback is
  'Momento de la última opinión.';
comment on index public.mv_feedback_summary_problem_detected_id_idx is
  'Clave de la vista, necesaria para el refresco concurrente.';

comment on function public.refresh_troubleshooting_views() is
  'Refresca las tres vistas materializadas, sin bloquear a los lectores cuando ya tienen datos. Se ejecuta con los permisos del propietario.';
comment on function public.cleanup_expired_cache() is
  'Borra las entradas caducadas de la caché y devuelve cuántas borró.';
comment on function public.check_rate_limit(character varying, character varying, integer, integer) is
  'Cuenta un evento y devuelve si está permitido. El que supera el máximo se rechaza y bloquea durante una hora; pasados el bloqueo o la ventana (en minutos) se empieza de nuevo. La fila del contador queda bloqueada hasta el fin de la transacción.';
comment on function public.get_performance_stats(character varying, integer) is
  'Media, mínimo, máximo, percentiles 95 y 99 y número de mediciones de una métrica en las últimas horas. Devuelve siempre una fila.';
comment on function public.maintenance_troubleshooting_tables() is
  'Mantenimiento diario: una fila por tarea, con su resultado. Una tarea que falla no deshace las demás.';
comment on function public.search_troubleshooting_sessions(text, integer) is
  'Búsqueda en español sobre la descripción y el título del problema: lo más relevante primero y, a igual relevancia, lo más reciente. Admite comillas, "or" y el signo menos.';
comment on index public.support_troubleshooting_sessions_search_idx is
  'Búsqueda de texto en español; misma expresión que search_troubleshooting_sessions.';
