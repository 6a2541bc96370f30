-- Assertions about the behaviour of the five schema files, for
-- scripts/check-schema.sh. Needs the files and the seeds applied to an
-- otherwise empty database; leaves its sample data behind, for the round trip
-- that follows.
--
-- Every statement commits by itself, as the application's clients do, save where
-- an experiment is rolled back. A failed assertion is a warning that starts with
-- FAIL, also inside a transaction that is rolled back: whoever runs this file
-- looks for that word.

\set QUIET on
\set ON_ERROR_STOP on
\o /dev/null
set client_min_messages = warning;

create temp table assertion (passed boolean not null, what text not null);

create function pg_temp.same(what text, actual text, expected text)
returns void language plpgsql as $$
begin
  insert into assertion values (actual is not distinct from expected, what);
  if actual is distinct from expected then
    raise warning 'FAIL: %: is %, expected %', what, coalesce(actual, 'null'), coalesce(expected, 'null');
  end if;
end
$$;

create function pg_temp.holds(what text, condition boolean)
returns void language sql as $$
  select pg_temp.same(what, condition::text, 'true')
$$;

-- The statement must fail with this SQLSTATE, and leaves nothing behind.
create function pg_temp.refused(what text, state text, statement text)
returns void language plpgsql as $$
begin
  begin
    execute statement;
    raise exception using errcode = 'P0999';
  exception
    when sqlstate 'P0999' then
      perform pg_temp.same(what, 'accepted', 'refused with ' || state);
    when others then
      perform pg_temp.same(what, 'refused with ' || sqlstate, 'refused with ' || state);
  end;
end
$$;

-- ---------------------------------------------------------------------------
-- Size of the contract
-- ---------------------------------------------------------------------------

select pg_temp.same('tables', count(*)::text, '16')
from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition;
select pg_temp.same('columns', count(*)::text, '154')
from pg_class as c join pg_attribute as a on a.attrelid = c.oid and attnum > 0 and not attisdropped
where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition;
select pg_temp.same('views', count(*)::text, '4')
from pg_class where relnamespace = 'public'::regnamespace and relkind = 'v';
select pg_temp.same('materialized views', count(*)::text, '3')
from pg_class where relnamespace = 'public'::regnamespace and relkind = 'm';
select pg_temp.same('callable functions', count(*)::text, '12')
from pg_proc where pronamespace = 'public'::regnamespace and prorettype <> 'trigger'::regtype;
select pg_temp.same('trigger functions', count(*)::text, '4')
from pg_proc where pronamespace = 'public'::regnamespace and prorettype = 'trigger'::regtype;
select pg_temp.same('configuration keys', string_agg(config_key || '=' || config_value || ':' || config_type, ' ' order by config_key),
  'auto_escalate_after_failures=2:number default_timeout_minutes=30:number enable_llm_enhancement=true:boolean '
  'feedback_collection_enabled=true:boolean max_session_duration_hours=24:number notification_channels=["email"]:json')
from public.support_troubleshooting_config;

select pg_temp.same('nothing without a comment', string_agg(what, ', '), null)
from (
  select c.relname || coalesce('.' || a.attname, '') as what
  from pg_class as c
  left join lateral (
    select 0 as attnum, null as attname
    union all
    select a.attnum, a.attname from pg_attribute as a where a.attrelid = c.oid and a.attnum > 0
  ) as a on true
  where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm')
    and not (c.relispartition and a.attnum > 0)
    and not exists (
      select from pg_description as d
      where d.objoid = c.oid and d.classoid = 'pg_class'::regclass and d.objsubid = a.attnum
    )
  union all
  select p.oid::regprocedure::text from pg_proc as p
  where p.pronamespace = 'public'::regnamespace and obj_description(p.oid, 'pg_proc') is null
) as undocumented;

select pg_temp.same('no two indexes of one definition', string_agg(indexes, ', '), null)
from (
  select string_agg(indexrelid::regclass::text, ' = ') as indexes
  from pg_index as i join pg_class as c on c.oid = i.indrelid
  where c.relnamespace = 'public'::regnamespace
  group by indrelid, indkey::text, indoption::text, coalesce(pg_get_expr(indpred, indrelid), ''),
           coalesce(pg_get_expr(indexprs, indrelid), '')
  having count(*) > 1
) as duplicate;

select pg_temp.same('every foreign key has an index that starts with it', string_agg(k.conname, ', '), null)
from pg_constraint as k
where k.contype = 'f' and k.connamespace = 'public'::regnamespace and k.conparentid = 0
  and not exists (select from pg_index as i where i.indrelid = k.conrelid and i.indkey[0] = k.conkey[1]);

select pg_temp.same('no bigint and no numeric reaches a client', string_agg(c.relname || '.' || a.attname, ', '), null)
from pg_class as c join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0
where c.relnamespace = 'public'::regnamespace and c.relkind in ('v', 'm')
  and a.atttypid in ('bigint'::regtype, 'numeric'::regtype);

-- ---------------------------------------------------------------------------
-- Sessions
-- ---------------------------------------------------------------------------

