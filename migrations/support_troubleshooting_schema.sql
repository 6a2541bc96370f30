-- tsdb: version 1.0.0
--
-- Esquema base del sistema de troubleshooting: sesiones guiadas, intentos de
-- cada paso y correcciones de los agentes.
--
-- El archivo se ejecuta en una sola transacción y puede repetirse sobre su
-- propio resultado sin error ni cambio. Requiere PostgreSQL 14 o posterior.
-- La tabla public.support_tickets pertenece a otra parte de la aplicación:
-- aquí nunca se crea, se modifica ni se borra, y puede no existir.

-- ---------------------------------------------------------------------------
-- Tablas
-- ---------------------------------------------------------------------------

create table if not exists public.support_troubleshooting_sessions (
  id integer generated always as identity,
  session_id character varying(128) not null,
  ticket_id character varying(128),
  customer_email character varying(256) not null,
  customer_name character varying(256),
  problem_description text not null,
  detected_problem_id character varying(128),
  detected_problem_title character varying(512),
  status character varying(32) not null default 'started',
  current_step integer not null default 0,
  total_steps integer not null default 0,
  metadata jsonb not null default '{}',
  started_at timestamp with time zone not null default now(),
  resolved_at timestamp with time zone,
  escalated_at timestamp with time zone,
  updated_at timestamp with time zone not null default now(),
  total_duration_seconds integer,
  customer_satisfaction_score integer,
  -- Dos clientes agrupan solo por "id" y leen todas las columnas: debe ser la
  -- clave primaria, una restricción única no basta.
  constraint support_troubleshooting_sessions_pkey
    primary key (id),
  constraint support_troubleshooting_sessions_session_id_key
    unique (session_id),
  constraint support_troubleshooting_sessions_status_check
    check (status::text in ('started', 'in_progress', 'resolved', 'needs_escalation', 'escalated')),
  constraint support_troubleshooting_sessions_total_steps_check
    check (total_steps >= 0),
  constraint support_troubleshooting_sessions_current_step_check
    check (current_step >= 0 and current_step <= total_steps),
  constraint support_troubleshooting_sessions_satisfaction_check
    check (customer_satisfaction_score >= 1 and customer_satisfaction_score <= 5)
);

create table if not exists public.support_troubleshooting_attempts (
  id integer generated always as identity,
  session_id character varying(128) not null,
  step_number integer not null,
  step_title character varying(512),
  success boolean not null,
  notes text,
  duration_seconds integer,
  attempted_at timestamp with time zone not null default now(),
  -- Un paso fallido se vuelve a intentar: (session_id, step_number) no es única.
  constraint support_troubleshooting_attempts_pkey
    primary key (id),
  constraint support_troubleshooting_attempts_session_id_fkey
    foreign key (session_id)
    references public.support_troubleshooting_sessions (session_id)
    on delete cascade,
  constraint support_troubleshooting_attempts_duration_check
    check (duration_seconds >= 0)
);

create table if not exists public.support_troubleshooting_learning (
  id integer generated always as identity,
  session_id character varying(128),
  problem_description text not null,
  detected_problem_id character varying(128),
  actual_problem_id character varying(128) not null,
  corrected_by character varying(256) not null,
  corrected_at timestamp with time zone not null default now(),
  constraint support_troubleshooting_learning_pkey
    primary key (id),
  -- La corrección sobrevive a la retención de la sesión.
  constraint support_troubleshooting_learning_session_id_fkey
    foreign key (session_id)
    references public.support_troubleshooting_sessions (session_id)
    on delete set null
);

-- ---------------------------------------------------------------------------
-- Clave externa hacia support_tickets, solo donde esa tabla existe
-- ---------------------------------------------------------------------------
-- Se añade sin validar y después se valida. Si hay sesiones antiguas cuyo
-- ticket no existe, la clave queda sin validar (rige para las filas nuevas) y
-- se avisa del número. Sin tabla, o sin clave única adecuada, se omite: no es
-- un error, y repetir el archivo lo vuelve a intentar.

do $$
declare
  v_tickets constant regclass := pg_catalog.to_regclass('public.support_tickets');
  v_validated boolean;
  v_orphans bigint;
