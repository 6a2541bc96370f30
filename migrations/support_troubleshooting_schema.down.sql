-- Deshace support_troubleshooting_schema.sql. Borra los datos de sus tablas.
-- public.support_tickets no se toca.

drop function if exists public.get_troubleshooting_stats(timestamp with time zone, timestamp with time zone);
drop view if exists public.vw_troubleshooting_sessions_summary;
drop trigger if exists support_troubleshooting_sessions_status on public.support_troubleshooting_sessions;
drop function if exists public.troubleshooting_session_status();
drop function if exists public.troubleshooting_touch_updated_at();
drop table if exists public.support_troubleshooting_learning;
drop table if exists public.support_troubleshooting_attempts;
drop table if exists public.support_troubleshooting_sessions;
