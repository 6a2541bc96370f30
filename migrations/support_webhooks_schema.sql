-- tsdb: version 1.0.0
-- tsdb: requires support_troubleshooting_schema
--
-- Webhooks registrados por la aplicación y registro de sus envíos.

-- ---------------------------------------------------------------------------
-- Tablas
-- ---------------------------------------------------------------------------

create table if not exists public.support_webhooks (
  id integer generated always as identity,
  webhook_id character varying(128) not null,
  url text not null,
  events jsonb not null,
  secret character varying(256),
  headers jsonb not null default '{}',
  timeout integer not null default 10,
  retry_attempts integer not null default 3,
  enabled boolean not null default true,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  constraint support_webhooks_pkey
    primary key (id),
  constraint support_webhooks_webhook_id_key
    unique (webhook_id),
  constraint support_webhooks_url_check
    check (url ~* '^https?://[^/[:space:]]'),
  -- jsonb y no text[]: el cliente envía texto JSON.
  constraint support_webhooks_events_check
    check (jsonb_typeof(events) = 'array' and events <> '[]'),
  constraint support_webhooks_headers_check
    check (jsonb_typeof(headers) = 'object'),
  constraint support_webhooks_timeout_check
    check (timeout >= 1 and timeout <= 300),
  constraint support_webhooks_retry_attempts_check
    check (retry_attempts >= 0 and retry_attempts <= 10)
);

create table if not exists public.support_webhook_events (
  id bigint generated always as identity,
  webhook_id character varying(128) not null,
  event_type character varying(64) not null,
  payload jsonb not null,
  response_status integer,
  response_body text,
  success boolean not null,
  error_message text,
  triggered_at timestamp with time zone not null default now(),
  constraint support_webhook_events_pkey
    primary key (id),
  constraint support_webhook_events_webhook_id_fkey
    foreign key (webhook_id)
    references public.support_webhooks (webhook_id)
    on delete cascade
);

-- ---------------------------------------------------------------------------
-- Índice y disparador
-- ---------------------------------------------------------------------------

create index if not exists support_webhook_events_webhook_idx
  on public.support_webhook_events (webhook_id, triggered_at desc);

create or replace trigger support_webhooks_touch_updated_at
  before update on public.support_webhooks
  for each row
  execute function public.troubleshooting_touch_updated_at();

-- ---------------------------------------------------------------------------
-- Estadísticas por webhook
-- ---------------------------------------------------------------------------
-- Una vista anterior con otras columnas no puede reemplazarse: se borra antes.

do $$
begin
  if exists (
    select
      from pg_catalog.pg_attribute as a
      join pg_catalog.pg_class as c on c.oid = a.attrelid and c.relkind = 'v'
     where c.oid = pg_catalog.to_regclass('public.vw_webhook_stats')
       and a.attnum > 0
    having pg_catalog.string_agg(
             pg_catalog.format('%s %s', a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod)),
             ', ' order by a.attnum)
           <> 'webhook_id character varying(128), url text, enabled boolean, total_events integer, '
              'successful_events integer, failed_events integer, success_rate double precision, '
              'last_triggered_at timestamp with time zone'
  ) then
    drop view public.vw_webhook_stats;
  end if;
end
$$;

create or replace view public.vw_webhook_stats as
select
  w.webhook_id,
  w.url,
  w.enabled,
  e.total_events,
  e.successful_events,
  e.failed_events,
  round(100.0 * e.successful_events / nullif(e.total_events, 0), 2)::double precision as success_rate,
  e.last_triggered_at
from public.support_webhooks as w
cross join lateral (
  select
    count(*)::integer as total_events,
    (count(*) filter (where v.success))::integer as successful_events,
    (count(*) filter (where not v.success))::integer as failed_events,
    max(v.triggered_at) as last_triggered_at
  from public.support_webhook_events as v
  where v.webhook_id = w.webhook_id
) as e;

-- ---------------------------------------------------------------------------
-- Comentarios
-- ---------------------------------------------------------------------------

comment on table public.support_webhooks is
  'Webhooks registrados: a qué dirección se envía cada evento y cómo.';
comment on column public.support_webhooks.id is
  'Identificador interno.';
comment on column public.support_webhooks.webhook_id is
  'Identificador público del webhook, asignado por la aplicación.';
comment on column public.support_webhooks.url is
  'Dirección de destino, http o https.';
comment on column public.support_webhooks.events is
  'Eventos a los que se suscribe: lista JSON no vacía de nombres.';
comment on column public.support_webhooks.secret is
  'Clave HMAC con la que se firman los envíos. Confidencial: nunca en registros, auditoría ni exportaciones.';
comment on column public.support_webhooks.headers is
  'Cabeceras HTTP adicionales, como objeto JSON; pueden contener credenciales.';
comment on column public.support_webhooks.timeout is
  'Segundos de espera por la respuesta, de 1 a 300.';
comment on column public.support_webhooks.retry_attempts is
  'Reintentos después de un envío fallido, de 0 a 10.';
comment on column public.support_webhooks.enabled is
  'Falso para suspender el webhook sin borrarlo.';
comment on column public.support_webhooks.created_at is
  'Momento del registro.';
comment on column public.support_webhooks.updated_at is
  'Última modificación de la fila.';

comment on table public.support_webhook_events is
  'Registro de los envíos de cada webhook. Ningún programa publicado escribe todavía en esta tabla.';
comment on column public.support_webhook_events.id is
  'Identificador interno.';
comment on column public.support_webhook_events.webhook_id is
  'Webhook que se envió.';
comment on column public.support_webhook_events.event_type is
  'Nombre del evento.';
comment on column public.support_webhook_events.payload is
  'Contenido enviado.';
comment on column public.support_webhook_events.response_status is
  'Código HTTP de la respuesta; vacío si no la hubo.';
comment on column public.support_webhook_events.response_body is
  'Comienzo de la respuesta recibida.';
comment on column public.support_webhook_events.success is
  'Verdadero si el destino aceptó el envío.';
comment on column public.support_webhook_events.error_message is
  'Error del envío.';
comment on column public.support_webhook_events.triggered_at is
  'Momento del envío.';

comment on index public.support_webhook_events_webhook_idx is
  'Últimos envíos de un webhook, estadísticas y borrado en cascada.';
comment on trigger support_webhooks_touch_updated_at on public.support_webhooks is
  'Mantiene updated_at.';

comment on view public.vw_webhook_stats is
  'Envíos por webhook; no muestra la clave de firma.';
comment on column public.vw_webhook_stats.webhook_id is
  'Identificador público del webhook.';
comment on column public.vw_webhook_stats.url is
  'Dirección de destino.';
comment on column public.vw_webhook_stats.enabled is
  'Si el webhook está activo.';
comment on column public.vw_webhook_stats.total_events is
  'Envíos registrados.';
comment on column public.vw_webhook_stats.successful_events is
  'Envíos aceptados por el destino.';
comment on column public.vw_webhook_stats.failed_events is
  'Envíos fallidos.';
comment on column public.vw_webhook_stats.success_rate is
  'Porcentaje de envíos aceptados, con dos decimales; vacío si no hay envíos.';
comment on column public.vw_webhook_stats.last_triggered_at is
  'Momento del último envío.';
