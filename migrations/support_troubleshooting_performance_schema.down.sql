-- Deshace support_troubleshooting_performance_schema.sql. Borra los datos de
-- sus tablas, también toda la auditoría con sus particiones.

drop function if exists public.search_troubleshooting_sessions(text, integer);
drop index if exists public.support_troubleshooting_sessions_search_idx;
drop function if exists public.maintenance_troubleshooting_tables();
drop function if exists public.get_performance_stats(character varying, integer);
drop function if exists public.check_rate_limit(character varying, character varying, integer, integer);
drop function if exists public.cleanup_expired_cache();
drop function if exists public.refresh_troubleshooting_views();
drop materialized view if exists public.mv_feedback_summary;
drop materialized view if exists public.mv_top_problems;
drop materialized view if exists public.mv_daily_troubleshooting_summary;
drop table if exists public.support_troubleshooting_performance_metrics;
drop table if exists public.support_troubleshooting_rate_limits;
drop table if exists public.support_troubleshooting_cache;
drop trigger if exists support_troubleshooting_config_audit on public.support_troubleshooting_config;
drop trigger if exists support_webhooks_audit on public.support_webhooks;
drop trigger if exists support_troubleshooting_sessions_audit on public.support_troubleshooting_sessions;
drop function if exists public.troubleshooting_audit_row();
drop table if exists public.support_troubleshooting_audit_log;