-- As the basic flow does: empty texts, no steps; twice, as an upsert.
insert into support_troubleshooting_sessions (session_id, ticket_id, customer_email, customer_name, problem_description, status)
values ('TSESS-1732420000-0a1b2c3d', null, 'ana@example.org', '', '', 'started')
on conflict (session_id) do update set status = excluded.status, updated_at = now();
insert into support_troubleshooting_sessions (session_id, ticket_id, customer_email, customer_name, problem_description, status)
values ('TSESS-1732420000-0a1b2c3d', null, 'ana@example.org', 'Ana', '', 'started')
on conflict (session_id) do update set customer_name = excluded.customer_name, updated_at = now();
select pg_temp.same('upsert and defaults',
  format('%s|%s|%s|%s|%s|%s|%s', count(*), min(customer_name), min(status), min(current_step), min(total_steps),
         min(metadata::text), bool_and(started_at is not null and resolved_at is null)), '1|Ana|started|0|0|{}|t')
from support_troubleshooting_sessions;

select pg_temp.same('sessions can be grouped by id alone', count(*)::text, '1')
from (
  select s.*, count(a.id)
  from support_troubleshooting_sessions as s
  left join support_troubleshooting_attempts as a on a.session_id = s.session_id
  group by s.id
) as grouped;

-- As the step route does.
insert into support_troubleshooting_sessions
  (session_id, customer_email, customer_name, problem_description, detected_problem_id, detected_problem_title, status, total_steps, started_at)
values ('s-steps', 'eva@example.org', 'Eva', 'No puedo restablecer la contraseña', 'reset_password', 'Restablecer contraseña', 'started', 2, now() - interval '10 minutes');
insert into support_troubleshooting_attempts (session_id, step_number, step_title, success, notes)
values ('s-steps', 1, 'Abrir la página', false, ''), ('s-steps', 1, 'Abrir la página', true, null) on conflict do nothing;
update support_troubleshooting_sessions set status = 'in_progress', current_step = 1, updated_at = now() where session_id = 's-steps';
select pg_temp.same('a step', format('%s|%s|%s|%s', status, current_step, resolved_at, total_duration_seconds), 'in_progress|1||')
from support_troubleshooting_sessions where session_id = 's-steps';
insert into support_troubleshooting_attempts (session_id, step_number, success, duration_seconds) values ('s-steps', 2, true, 30);
update support_troubleshooting_sessions set status = 'resolved', current_step = 2, updated_at = now() where session_id = 's-steps';
select pg_temp.holds('resolving sets time and duration',
  resolved_at = updated_at and escalated_at is null and total_duration_seconds between 600 and 620)
from support_troubleshooting_sessions where session_id = 's-steps';
update support_troubleshooting_sessions set metadata = '{"confidence": 0.9}' where session_id = 's-steps';
select pg_temp.holds('updated_at moves, resolved_at stays', updated_at > resolved_at)
from support_troubleshooting_sessions where session_id = 's-steps';
update support_troubleshooting_sessions set resolved_at = null where session_id = 's-steps';
select pg_temp.holds('a resolved session keeps its time', resolved_at is not null and total_duration_seconds is not null)
from support_troubleshooting_sessions where session_id = 's-steps';
update support_troubleshooting_sessions set status = 'in_progress' where session_id = 's-steps';
select pg_temp.holds('a reopened session clears its times',
  resolved_at is null and escalated_at is null and total_duration_seconds is null)
from support_troubleshooting_sessions where session_id = 's-steps';
update support_troubleshooting_sessions set status = 'needs_escalation' where session_id = 's-steps';
select pg_temp.holds('needs_escalation is open', resolved_at is null and escalated_at is null and total_duration_seconds is null)
from support_troubleshooting_sessions where session_id = 's-steps';
update support_troubleshooting_sessions set status = 'escalated' where session_id = 's-steps';
select pg_temp.holds('escalating sets time and duration',
  escalated_at = updated_at and resolved_at is null and total_duration_seconds >= 600)
from support_troubleshooting_sessions where session_id = 's-steps';
update support_troubleshooting_sessions set status = 'resolved', resolved_at = started_at + interval '5 minutes' where session_id = 's-steps';
select pg_temp.holds('a time that the client gives is kept',
  resolved_at = started_at + interval '5 minutes' and escalated_at is not null and total_duration_seconds = 300)
from support_troubleshooting_sessions where session_id = 's-steps';
update support_troubleshooting_sessions set status = 'escalated' where session_id = 's-steps';
select pg_temp.holds('a time left from an earlier closing is not',
  escalated_at = updated_at and total_duration_seconds >= 600)
from support_troubleshooting_sessions where session_id = 's-steps';
update support_troubleshooting_sessions set status = 'resolved' where session_id = 's-steps';

insert into support_troubleshooting_sessions (session_id, customer_email, problem_description, status, started_at)
values ('s-closed-1', 'eva@example.org', 'ya resuelta', 'resolved', now() - interval '1 minute'),
       ('s-closed-2', 'eva@example.org', 'ya escalada', 'escalated', now() - interval '1 minute');
insert into support_troubleshooting_sessions (session_id, customer_email, problem_description, status, started_at, resolved_at)
values ('s-closed-3', 'eva@example.org', 'con hora', 'resolved', now() - interval '2 minutes', now() - interval '1 minute');
select pg_temp.same('rows inserted already closed',
  string_agg(format('%s %s %s %s', session_id, resolved_at is not null, escalated_at is not null, total_duration_seconds), ', ' order by session_id),
  's-closed-1 t f 60, s-closed-2 f t 60, s-closed-3 t f 60')
from support_troubleshooting_sessions where session_id like 's-closed-%';

