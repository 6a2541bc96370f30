-- Deshace support_troubleshooting_feedback_schema.sql. Borra los datos de su
-- tabla. public.support_tickets no se toca.

drop function if exists public.get_feedback_by_problem(timestamp with time zone, timestamp with time zone);
drop view if exists public.vw_troubleshooting_feedback_summary;
drop trigger if exists support_troubleshooting_feedback_copy_rating on public.support_troubleshooting_feedback;
drop function if exists public.troubleshooting_copy_feedback_rating();
drop table if exists public.support_troubleshooting_feedback;