begin
  select c.convalidated
    into v_validated
    from pg_catalog.pg_constraint as c
   where c.conrelid = 'public.support_troubleshooting_sessions'::regclass
     and c.conname = 'support_troubleshooting_sessions_ticket_id_fkey';

  if v_validated then
    return;
  end if;

  if v_validated is null then
    if v_tickets is null then
      raise notice 'public.support_tickets no existe: se omite la clave externa de "support_troubleshooting_sessions"';
      return;
    end if;

    if not exists (
      select
        from pg_catalog.pg_index as i
        join pg_catalog.pg_class as c on c.oid = i.indrelid
        join pg_catalog.pg_attribute as a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
       where i.indrelid = v_tickets
         and c.relkind in ('r', 'p')
         and i.indisunique and i.indisvalid and i.indimmediate
         and i.indnkeyatts = 1
         and i.indpred is null
         and a.attname = 'ticket_id'
         and a.atttypid = 'pg_catalog.varchar'::regtype
    ) then
      raise notice 'public.support_tickets no tiene una clave única sobre "ticket_id" de tipo varchar: se omite la clave externa de "support_troubleshooting_sessions"';
      return;
    end if;

    if not pg_catalog.has_table_privilege(v_tickets, 'references') then
      raise warning 'el rol "%" no tiene el permiso REFERENCES sobre public.support_tickets: se omite la clave externa de "support_troubleshooting_sessions"', current_user;
      return;
    end if;

    alter table public.support_troubleshooting_sessions
      add constraint support_troubleshooting_sessions_ticket_id_fkey
      foreign key (ticket_id) references public.support_tickets (ticket_id)
      on delete set null
      not valid;
  end if;

  begin
    alter table public.support_troubleshooting_sessions
      validate constraint support_troubleshooting_sessions_ticket_id_fkey;
  exception
    when foreign_key_violation then
      -- Añadir la clave no exige poder leer support_tickets; contar, sí.
      if pg_catalog.has_column_privilege(v_tickets, 'ticket_id', 'select') then
        select pg_catalog.count(*)
          into v_orphans
          from public.support_troubleshooting_sessions as s
         where s.ticket_id is not null
           and not exists (select from public.support_tickets as t where t.ticket_id = s.ticket_id);
      end if;
      raise warning 'la clave externa "support_troubleshooting_sessions_ticket_id_fkey" queda sin validar: % sesiones apuntan a un ticket que no existe',
        coalesce(v_orphans::text, 'no se sabe cuántas');
  end;
end
$$;

-- ---------------------------------------------------------------------------
-- Índices
-- ---------------------------------------------------------------------------

create index if not exists support_troubleshooting_sessions_started_at_idx
  on public.support_troubleshooting_sessions (started_at);

create index if not exists support_troubleshooting_sessions_customer_idx
  on public.support_troubleshooting_sessions (customer_email, started_at desc);

create index if not exists support_troubleshooting_sessions_problem_idx
  on public.support_troubleshooting_sessions (detected_problem_id, started_at desc)
  where detected_problem_id is not null;

create index if not exists support_troubleshooting_sessions_active_idx
  on public.support_troubleshooting_sessions (started_at desc)
  where status::text in ('started', 'in_progress');

create index if not exists support_troubleshooting_sessions_ticket_id_idx
  on public.support_troubleshooting_sessions (ticket_id)
  where ticket_id is not null;

create index if not exists support_troubleshooting_attempts_session_idx
  on public.support_troubleshooting_attempts (session_id, attempted_at desc);

create index if not exists support_troubleshooting_learning_session_id_idx
  on public.support_troubleshooting_learning (session_id)
  where session_id is not null;

-- ---------------------------------------------------------------------------
-- Funciones de disparador
-- ---------------------------------------------------------------------------

create or replace function public.troubleshooting_touch_updated_at()
returns trigger
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
begin
  new.updated_at := now();
  return new;
end
$$;

create or replace function public.troubleshooting_session_status()
returns trigger
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
declare
  v_closed constant text[] := array['resolved', 'escalated'];
  v_closed_at timestamptz;
  v_duration integer;