select pg_temp.same('summary view',
  format('%s|%s|%s|%s|%s|%s', total_attempts, successful_attempts, failed_attempts, avg_step_duration_seconds,
         completion_percentage, duration_minutes between 10 and 11), '3|2|1|30|100|t')
from vw_troubleshooting_sessions_summary where session_id = 's-steps';
select pg_temp.same('summary view stops counting at the escalation', duration_minutes::text, '1')
from vw_troubleshooting_sessions_summary where session_id = 's-closed-2';
select pg_temp.same('summary view without steps', completion_percentage::text, '0')
from vw_troubleshooting_sessions_summary where session_id = 's-closed-2';

-- ---------------------------------------------------------------------------
-- Refused input
-- ---------------------------------------------------------------------------

select pg_temp.refused('rating 6', '23514',
  $q$insert into support_troubleshooting_feedback (session_id, customer_email, rating) values ('s-steps', 'x', 6)$q$);
select pg_temp.refused('rating 0', '23514',
  $q$insert into support_troubleshooting_feedback (session_id, customer_email, rating) values ('s-steps', 'x', 0)$q$);
select pg_temp.refused('unknown status', '23514',
  $q$update support_troubleshooting_sessions set status = 'closed' where session_id = 's-steps'$q$);
select pg_temp.refused('no status', '23502',
  $q$update support_troubleshooting_sessions set status = null where session_id = 's-steps'$q$);
select pg_temp.refused('step beyond total', '23514',
  $q$update support_troubleshooting_sessions set current_step = 3 where session_id = 's-steps'$q$);
select pg_temp.refused('negative step', '23514',
  $q$update support_troubleshooting_sessions set current_step = -1 where session_id = 's-steps'$q$);
select pg_temp.refused('negative number of steps', '23514',
  $q$update support_troubleshooting_sessions set current_step = -1, total_steps = -1 where session_id = 's-steps'$q$);
select pg_temp.refused('satisfaction 6', '23514',
  $q$update support_troubleshooting_sessions set customer_satisfaction_score = 6 where session_id = 's-steps'$q$);
select pg_temp.refused('the same session twice', '23505',
  $q$insert into support_troubleshooting_sessions (session_id, customer_email, problem_description) values ('s-steps', 'x', 'x')$q$);
select pg_temp.refused('an attempt without session', '23503',
  $q$insert into support_troubleshooting_attempts (session_id, step_number, success) values ('nowhere', 1, true)$q$);
select pg_temp.refused('a negative duration', '23514',
  $q$insert into support_troubleshooting_attempts (session_id, step_number, success, duration_seconds) values ('s-steps', 1, true, -1)$q$);
select pg_temp.refused('empty events', '23514',
  $q$insert into support_webhooks (webhook_id, url, events) values ('w', 'https://example.org', '[]')$q$);
select pg_temp.refused('events that are no array', '23514',
  $q$insert into support_webhooks (webhook_id, url, events) values ('w', 'https://example.org', '"session_started"')$q$);
select pg_temp.refused('URL of ftp', '23514',
  $q$insert into support_webhooks (webhook_id, url, events) values ('w', 'ftp://example.org', '["a"]')$q$);
select pg_temp.refused('URL without host', '23514',
  $q$insert into support_webhooks (webhook_id, url, events) values ('w', 'https:///path', '["a"]')$q$);
select pg_temp.refused('URL with http inside', '23514',
  $q$insert into support_webhooks (webhook_id, url, events) values ('w', 'javascript:http://example.org', '["a"]')$q$);
select pg_temp.refused('headers that are no object', '23514',
  $q$insert into support_webhooks (webhook_id, url, events, headers) values ('w', 'https://example.org', '["a"]', '[]')$q$);
select pg_temp.refused('timeout 0', '23514',
  $q$insert into support_webhooks (webhook_id, url, events, timeout) values ('w', 'https://example.org', '["a"]', 0)$q$);
select pg_temp.refused('11 retries', '23514',
  $q$insert into support_webhooks (webhook_id, url, events, retry_attempts) values ('w', 'https://example.org', '["a"]', 11)$q$);
select pg_temp.refused('wrong config type', '23514',
  $q$insert into support_troubleshooting_config (config_key, config_value, config_type) values ('x', '1', 'integer')$q$);
select pg_temp.refused('no number', '23514',
  $q$update support_troubleshooting_config set config_value = 'dos' where config_key = 'auto_escalate_after_failures'$q$);
select pg_temp.refused('no boolean', '23514',
  $q$update support_troubleshooting_config set config_value = 'sí' where config_key = 'enable_llm_enhancement'$q$);
select pg_temp.refused('no JSON', '22P02',
  $q$update support_troubleshooting_config set config_value = '["email"' where config_key = 'notification_channels'$q$);
select pg_temp.refused('unknown notification status', '23514',
  $q$insert into support_troubleshooting_notifications (session_id, notification_type, recipient, message, status) values ('s-steps', 'email', 'x', 'x', 'lost')$q$);
select pg_temp.refused('unknown severity', '23514',
  $q$insert into support_troubleshooting_errors (error_type, error_message, severity, category) values ('x', 'x', 'fatal', 'unknown')$q$);
select pg_temp.refused('unknown category', '23514',
  $q$insert into support_troubleshooting_errors (error_type, error_message, severity, category) values ('x', 'x', 'low', 'network')$q$);
