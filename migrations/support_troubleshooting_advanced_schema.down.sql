-- Deshace support_troubleshooting_advanced_schema.sql. Borra los datos de sus
-- tablas.

drop function if exists public.verify_prediction(uuid, character varying);
drop function if exists public.register_prediction(character varying, character varying, character varying, numeric, numeric, jsonb, jsonb, character varying);
drop function if exists public.cleanup_old_troubleshooting_data(integer, boolean);
drop function if exists public.get_troubleshooting_metrics_by_period(timestamp with time zone, timestamp with time zone, character varying);
drop view if exists public.vw_troubleshooting_realtime_metrics;
drop trigger if exists support_troubleshooting_config_touch_updated_at on public.support_troubleshooting_config;
drop index if exists public.support_troubleshooting_sessions_escalated_at_idx;
drop index if exists public.support_troubleshooting_sessions_resolved_at_idx;
drop table if exists public.support_troubleshooting_reports;
drop table if exists public.support_troubleshooting_ml_training;
drop table if exists public.support_troubleshooting_predictions;
drop table if exists public.support_troubleshooting_errors;
drop table if exists public.support_troubleshooting_config;
drop table if exists public.support_troubleshooting_notifications;
