-- tsdb: version 1.0.0
-- tsdb: requires support_troubleshooting_schema
--
-- Opiniones de los clientes sobre las sesiones de troubleshooting.

-- ---------------------------------------------------------------------------
-- Tabla
-- ---------------------------------------------------------------------------

create table if not exists public.support_troubleshooting_feedback (
  id integer generated always as identity,
  session_id character varying(128) not null,
  ticket_id character varying(128),
  customer_email character varying(256) not null,
  rating integer not null,
  feedback_text text,
  was_helpful boolean,
  problem_detected_id character varying(128),
  total_steps integer,
  completed_steps integer,
  resolved boolean,
  collected_at timestamp with time zone not null default now(),
  -- Una sesión puede tener varias opiniones; los lectores toman la última.
  constraint support_troubleshooting_feedback_pkey
    primary key (id),
  constraint support_troubleshooting_feedback_session_id_fkey
    foreign key (session_id)
    references public.support_troubleshooting_sessions (session_id)
    on delete cascade,
  constraint support_troubleshooting_feedback_rating_check
    check (rating >= 1 and rating <= 5)
);

-- ---------------------------------------------------------------------------
-- Clave externa hacia support_tickets, con las mismas reglas que la de las
-- sesiones: solo donde esa tabla existe, sin validar mientras haya huérfanas.
-- ---------------------------------------------------------------------------

do $$
declare
  v_tickets constant regclass := pg_catalog.to_regclass('public.support_tickets');
  v_validated boolean;
  v_orphans bigint;
begin
  select c.convalidated
    into v_validated
    from pg_catalog.pg_constraint as c
   where c.conrelid = 'public.support_troubleshooting_feedback'::regclass
     and c.conname = 'support_troubleshooting_feedback_ticket_id_fkey';

  if v_validated then
    return;
  end if;

  if v_validated is null then
    if v_tickets is null then
      raise notice 'public.support_tickets no existe: se omite la clave externa de "support_troubleshooting_feedback"';
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
      raise notice 'public.support_tickets no tiene una clave única sobre "ticket_id" de tipo varchar: se omite la clave externa de "support_troubleshooting_feedback"';
      return;
    end if;

    if not pg_catalog.has_table_privilege(v_tickets, 'references') then
      raise warning 'el rol "%" no tiene el permiso REFERENCES sobre public.support_tickets: se omite la clave externa de "support_troubleshooting_feedback"', current_user;
      return;
    end if;

    alter table public.support_troubleshooting_feedback
      add constraint support_troubleshooting_feedback_ticket_id_fkey
      foreign key (ticket_id) references public.support_tickets (ticket_id)
      on delete set null
      not valid;
  end if;

  begin
    alter table public.support_troubleshooting_feedback
      validate constraint support_troubleshooting_feedback_ticket_id_fkey;
  exception
    when foreign_key_violation then
      -- Añadir la clave no exige poder leer support_tickets; contar, sí.
      if pg_catalog.has_column_privilege(v_tickets, 'ticket_id', 'select') then
        select pg_catalog.count(*)
          into v_orphans
          from public.support_troubleshooting_feedback as f
         where f.ticket_id is not null
           and not exists (select from public.support_tickets as t where t.ticket_id = f.ticket_id);
      end if;
      raise warning 'la clave externa "support_troubleshooting_feedback_ticket_id_fkey" queda sin validar: % opiniones apuntan a un ticket que no existe',
        coalesce(v_orphans::text, 'no se sabe cuántas');
  end;
end
$$;

-- ---------------------------------------------------------------------------
-- Índices
-- ---------------------------------------------------------------------------

create index if not exists support_troubleshooting_feedback_session_idx
  on public.support_troubleshooting_feedback (session_id, collected_at desc);

create index if not exists support_troubleshooting_feedback_collected_at_idx
  on public.support_troubleshooting_feedback (collected_at);

create index if not exists support_troubleshooting_feedback_ticket_id_idx
  on public.support_troubleshooting_feedback (ticket_id)
  where ticket_id is not null;

-- ---------------------------------------------------------------------------
-- La última valoración de una sesión se copia en la sesión
-- ---------------------------------------------------------------------------
-- Por sentencia y no por fila: una carga de muchas opiniones escribe cada
-- sesión como mucho una vez, y una restauración que ya trae la puntuación no
-- escribe ninguna.

create or replace function public.troubleshooting_copy_feedback_rating()
returns trigger
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
begin
  -- Dos opiniones simultáneas de una sesión se ponen en fila aquí; la segunda
  -- ve, al buscar la más reciente, la que acaba de confirmarse.
  perform
    from public.support_troubleshooting_sessions as s
   where s.session_id in (select n.session_id from new_feedback as n)
   order by s.id
     for no key update;

  update public.support_troubleshooting_sessions as s
     set customer_satisfaction_score = newest.rating
    from (
      select distinct on (f.session_id) f.session_id, f.rating
        from public.support_troubleshooting_feedback as f
       where f.session_id in (select n.session_id from new_feedback as n)
       order by f.session_id, f.collected_at desc, f.id desc
    ) as newest
   where s.session_id = newest.session_id
     and s.customer_satisfaction_score is distinct from newest.rating;

  return null;
end
$$;

create or replace trigger support_troubleshooting_feedback_copy_rating
  after insert on public.support_troubleshooting_feedback
  referencing new table as new_feedback
  for each statement
  execute function public.troubleshooting_copy_feedback_rating();

-- ---------------------------------------------------------------------------
-- Resumen diario
-- ---------------------------------------------------------------------------
-- Una vista anterior con otras columnas no puede reemplazarse: se borra antes.