select pg_temp.refused('probability 101', '23514',
  $q$select register_prediction('x', 'p', 't', 101, 50, '[]', '[]', 'low')$q$);
select pg_temp.refused('reasons that are no array', '23514',
  $q$select register_prediction('x', 'p', 't', 50, 50, '{}', '[]', 'low')$q$);
select pg_temp.refused('unknown impact', '23514',
  $q$select register_prediction('x', 'p', 't', 50, 50, '[]', '[]', 'huge')$q$);
select pg_temp.refused('confidence above 1', '23514',
  $q$insert into support_troubleshooting_ml_training (problem_description, confidence_score) values ('x', 1.5)$q$);
select pg_temp.refused('unknown report type', '23514',
  $q$insert into support_troubleshooting_reports (report_id, report_type, report_data) values ('r', 'yearly', '{}')$q$);
select pg_temp.refused('unknown audit action', '23514',
  $q$insert into support_troubleshooting_audit_log (table_name, record_id, action) values ('t', 'r', 'TRUNCATE')$q$);
select pg_temp.refused('metrics by month', '22023',
  $q$select * from get_troubleshooting_metrics_by_period(now() - interval '1 day', now(), 'month')$q$);
select pg_temp.refused('metrics by nothing', '22023',
  $q$select * from get_troubleshooting_metrics_by_period(now() - interval '1 day', now(), null)$q$);
select pg_temp.refused('retention of 0 days', '22023', 'select * from cleanup_old_troubleshooting_data(0)');
select pg_temp.refused('retention of -1 days', '22023', 'select * from cleanup_old_troubleshooting_data(-1, true)');
select pg_temp.refused('retention of null days', '22023', 'select * from cleanup_old_troubleshooting_data(null)');
select pg_temp.refused('a window of 0 minutes', '22023', $q$select check_rate_limit('x', 'y', 1, 0)$q$);
select pg_temp.refused('a maximum of -1', '22023', $q$select check_rate_limit('x', 'y', -1, 1)$q$);

-- ---------------------------------------------------------------------------
-- Feedback
-- ---------------------------------------------------------------------------

insert into support_troubleshooting_feedback
  (session_id, ticket_id, customer_email, rating, feedback_text, was_helpful, problem_detected_id, total_steps, completed_steps, resolved)
values ('s-steps', null, 'eva@example.org', 2, 'regular', null, 'reset_password', 2, 2, false);
insert into support_troubleshooting_feedback
  (session_id, ticket_id, customer_email, rating, feedback_text, was_helpful, problem_detected_id, total_steps, completed_steps, resolved)
values ('s-steps', null, 'eva@example.org', 5, 'muy útil', true, 'reset_password', 2, 2, true);
select pg_temp.same('the newest rating is copied', customer_satisfaction_score::text, '5')
from support_troubleshooting_sessions where session_id = 's-steps';
insert into support_troubleshooting_feedback (session_id, customer_email, rating, collected_at)
values ('s-steps', 'eva@example.org', 1, now() - interval '1 day'),
       ('s-closed-1', 'eva@example.org', 3, now()),
       ('s-closed-1', 'eva@example.org', 4, now() + interval '1 millisecond');
select pg_temp.same('a rating that arrives late does not replace a newer one',
  string_agg(customer_satisfaction_score::text, ',' order by session_id), '4,5')
from support_troubleshooting_sessions where session_id in ('s-steps', 's-closed-1');
select pg_temp.same('feedback by problem', string_agg(f::text, ' '), '(reset_password,2,3.5,50,50)')
from get_feedback_by_problem(now() - interval '7 days', now()) as f;
select pg_temp.same('feedback by problem, without arguments', count(*)::text, '1') from get_feedback_by_problem();
select pg_temp.same('feedback by day', format('%s|%s|%s|%s|%s|%s', count(*), sum(total_feedback), sum(helpful_count),
  sum(resolved_count), sum(positive_feedback_count), min(average_rating)), '2|5|1|1|2|1')
from vw_troubleshooting_feedback_summary;

-- ---------------------------------------------------------------------------
-- Webhooks
-- ---------------------------------------------------------------------------

prepare register (text, text, text, text, text, int, int) as
  insert into support_webhooks (webhook_id, url, events, secret, headers, timeout, retry_attempts)
  values ($1, $2, $3::jsonb, $4, $5::jsonb, $6, $7);
execute register ('wh_1732420000000_abc123xyz', 'https://hooks.example.org/t', '["session_started", "session_resolved"]',
  'planted-hmac-value', '{"Authorization": "Bearer planted-header-value", "X-Team": "soporte", "nested": [{"secret": "planted-nested-value", "keep": 1}]}', 10, 3);
update support_webhooks set enabled = false where webhook_id = 'wh_1732420000000_abc123xyz';
select pg_temp.holds('a webhook is touched', updated_at > created_at) from support_webhooks;
update support_webhooks set secret = 'planted-second-value' where webhook_id = 'wh_1732420000000_abc123xyz';
insert into support_webhooks (webhook_id, url, events) values ('wh_2', 'HTTP://example.org', '["step_failed"]');
select pg_temp.same('webhook without events', format('%s|%s', total_events, success_rate), '0|')
from vw_webhook_stats where webhook_id = 'wh_2';
insert into support_webhook_events (webhook_id, event_type, payload, response_status, success)
values ('wh_2', 'step_failed', '{}', 200, true), ('wh_2', 'step_failed', '{}', 500, false), ('wh_2', 'step_failed', '{}', null, false);
select pg_temp.same('webhook statistics', format('%s|%s|%s|%s', total_events, successful_events, failed_events, success_rate), '3|1|2|33.33')
from vw_webhook_stats where webhook_id = 'wh_2';