begin
  if tg_op = 'UPDATE' then
    new.updated_at := now();

    if old.status = any (v_closed) and new.status <> all (v_closed) then
      -- La sesión se reabre: sus tiempos de cierre dejan de valer.
      new.resolved_at := null;
      new.escalated_at := null;
      new.total_duration_seconds := null;
      return new;
    end if;

    if new.status = old.status then
      -- Una sesión que sigue cerrada no pierde su hora de cierre.
      if new.status = 'resolved' then
        new.resolved_at := coalesce(new.resolved_at, old.resolved_at);
      elsif new.status = 'escalated' then
        new.escalated_at := coalesce(new.escalated_at, old.escalated_at);
      end if;
    elsif old.status = any (v_closed) then
      -- De un cierre al otro: una hora que quedó de un cierre anterior no
      -- cuenta como dada por el cliente.
      if new.status = 'resolved' and new.resolved_at is not distinct from old.resolved_at then
        new.resolved_at := null;
      elsif new.status = 'escalated' and new.escalated_at is not distinct from old.escalated_at then
        new.escalated_at := null;
      end if;
    end if;
  end if;

  if new.status = 'resolved' then
    new.resolved_at := coalesce(new.resolved_at, now());
    v_closed_at := new.resolved_at;
  elsif new.status = 'escalated' then
    new.escalated_at := coalesce(new.escalated_at, now());
    v_closed_at := new.escalated_at;
  else
    return new;
  end if;

  -- Acotada al rango de integer: un reloj de cliente equivocado no impide cerrar.
  v_duration := least(greatest(round(extract(epoch from v_closed_at - new.started_at)), 0), 2147483647)::integer;

  if tg_op = 'INSERT' then
    -- Una fila que llega ya cerrada (también al restaurar) conserva su duración.
    new.total_duration_seconds := coalesce(new.total_duration_seconds, v_duration);
  elsif new.status <> old.status
     or new.total_duration_seconds is null
     or new.started_at <> old.started_at
     or (new.resolved_at, new.escalated_at) is distinct from (old.resolved_at, old.escalated_at) then
    new.total_duration_seconds := v_duration;
  end if;

  return new;
end
$$;

create or replace trigger support_troubleshooting_sessions_status
  before insert or update on public.support_troubleshooting_sessions
  for each row
  execute function public.troubleshooting_session_status();

-- ---------------------------------------------------------------------------
-- Vista resumen de sesiones
-- ---------------------------------------------------------------------------
-- Una vista anterior con otras columnas no puede reemplazarse: se borra antes.

do $$
begin
  if exists (
    select
      from pg_catalog.pg_attribute as a
      join pg_catalog.pg_class as c on c.oid = a.attrelid and c.relkind = 'v'
     where c.oid = pg_catalog.to_regclass('public.vw_troubleshooting_sessions_summary')
       and a.attnum > 0
    having pg_catalog.string_agg(
             pg_catalog.format('%s %s', a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod)),
             ', ' order by a.attnum)
           <> 'session_id character varying(128), ticket_id character varying(128), '
              'customer_email character varying(256), customer_name character varying(256), '
              'detected_problem_title character varying(512), status character varying(32), '
              'current_step integer, total_steps integer, started_at timestamp with time zone, '
              'resolved_at timestamp with time zone, escalated_at timestamp with time zone, '
              'customer_satisfaction_score integer, total_attempts integer, '
              'successful_attempts integer, failed_attempts integer, '
              'duration_minutes double precision, avg_step_duration_seconds double precision, '
              'last_attempt_at timestamp with time zone, completion_percentage double precision'
  ) then
    drop view public.vw_troubleshooting_sessions_summary;
  end if;
end
$$;

create or replace view public.vw_troubleshooting_sessions_summary as
select
  s.session_id,
  s.ticket_id,
  s.customer_email,
  s.customer_name,
  s.detected_problem_title,
  s.status,
  s.current_step,
  s.total_steps,
  s.started_at,
  s.resolved_at,
  s.escalated_at,
  s.customer_satisfaction_score,
  a.total_attempts,
  a.successful_attempts,
  a.failed_attempts,
  (extract(epoch from
     coalesce(
       case s.status::text
         when 'resolved' then s.resolved_at
         when 'escalated' then s.escalated_at
       end,
       now()
     ) - s.started_at
   ) / 60)::double precision as duration_minutes,
  a.avg_step_duration_seconds,
  a.last_attempt_at,
  case
    when s.total_steps = 0 then 0
    else 100.0 * s.current_step / s.total_steps
  end::double precision as completion_percentage