do $$
begin
  if exists (
    select
      from pg_catalog.pg_attribute as a
      join pg_catalog.pg_class as c on c.oid = a.attrelid and c.relkind = 'v'
     where c.oid = pg_catalog.to_regclass('public.vw_troubleshooting_feedback_summary')
       and a.attnum > 0
    having pg_catalog.string_agg(
             pg_catalog.format('%s %s', a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod)),
             ', ' order by a.attnum)
           <> 'date date, total_feedback integer, average_rating double precision, '
              'helpful_count integer, resolved_count integer, positive_feedback_count integer'
  ) then
    drop view public.vw_troubleshooting_feedback_summary;
  end if;
end
$$;

create or replace view public.vw_troubleshooting_feedback_summary as
select
  f.collected_at::date as date,
  count(*)::integer as total_feedback,
  avg(f.rating)::double precision as average_rating,
  (count(*) filter (where f.was_helpful))::integer as helpful_count,
  (count(*) filter (where f.resolved))::integer as resolved_count,
  (count(*) filter (where f.rating >= 4))::integer as positive_feedback_count
from public.support_troubleshooting_feedback as f
group by f.collected_at::date;

-- ---------------------------------------------------------------------------
-- Opiniones por problema
-- ---------------------------------------------------------------------------

create or replace function public.get_feedback_by_problem(
  p_start_date timestamp with time zone default (now() - interval '30 days'),
  p_end_date timestamp with time zone default now()
)
returns table (
  problem_id character varying,
  total_feedback integer,
  average_rating double precision,
  helpful_percentage double precision,
  resolution_rate double precision
)
language sql
stable
set search_path = pg_catalog, public, pg_temp
as $$
  select
    f.problem_detected_id,
    count(*)::integer,
    avg(f.rating)::double precision,
    (100.0 * count(*) filter (where f.was_helpful) / count(*))::double precision,
    (100.0 * count(*) filter (where f.resolved) / count(*))::double precision
  from public.support_troubleshooting_feedback as f
  where f.collected_at >= p_start_date
    and f.collected_at <= p_end_date
    and f.problem_detected_id is not null
  group by f.problem_detected_id
  order by count(*) desc, f.problem_detected_id
$$;

-- ---------------------------------------------------------------------------
-- Comentarios
-- ---------------------------------------------------------------------------

comment on table public.support_troubleshooting_feedback is
  'Opiniones de los clientes al terminar una sesión; puede haber varias por sesión y vale la más reciente.';
comment on column public.support_troubleshooting_feedback.id is
  'Identificador interno.';
comment on column public.support_troubleshooting_feedback.session_id is
  'Sesión valorada.';
comment on column public.support_troubleshooting_feedback.ticket_id is
  'Ticket de soporte de la sesión; queda vacío si el ticket se borra.';
comment on column public.support_troubleshooting_feedback.customer_email is
  'Correo electrónico del cliente, copiado de la sesión.';
comment on column public.support_troubleshooting_feedback.rating is
  'Valoración, de 1 (muy mala) a 5 (muy buena).';
comment on column public.support_troubleshooting_feedback.feedback_text is
  'Comentario libre del cliente.';
comment on column public.support_troubleshooting_feedback.was_helpful is
  'Si la guía fue útil; vacío si el cliente no respondió.';
comment on column public.support_troubleshooting_feedback.problem_detected_id is
  'Problema detectado en la sesión valorada.';
comment on column public.support_troubleshooting_feedback.total_steps is
  'Pasos de la guía en el momento de la opinión.';
comment on column public.support_troubleshooting_feedback.completed_steps is
  'Pasos completados en el momento de la opinión.';
comment on column public.support_troubleshooting_feedback.resolved is
  'Si el problema quedó resuelto.';
comment on column public.support_troubleshooting_feedback.collected_at is
  'Momento en que se recogió la opinión.';

comment on index public.support_troubleshooting_feedback_session_idx is
  'Última opinión de una sesión y borrado en cascada.';
comment on index public.support_troubleshooting_feedback_collected_at_idx is
  'Filtros por período.';
comment on index public.support_troubleshooting_feedback_ticket_id_idx is
  'Acción SET NULL de la clave externa hacia support_tickets.';

comment on function public.troubleshooting_copy_feedback_rating() is
  'Disparador: copia la valoración más reciente de cada sesión en support_troubleshooting_sessions.customer_satisfaction_score.';
comment on trigger support_troubleshooting_feedback_copy_rating on public.support_troubleshooting_feedback is
  'Copia la última valoración en la sesión.';

comment on view public.vw_troubleshooting_feedback_summary is
  'Opiniones por día, según la zona horaria de la conexión.';
comment on column public.vw_troubleshooting_feedback_summary.date is
  'Día en que se recogieron las opiniones.';
comment on column public.vw_troubleshooting_feedback_summary.total_feedback is
  'Opiniones recogidas.';
comment on column public.vw_troubleshooting_feedback_summary.average_rating is
  'Valoración media.';
comment on column public.vw_troubleshooting_feedback_summary.helpful_count is
  'Opiniones que consideran útil la guía.';
comment on column public.vw_troubleshooting_feedback_summary.resolved_count is
  'Opiniones con el problema resuelto.';
comment on column public.vw_troubleshooting_feedback_summary.positive_feedback_count is
  'Opiniones con valoración de 4 o 5.';

comment on function public.get_feedback_by_problem(timestamp with time zone, timestamp with time zone) is
  'Opiniones por problema en el período, ambos extremos incluidos; por defecto, los últimos 30 días. Los porcentajes se calculan sobre todas las opiniones: una sin respuesta cuenta como no útil.';