-- ---------------------------------------------------------------------------
-- Audit
-- ---------------------------------------------------------------------------

select pg_temp.same('audit of the webhook', string_agg(action, ',' order by id), 'INSERT,UPDATE,UPDATE')
from support_troubleshooting_audit_log where table_name = 'support_webhooks' and record_id = 'wh_1732420000000_abc123xyz';
select pg_temp.same('no planted secret in the audit', count(*)::text, '0')
from support_troubleshooting_audit_log as a where a::text like '%planted-%';
select pg_temp.same('no secret key in the audit', count(*)::text, '0')
from support_troubleshooting_audit_log
where jsonb_path_exists(old_values, '$.**.secret') or jsonb_path_exists(new_values, '$.**.secret');
select pg_temp.same('the rest of the headers is there', new_values -> 'headers' ->> 'X-Team' || (new_values -> 'headers' ->> 'nested'), 'soporte[{"keep": 1}]')
from support_troubleshooting_audit_log where table_name = 'support_webhooks' and action = 'INSERT' and record_id like 'wh\_17%';
select pg_temp.same('changed_by is the role', string_agg(distinct changed_by, ','), session_user)
from support_troubleshooting_audit_log;
select set_config('app.user', 'agente@example.org', false);
update support_troubleshooting_config set config_value = '3', updated_at = now() where config_key = 'auto_escalate_after_failures';
select set_config('app.user', '', false);
select pg_temp.same('changed_by is the application''s user', format('%s|%s|%s', changed_by, old_values ->> 'config_value', new_values ->> 'config_value'),
  'agente@example.org|2|3')
from support_troubleshooting_audit_log where table_name = 'support_troubleshooting_config' and record_id = 'auto_escalate_after_failures' and action = 'UPDATE';
update support_troubleshooting_config set config_value = config_value where config_key = 'auto_escalate_after_failures';
select pg_temp.same('a change of nothing is not audited', count(*)::text, '1')
from support_troubleshooting_audit_log where record_id = 'auto_escalate_after_failures' and action = 'UPDATE';
insert into support_troubleshooting_config (config_key, config_value) values ('sample', 'x');
delete from support_troubleshooting_config where config_key = 'sample';
select pg_temp.same('a deletion is audited', format('%s|%s', old_values ->> 'config_value', new_values is null), 'x|t')
from support_troubleshooting_audit_log where record_id = 'sample' and action = 'DELETE';
select pg_temp.same('the DEFAULT partition is empty', count(*)::text, '0') from support_troubleshooting_audit_log_default;
select pg_temp.same('partitions ahead', count(*)::text, '4')
from generate_series(0, 3) as m
where to_regclass('public.support_troubleshooting_audit_log_'
  || to_char(date_trunc('month', now() at time zone 'UTC') + make_interval(months => m), 'YYYY_MM')) is not null;

-- ---------------------------------------------------------------------------
-- Notifications, errors, predictions, training, reports, learning
-- ---------------------------------------------------------------------------

insert into support_troubleshooting_notifications (session_id, notification_type, recipient, subject, message, metadata, status)
values ('s-steps', 'email', 'eva@example.org', 'Su sesión', 'Texto', '{}', 'pending');
update support_troubleshooting_notifications set status = 'sent', sent_at = now()
where id = (select max(id) from support_troubleshooting_notifications);
select pg_temp.same('a notification', format('%s|%s', status, sent_at is not null), 'sent|t') from support_troubleshooting_notifications;

insert into support_troubleshooting_errors (error_type, error_message, severity, category, session_id, ticket_id, stack_trace, metadata, occurred_at)
values ('ValueError', 'mensaje', 'high', 'external_api', 'not-saved-yet', 'TKT-unknown', null, '{}', '2026-01-02T03:04:05.678'::timestamp);
select pg_temp.same('an error of an unknown session', count(*)::text, '1') from support_troubleshooting_errors;

prepare predict as select register_prediction($1, $2, $3, $4, $5, $6, $7, $8);
execute predict ('eva@example.org', 'reset_password', 'Restablecer contraseña', '87.5', '60', '["historial"]', '["avisar"]', 'medium');
select pg_temp.same('a prediction', format('%s|%s|%s|%s', probability, prediction_reasons, was_correct, verified_at), '87.50|["historial"]||')
from support_troubleshooting_predictions;
select pg_temp.same('a wrong prediction', verify_prediction(prediction_id, 'other')::text, 'false') from support_troubleshooting_predictions;
select pg_temp.same('a right prediction', verify_prediction(prediction_id, 'reset_password')::text, 'true') from support_troubleshooting_predictions;
select pg_temp.same('its outcome', format('%s|%s|%s', was_correct, actual_problem_id, verified_at is not null), 't|reset_password|t')
from support_troubleshooting_predictions;
select pg_temp.same('no such prediction', verify_prediction('00000000-0000-0000-0000-000000000000', 'x')::text, null);