from public.support_troubleshooting_sessions as s
cross join lateral (
  select
    count(*)::integer as total_attempts,
    (count(*) filter (where t.success))::integer as successful_attempts,
    (count(*) filter (where not t.success))::integer as failed_attempts,
    avg(t.duration_seconds)::double precision as avg_step_duration_seconds,
    max(t.attempted_at) as last_attempt_at
  from public.support_troubleshooting_attempts as t
  where t.session_id = s.session_id
) as a;

-- ---------------------------------------------------------------------------
-- Estadísticas
-- ---------------------------------------------------------------------------

create or replace function public.get_troubleshooting_stats(
  p_start_date timestamp with time zone default (now() - interval '30 days'),
  p_end_date timestamp with time zone default now()
)
returns table (
  total_sessions integer,
  resolved_sessions integer,
  escalated_sessions integer,
  in_progress_sessions integer,
  avg_duration_minutes double precision,
  median_duration_minutes double precision,
  most_common_problem character varying,
  resolution_rate double precision,
  avg_satisfaction_score double precision,
  total_attempts integer,
  avg_attempts_per_session double precision
)
language sql
stable
set search_path = pg_catalog, public, pg_temp
as $$
  with period as materialized (
    select
      s.session_id,
      s.status::text as status,
      s.started_at,
      s.detected_problem_id,
      nullif(s.detected_problem_title, '') as title,
      s.customer_satisfaction_score,
      -- Solo las sesiones cerradas cuentan en las duraciones.
      case when s.status::text in ('resolved', 'escalated') then s.total_duration_seconds end as seconds
    from public.support_troubleshooting_sessions as s
    where s.started_at >= p_start_date
      and s.started_at <= p_end_date
  ),
  totals as (
    select
      count(*)::integer as sessions,
      (count(*) filter (where p.status = 'resolved'))::integer as resolved,
      (count(*) filter (where p.status = 'escalated'))::integer as escalated,
      (count(*) filter (where p.status in ('started', 'in_progress')))::integer as in_progress,
      avg(p.seconds) as avg_seconds,
      percentile_cont(0.5) within group (order by p.seconds) as median_seconds,
      avg(p.customer_satisfaction_score) as satisfaction
    from period as p
  ),
  attempts as (
    select count(*)::integer as attempts
    from public.support_troubleshooting_attempts as a
    join period as p on p.session_id = a.session_id
  ),
  -- Se agrupa por problema, no por título: un mismo problema llega con varios
  -- títulos o con ninguno. Vale el título más reciente.
  problems as (
    select
      coalesce(p.detected_problem_id, p.title) as problem,
      count(*) as sessions,
      (array_agg(p.title order by p.started_at desc, p.title) filter (where p.title is not null))[1] as title
    from period as p
    group by 1
  )
  select
    t.sessions,
    t.resolved,
    t.escalated,
    t.in_progress,
    (t.avg_seconds / 60)::double precision,
    t.median_seconds / 60,
    (
      select b.title
      from problems as b
      where b.title is not null
      order by b.sessions desc, b.title
      limit 1
    ),
    coalesce(100.0 * t.resolved / nullif(t.sessions, 0), 0)::double precision,
    t.satisfaction::double precision,
    a.attempts,
    coalesce(a.attempts::numeric / nullif(t.sessions, 0), 0)::double precision
  from totals as t
  cross join attempts as a
$$;

-- ---------------------------------------------------------------------------
-- Comentarios
-- ---------------------------------------------------------------------------

comment on table public.support_troubleshooting_sessions is
  'Sesiones guiadas de troubleshooting: una fila por problema que un cliente intenta resolver.';
comment on column public.support_troubleshooting_sessions.id is
  'Identificador interno.';
