-- Deshace support_webhooks_schema.sql. Borra los datos de sus tablas.

drop view if exists public.vw_webhook_stats;
drop trigger if exists support_webhooks_touch_updated_at on public.support_webhooks;
drop table if exists public.support_webhook_events;
drop table if exists public.support_webhooks;