insert into support_troubleshooting_ml_training (problem_description, detected_problem_id, actual_problem_id, confidence_score, corrected_by)
values ('descripción', 'a', 'b', 0.8125, 'agente@example.org');
insert into support_troubleshooting_reports (report_id, report_type, report_data, expires_at)
values ('r-old', 'daily', '{"n": 1}', now() - interval '1 day'), ('r-kept', 'weekly', '{}', null), ('r-later', 'custom', '{}', now() + interval '1 day');
select pg_temp.refused('the same report twice', '23505',
  $q$insert into support_troubleshooting_reports (report_id, report_type, report_data) values ('r-kept', 'daily', '{}')$q$);

-- ---------------------------------------------------------------------------
-- Statistics, on sessions of a period of their own
-- ---------------------------------------------------------------------------

set timezone = 'UTC';
insert into support_troubleshooting_sessions
  (session_id, customer_email, problem_description, detected_problem_id, detected_problem_title, status, started_at, resolved_at, escalated_at, total_steps)
values
  ('h-1', 'h@example.org', 'antigua', 'p1', 'Título uno', 'resolved', '2021-01-01 10:00+00', '2021-01-01 10:10+00', null, 1),
  ('h-2', 'h@example.org', 'antigua', 'p1', null, 'resolved', '2021-01-01 10:30+00', '2021-01-01 10:50+00', null, 1),
  ('h-3', 'h@example.org', 'antigua', 'p1', 'Título nuevo', 'escalated', '2021-01-01 11:00+00', null, '2021-01-01 12:30+00', 1),
  ('h-4', 'h@example.org', 'antigua', 'p2', 'Constante', 'in_progress', '2021-01-04 09:00+00', null, null, 1),
  ('h-5', 'h@example.org', 'antigua', 'p3', 'Constante', 'started', '2021-01-04 09:30+00', null, null, 1),
  ('h-6', 'h@example.org', 'antigua', null, null, 'needs_escalation', '2021-01-04 23:30+00', null, null, 1);
insert into support_troubleshooting_attempts (session_id, step_number, success, attempted_at)
values ('h-1', 1, true, '2021-01-01 10:05+00'), ('h-1', 1, false, '2021-01-01 10:06+00'), ('h-4', 1, false, '2021-01-04 10:05+00');
insert into support_troubleshooting_feedback (session_id, customer_email, rating, problem_detected_id, collected_at)
values ('h-1', 'h@example.org', 4, 'p1', '2021-01-02'), ('h-3', 'h@example.org', 1, 'p1', '2021-01-02');
insert into support_troubleshooting_notifications (session_id, notification_type, recipient, message) values ('h-1', 'sms', '600', 'x');
insert into support_troubleshooting_learning (session_id, problem_description, actual_problem_id, corrected_by)
values ('h-1', 'antigua', 'p1', 'agente@example.org');

select pg_temp.same('statistics', s::text,
  '(6,2,1,2,40,20,"Título nuevo",33.333333333333336,2.5,3,0.5)')
from get_troubleshooting_stats('2021-01-01'::timestamptz, '2021-01-31'::timestamptz) as s;
select pg_temp.same('statistics of plain timestamps', total_sessions::text, '6')
from get_troubleshooting_stats('2021-01-01'::timestamp, '2021-01-31'::timestamp);
select pg_temp.same('statistics of clock arithmetic', count(*)::text, '1')
from get_troubleshooting_stats(NOW() - INTERVAL '7 days', NOW());
select pg_temp.same('statistics without arguments', (total_sessions >= 5)::text, 'true') from get_troubleshooting_stats();
select pg_temp.same('statistics of nothing', s::text, '(0,0,0,0,,,,0,,0,0)')
from get_troubleshooting_stats('1990-01-01', '1990-01-02') as s;
select pg_temp.same('metrics by hour', string_agg(m::text, ' '),
  '("2021-01-01 10:00",2,2,0,100,15,4) ("2021-01-01 11:00",1,0,1,0,90,1) ("2021-01-04 09:00",2,0,0,0,,) ("2021-01-04 23:00",1,0,0,0,,)')
from get_troubleshooting_metrics_by_period('2021-01-01', '2021-01-31', 'hour') as m;
select pg_temp.same('metrics by day', string_agg(m::text, ' '), '(2021-01-01,3,2,1,66.66666666666667,40,2.5) (2021-01-04,3,0,0,0,,)')
from get_troubleshooting_metrics_by_period('2021-01-01', '2021-01-31') as m;
select pg_temp.same('metrics by ISO week', string_agg(period_label || ' ' || total_sessions, ', '), '2020-W53 3, 2021-W01 3')
from get_troubleshooting_metrics_by_period('2021-01-01', '2021-01-31', 'week');
reset timezone;

-- ---------------------------------------------------------------------------
-- Real time
-- ---------------------------------------------------------------------------

select pg_temp.same('real time: one row', count(*)::text, '1') from vw_troubleshooting_realtime_metrics;
select pg_temp.same('real time: columns and types', string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' order by attnum),
  'active_sessions integer, sessions_today integer, resolved_today integer, escalated_today integer, '
  'avg_resolution_time_minutes double precision, resolution_rate double precision, top_problems jsonb, '
  'resolved_last_hour integer, escalated_last_hour integer, unique_problems_24h integer, feedback_count_24h integer, '
  'avg_rating_24h double precision')
from pg_attribute where attrelid = 'vw_troubleshooting_realtime_metrics'::regclass and attnum > 0;
select pg_temp.same('real time: values',
  format('%s|%s|%s|%s|%s|%s|%s', active_sessions, resolved_last_hour, escalated_last_hour, unique_problems_24h,
         feedback_count_24h, avg_resolution_time_minutes between 3 and 4, top_problems),
  '1|3|1|1|4|t|[{"count": 1, "problem_id": "reset_password", "problem_title": "Restablecer contraseña"}]')