comment on column public.support_troubleshooting_sessions.session_id is
  'Identificador público de la sesión, asignado por la aplicación.';
comment on column public.support_troubleshooting_sessions.ticket_id is
  'Ticket de soporte relacionado; queda vacío si el ticket se borra.';
comment on column public.support_troubleshooting_sessions.customer_email is
  'Correo electrónico del cliente, en minúsculas.';
comment on column public.support_troubleshooting_sessions.customer_name is
  'Nombre del cliente; puede estar vacío.';
comment on column public.support_troubleshooting_sessions.problem_description is
  'Descripción del problema con las palabras del cliente; puede estar vacía.';
comment on column public.support_troubleshooting_sessions.detected_problem_id is
  'Problema detectado: clave de la base de conocimiento, que es un archivo JSON.';
comment on column public.support_troubleshooting_sessions.detected_problem_title is
  'Título del problema detectado; no todos los clientes lo envían.';
comment on column public.support_troubleshooting_sessions.status is
  'Estado: started (iniciada), in_progress (en curso), resolved (resuelta), needs_escalation (debe escalarse) o escalated (escalada).';
comment on column public.support_troubleshooting_sessions.current_step is
  'Pasos completados; nunca más que total_steps.';
comment on column public.support_troubleshooting_sessions.total_steps is
  'Número de pasos de la guía.';
comment on column public.support_troubleshooting_sessions.metadata is
  'Datos adicionales en JSON: método de detección, confianza, duración prevista y otros.';
comment on column public.support_troubleshooting_sessions.started_at is
  'Inicio de la sesión.';
comment on column public.support_troubleshooting_sessions.resolved_at is
  'Momento de la resolución; lo pone el disparador de estado y se vacía al reabrir la sesión.';
comment on column public.support_troubleshooting_sessions.escalated_at is
  'Momento del escalado; lo pone el disparador de estado y se vacía al reabrir la sesión.';
comment on column public.support_troubleshooting_sessions.updated_at is
  'Última modificación de la fila.';
comment on column public.support_troubleshooting_sessions.total_duration_seconds is
  'Segundos desde el inicio hasta el cierre; vacío mientras la sesión está abierta.';
comment on column public.support_troubleshooting_sessions.customer_satisfaction_score is
  'Última valoración del cliente, de 1 a 5; se copia de sus comentarios.';

comment on table public.support_troubleshooting_attempts is
  'Intentos de cada paso de una sesión; un paso fallido puede repetirse.';
comment on column public.support_troubleshooting_attempts.id is
  'Identificador interno.';
comment on column public.support_troubleshooting_attempts.session_id is
  'Sesión a la que pertenece el intento.';
comment on column public.support_troubleshooting_attempts.step_number is
  'Número del paso dentro de la guía.';
comment on column public.support_troubleshooting_attempts.step_title is
  'Título del paso.';
comment on column public.support_troubleshooting_attempts.success is
  'Verdadero si el paso se completó con éxito.';
comment on column public.support_troubleshooting_attempts.notes is
  'Notas del cliente o del agente.';
comment on column public.support_troubleshooting_attempts.duration_seconds is
  'Duración del intento en segundos.';
comment on column public.support_troubleshooting_attempts.attempted_at is
  'Momento del intento.';

comment on table public.support_troubleshooting_learning is
  'Correcciones de los agentes sobre el problema detectado; se conservan aunque la sesión se borre. Para registrar datos de entrenamiento nuevos, use support_troubleshooting_ml_training.';
comment on column public.support_troubleshooting_learning.id is
  'Identificador interno.';
comment on column public.support_troubleshooting_learning.session_id is
  'Sesión corregida; vacío si la sesión ya se borró.';
comment on column public.support_troubleshooting_learning.problem_description is
  'Descripción del problema.';
comment on column public.support_troubleshooting_learning.detected_problem_id is
  'Problema que detectó el sistema.';
comment on column public.support_troubleshooting_learning.actual_problem_id is
  'Problema real según el agente.';
comment on column public.support_troubleshooting_learning.corrected_by is
  'Correo electrónico del agente que corrigió.';
comment on column public.support_troubleshooting_learning.corrected_at is
  'Momento de la corrección.';

comment on index public.support_troubleshooting_sessions_started_at_idx is
  'Filtros por período y retención.';
comment on index public.support_troubleshooting_sessions_customer_idx is
  'Historial de un cliente, lo más reciente primero.';
comment on index public.support_troubleshooting_sessions_problem_idx is
  'Sesiones de un problema, lo más reciente primero.';
comment on index public.support_troubleshooting_sessions_active_idx is
  'Sesiones activas.';
comment on index public.support_troubleshooting_sessions_ticket_id_idx is
  'Acción SET NULL de la clave externa hacia support_tickets.';
comment on index public.support_troubleshooting_attempts_session_idx is
  'Últimos intentos de una sesión y borrado en cascada.';
comment on index public.support_troubleshooting_learning_session_id_idx is
  'Acción SET NULL de la clave externa hacia las sesiones.';

comment on function public.troubleshooting_touch_updated_at() is
  'Disparador: pone en updated_at la hora de la transacción en cada modificación.';
comment on function public.troubleshooting_session_status() is
  'Disparador: mantiene los tiempos de cierre y la duración de la sesión según su estado; conserva la hora de cierre que dé el cliente y la vacía al reabrir.';
comment on trigger support_troubleshooting_sessions_status on public.support_troubleshooting_sessions is
  'Mantiene resolved_at, escalated_at, total_duration_seconds y updated_at.';

comment on view public.vw_troubleshooting_sessions_summary is
  'Resumen por sesión con sus intentos, duración y avance.';
comment on column public.vw_troubleshooting_sessions_summary.session_id is
  'Identificador público de la sesión.';
comment on column public.vw_troubleshooting_sessions_summary.ticket_id is
  'Ticket de soporte relacionado.';
comment on column public.vw_troubleshooting_sessions_summary.customer_email is
  'Correo electrónico del cliente.';
comment on column public.vw_troubleshooting_sessions_summary.customer_name is
  'Nombre del cliente.';
comment on column public.vw_troubleshooting_sessions_summary.detected_problem_title is
  'Título del problema detectado.';
comment on column public.vw_troubleshooting_sessions_summary.status is
  'Estado de la sesión.';
comment on column public.vw_troubleshooting_sessions_summary.current_step is
  'Pasos completados.';
comment on column public.vw_troubleshooting_sessions_summary.total_steps is
  'Número de pasos de la guía.';
comment on column public.vw_troubleshooting_sessions_summary.started_at is
  'Inicio de la sesión.';
comment on column public.vw_troubleshooting_sessions_summary.resolved_at is
  'Momento de la resolución.';
comment on column public.vw_troubleshooting_sessions_summary.escalated_at is
  'Momento del escalado.';
comment on column public.vw_troubleshooting_sessions_summary.customer_satisfaction_score is
  'Última valoración del cliente, de 1 a 5.';
comment on column public.vw_troubleshooting_sessions_summary.total_attempts is
  'Intentos registrados.';
comment on column public.vw_troubleshooting_sessions_summary.successful_attempts is
  'Intentos con éxito.';
comment on column public.vw_troubleshooting_sessions_summary.failed_attempts is
  'Intentos fallidos.';
comment on column public.vw_troubleshooting_sessions_summary.duration_minutes is
  'Minutos desde el inicio hasta la resolución o el escalado; hasta ahora si sigue abierta.';
comment on column public.vw_troubleshooting_sessions_summary.avg_step_duration_seconds is
  'Duración media de los intentos que la registran, en segundos.';
comment on column public.vw_troubleshooting_sessions_summary.last_attempt_at is
  'Momento del último intento.';
comment on column public.vw_troubleshooting_sessions_summary.completion_percentage is
  'Porcentaje de pasos completados; 0 si la guía no tiene pasos.';

comment on function public.get_troubleshooting_stats(timestamp with time zone, timestamp with time zone) is
  'Estadísticas de las sesiones iniciadas en el período, ambos extremos incluidos; por defecto, los últimos 30 días. Devuelve siempre una fila. in_progress_sessions cuenta las iniciadas y las que están en curso; las duraciones cuentan solo sesiones cerradas.';