from vw_troubleshooting_realtime_metrics;
begin;
truncate support_troubleshooting_sessions cascade;
select pg_temp.same('real time: of nothing', m::text, '(0,0,0,0,,,[],0,0,0,0,)') from vw_troubleshooting_realtime_metrics as m;
rollback;

-- ---------------------------------------------------------------------------
-- Search in Spanish
-- ---------------------------------------------------------------------------

insert into support_troubleshooting_sessions (session_id, customer_email, problem_description, detected_problem_title, started_at)
values ('b-1', 'b@example.org', 'La conexión falla; sin conexiones no hay conexión', 'Conexión', now() - interval '2 days'),
       ('b-2', 'b@example.org', 'Perdí la conexion', null, now() - interval '1 day'),
       ('b-3', 'b@example.org', 'Los niños cambiaron la contraseña', null, now() - interval '1 hour');
select pg_temp.same('search: accents, plurals, best first', string_agg(session_id, ','), 'b-1,b-2')
from search_troubleshooting_sessions('conexiones');
select pg_temp.same('search: with accent', string_agg(session_id, ','), 'b-1,b-2') from search_troubleshooting_sessions('Conexión');
select pg_temp.same('search: ñ', string_agg(session_id, ',' order by session_id), 'b-3,s-steps') from search_troubleshooting_sessions('contraseñas');
select pg_temp.same('search: two words', string_agg(session_id, ','), 'b-3') from search_troubleshooting_sessions('contraseña niño');
select pg_temp.same('search: limit', count(*)::text, '1') from search_troubleshooting_sessions('conexión', 1);
select pg_temp.same('search: stop words', count(*)::text, '0') from search_troubleshooting_sessions('de la');
select pg_temp.same('search: any text', count(*)::text, '0') from search_troubleshooting_sessions($t$:*!(& "' or -$t$);
begin;
set local enable_seqscan = off;
set local enable_indexscan = off;
select pg_temp.same('search: the index fits the function''s expression', count(*)::text, '2') from search_troubleshooting_sessions('conexión');
select pg_temp.holds('search: the index is used',
  pg_stat_get_xact_numscans('support_troubleshooting_sessions_search_idx'::regclass) > 0);
rollback;

-- ---------------------------------------------------------------------------
-- Materialized views
-- ---------------------------------------------------------------------------

insert into support_troubleshooting_sessions (session_id, customer_email, problem_description, detected_problem_id, detected_problem_title, started_at)
values ('t-1', 't@example.org', 'x', 'two_titles', 'Título viejo', now() - interval '3 hours'),
       ('t-2', 't@example.org', 'x', 'two_titles', 'Título actual', now() - interval '2 hours'),
       ('t-3', 't@example.org', 'x', 'two_titles', null, now() - interval '1 hour');
create temp table file_node as
select oid, relfilenode from pg_class where relnamespace = 'public'::regnamespace and relkind = 'm';
select refresh_troubleshooting_views();
select pg_temp.same('the refresh was concurrent', count(*)::text, '3')
from pg_class as c join file_node as f on f.oid = c.oid and f.relfilenode = c.relfilenode;
select pg_temp.same('two titles of one problem', string_agg(detected_problem_title || ' ' || total_sessions, ', '), 'Título actual 3')
from mv_top_problems where detected_problem_id = 'two_titles';
select pg_temp.same('feedback by problem, materialized', m::text, format('(reset_password,2,3.5,1,1,1,50,"%s")', last_feedback))
from mv_feedback_summary as m;
select pg_temp.same('days, materialized', format('%s|%s|%s', sum(total_sessions), sum(resolved), sum(escalated)), '11|3|1')
from mv_daily_troubleshooting_summary;
create temp table row_place as
select tableoid::regclass as view, ctid as place, xmin::text as writer from mv_daily_troubleshooting_summary
union all select tableoid::regclass, ctid, xmin::text from mv_top_problems
union all select tableoid::regclass, ctid, xmin::text from mv_feedback_summary;
set timezone = 'Pacific/Auckland';
select refresh_troubleshooting_views();
reset timezone;
select pg_temp.same('a refresh without changes writes nothing', count(*)::text, '0')
from (
  table row_place
  except all
  (select tableoid::regclass, ctid, xmin::text from mv_daily_troubleshooting_summary
   union all select tableoid::regclass, ctid, xmin::text from mv_top_problems
   union all select tableoid::regclass, ctid, xmin::text from mv_feedback_summary)
) as moved;
refresh materialized view mv_top_problems with no data;
select refresh_troubleshooting_views();
select pg_temp.same('a view without data is refreshed plainly', count(*)::text, '3')
from pg_class where relnamespace = 'public'::regnamespace and relkind = 'm' and relispopulated;

-- ---------------------------------------------------------------------------
-- Cache, rate limits, metrics, maintenance
-- ---------------------------------------------------------------------------

insert into support_troubleshooting_cache (cache_key, cache_value, expires_at)
values ('old', '1', now() - interval '1 second'), ('new', '{"a": 1}', now() + interval '1 hour');
select pg_temp.same('expired cache', cleanup_expired_cache()::text, '1');
select pg_temp.same('kept cache', string_agg(cache_key, ','), 'new') from support_troubleshooting_cache;

select pg_temp.same('rate limit: maximum and one more',
  string_agg(check_rate_limit('a@example.org', 'api_calls_per_minute', 3, 1)::text, ' ' order by n), 'true true true false')
from generate_series(1, 4) as n;
select pg_temp.same('rate limit: another type', check_rate_limit('a@example.org', 'session_per_hour', 3)::text, 'true');
select pg_temp.holds('rate limit: blocked for one hour', blocked_until - now() between interval '59 minutes' and interval '1 hour')
from support_troubleshooting_rate_limits where limit_type = 'api_calls_per_minute';
update support_troubleshooting_rate_limits set window_start = now() - interval '2 hours' where limit_type = 'api_calls_per_minute';
select pg_temp.same('rate limit: the block outlasts the window', check_rate_limit('a@example.org', 'api_calls_per_minute', 3, 1)::text, 'false');
update support_troubleshooting_rate_limits set blocked_until = now() - interval '1 second' where limit_type = 'api_calls_per_minute';
select pg_temp.same('rate limit: afresh after the block', check_rate_limit('a@example.org', 'api_calls_per_minute', 3, 1)::text, 'true');
select pg_temp.same('rate limit: the block is cleared', format('%s|%s', current_count, blocked_until), '1|')
from support_troubleshooting_rate_limits where limit_type = 'api_calls_per_minute';
update support_troubleshooting_rate_limits set current_count = 3, window_start = now() - interval '61 seconds' where limit_type = 'api_calls_per_minute';
select pg_temp.same('rate limit: afresh after the window', check_rate_limit('a@example.org', 'api_calls_per_minute', 3, 1)::text, 'true');
select pg_temp.same('rate limit: a maximum of 0', check_rate_limit('nobody', 'none', 0)::text, 'false');

insert into support_troubleshooting_performance_metrics (metric_name, metric_value, metric_unit)
select 'response_time', n, 'milliseconds' from generate_series(1, 101) as n;
select pg_temp.same('metric statistics', s::text, '(51.0000000000000000,1,101,96,101,100)') from get_performance_stats('response_time') as s;
select pg_temp.same('metric statistics of nothing', s::text, '(,,,,0,)') from get_performance_stats('none', 1) as s;

insert into support_troubleshooting_performance_metrics (metric_name, metric_value, recorded_at) values ('old', 1, now() - interval '91 days');
insert into support_troubleshooting_rate_limits (identifier, limit_type, window_start, blocked_until)
values ('idle', 'x', now() - interval '8 days', null), ('was-blocked', 'x', now() - interval '8 days', now() - interval '7 days'),
       ('is-blocked', 'x', now() - interval '8 days', now() + interval '1 hour');
insert into support_troubleshooting_cache (cache_key, cache_value, expires_at) values ('old', '1', now() - interval '1 second');

begin;
drop index mv_feedback_summary_problem_detected_id_idx;
select pg_temp.same('maintenance: a failing task does not undo the others',
  string_agg(task || ' ' || left(result, 11) || ' ' || rows_affected, ', '),
  'cleanup_cache ok 1, refresh_views error 55000 0, cleanup_rate_limits ok 2, cleanup_metrics ok 1, cleanup_reports ok 1')
from maintenance_troubleshooting_tables();
rollback;
select pg_temp.same('maintenance', string_agg(task || ' ' || result || ' ' || rows_affected, ', '),
  'cleanup_cache ok 1, refresh_views ok 3, cleanup_rate_limits ok 2, cleanup_metrics ok 1, cleanup_reports ok 1')
from maintenance_troubleshooting_tables();

-- ---------------------------------------------------------------------------
-- Retention, and what depends on a session
-- ---------------------------------------------------------------------------

select pg_temp.same('retention: dry run', string_agg(c::text, ' '),
  '(support_troubleshooting_attempts,2) (support_troubleshooting_feedback,2) (support_troubleshooting_notifications,1) (support_troubleshooting_sessions,3)')
from cleanup_old_troubleshooting_data(90, true) as c;
select pg_temp.same('retention: the dry run deleted nothing', count(*)::text, '6') from support_troubleshooting_sessions where session_id like 'h-%';
select pg_temp.same('retention', string_agg(c::text, ' '),
  '(support_troubleshooting_attempts,2) (support_troubleshooting_feedback,2) (support_troubleshooting_notifications,1) (support_troubleshooting_sessions,3)')
from cleanup_old_troubleshooting_data() as c;
select pg_temp.same('retention: open sessions stay', string_agg(session_id, ',' order by session_id), 'h-4,h-5,h-6')
from support_troubleshooting_sessions where session_id like 'h-%';
select pg_temp.same('retention: the correction stays', format('%s|%s', count(*), count(session_id)), '1|0') from support_troubleshooting_learning;
select pg_temp.same('retention: nothing more', string_agg(deleted_count::text, ','), '0,0,0,0') from cleanup_old_troubleshooting_data(2147483647);
delete from support_troubleshooting_sessions where session_id = 'h-4';
select pg_temp.same('attempts go with their session', count(*)::text, '0') from support_troubleshooting_attempts where session_id = 'h-4';

-- ---------------------------------------------------------------------------

\o
\pset tuples_only on
\pset format unaligned
select count(*) filter (where passed) || ' of ' || count(*) || ' assertions hold' from assertion;
