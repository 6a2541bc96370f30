#!/usr/bin/env bash
# Checks the five schema files, their verify and down files and the seeds
# against a real server, with psql and pg_dump only.
#
#   PGHOST=… PGDATABASE=… scripts/check-schema.sh
#     runs every scenario in the empty database that the PG* variables name and
#     leaves it empty. The role must be able to create in schema public.
#     CHECK_APP_ROLE=NAME      a login role that owns nothing: it must be able to
#                              use what the owner grants
#     CHECK_SUPERUSER=NAME     lets the scenarios run that need another owner
#
#   scripts/check-schema.sh --bindir DIR [--bindir DIR …]
#     for each directory of server binaries: a cluster of its own in /tmp, then
#     every scenario as a superuser and as an ordinary owner of the database.
#
# Ends 0 when everything holds, 1 otherwise.
set -uo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
files=(
  support_troubleshooting_schema
  support_troubleshooting_feedback_schema
  support_webhooks_schema
  support_troubleshooting_advanced_schema
  support_troubleshooting_performance_schema
)
failures=0
passes=0

pass() { passes=$((passes + 1)); [ -z "${CHECK_VERBOSE:-}" ] || printf '  ok    %s\n' "$1"; }
fail() {
  failures=$((failures + 1))
  printf '  FAIL  %s\n' "$1"
  [ -z "${2:-}" ] || printf '%s\n' "$2" | head -n 20 | sed 's/^/          /'
}

# ---------------------------------------------------------------------------
# Parts
# ---------------------------------------------------------------------------

sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 "$@" 2>&1; }
super() { PGUSER=$CHECK_SUPERUSER sql "$@"; }
value() { sql -c "$1"; }

# What pg_dump says of the database, without the random key of \restrict.
schema() { pg_dump --schema-only | sed -E '/^\\(un)?restrict /d'; }
everything() { pg_dump | sed -E '/^\\(un)?restrict /d'; }

same() {
  if [ "$2" = "$3" ]; then pass "$1"; else fail "$1" "$(diff <(printf '%s\n' "$2") <(printf '%s\n' "$3"))"; fi
}
contains() {
  case $2 in *"$3"*) pass "$1" ;; *) fail "$1" "no »$3« in: $2" ;; esac
}
succeeds() {
  local what=$1 output
  shift
  if output=$("$@" 2>&1); then pass "$what"; else fail "$what" "$output"; fi
}

up() {
  local file output
  messages=
  for file in "${files[@]}"; do
    if ! output=$(sql -1 -f "$root/migrations/$file.sql"); then
      fail "$1: $file.sql" "$output"
      return 1
    fi
    messages+=$output$'\n'
  done
  pass "$1: the five files"
}

down() {
  local i output
  for ((i = ${#files[@]} - 1; i >= 0; i--)); do
    if ! output=$(sql -1 -f "$root/migrations/${files[i]}.down.sql"); then
      fail "$1: ${files[i]}.down.sql" "$output"
      return 1
    fi
  done
  pass "$1: the five down files"
}

seed() {
  local file output
  for file in "$root"/seeds/*.sql; do
    if output=$(sql -1 -f "$file"); then pass "$1: ${file##*/}"; else fail "$1: ${file##*/}" "$output"; fi
  done
}

# Verify files only read, whatever the connection is set to.
verify() {
  local file output setting
  for setting in '' '-c search_path= -c timezone=Asia/Kolkata -c datestyle=SQL,DMY'; do
    for file in "${files[@]}"; do
      if output=$(PGOPTIONS="-c default_transaction_read_only=on $setting" sql -1 -f "$root/migrations/$file.verify.sql"); then
        pass "$1: $file.verify.sql"
        verify_messages=$output
      else
        fail "$1: $file.verify.sql" "$output"
      fi
    done
  done
}

# The rows of every table, in no order, with their number.
contents() {
  local table
  for table in $(value "select c.relname from pg_class as c where c.relnamespace = 'public'::regnamespace
      and c.relkind in ('r', 'p') and not c.relispartition and c.relname !~ 'audit_log' order by 1"); do
    value "select '$table ' || count(*) || ' ' || coalesce(md5(string_agg(t::text, e'\n' order by t::text)), '') from public.$table as t"
  done
}

# ---------------------------------------------------------------------------
# Scenarios: each begins and ends with an empty database
# ---------------------------------------------------------------------------

without_tickets() {
  local s='without support_tickets' first second before output
  up "$s"
  contains "$s: says that the keys are left out" "$messages" 'public.support_tickets no existe'
  same "$s: no foreign key" "$(value "select count(*) from pg_constraint where conname like '%ticket_id_fkey'")" 0
  seed "$s"
  verify "$s"

  first=$(everything)
  up "$s, again"
  seed "$s, again"
  verify "$s, again"
  second=$(everything)
  same "$s: the second run changes nothing" "$first" "$second"

  PGOPTIONS='-c timezone=America/Bogota -c datestyle=SQL,DMY -c search_path= -c default_text_search_config=pg_catalog.english' \
    up "$s, with other settings"
  same "$s: nor do other settings" "$first" "$(everything)"

  value "update public.support_troubleshooting_config set config_value = '7' where config_key = 'default_timeout_minutes';
         delete from public.support_troubleshooting_config where config_key = 'notification_channels'" >/dev/null
  seed "$s, after an operator"
  same "$s: an operator's value stays, a missing key returns" \
    "$(value "select string_agg(config_value, ' ' order by config_key) from public.support_troubleshooting_config")" \
    '2 7 true true 24 ["email"]'
  value "update public.support_troubleshooting_config set config_value = '30' where config_key = 'default_timeout_minutes'" >/dev/null
  truncate_all

  seed "$s, afresh"
  output=$(sql -f "$root/scripts/check-schema.sql")
  case $output in
    *FAIL* | *ERROR*) fail "$s: behaviour" "$output" ;;
    *hold) pass "$s: $output"; echo "  $output" ;;
    *) fail "$s: behaviour" "$output" ;;
  esac

  concurrency "$s"
  application_role "$s"
  round_trip "$s"

  before=$(schema)
  dump_and_restore "$s" "$before"
  verify_finds "$s"
  missing_month "$s"
  down "$s"
  down "$s, again"
  same "$s: the down files leave nothing" "$empty" "$(schema)"

  # File by file: each down file undoes its own file and nothing else.
  s='file by file'
  local i stages=()
  for i in "${!files[@]}"; do
    stages[i]=$(schema)
    succeeds "$s: ${files[i]}.sql" sql -1 -f "$root/migrations/${files[i]}.sql"
    succeeds "$s: ${files[i]}.verify.sql" sql -1 -f "$root/migrations/${files[i]}.verify.sql"
  done
  for ((i = ${#files[@]} - 1; i >= 0; i--)); do
    succeeds "$s: ${files[i]}.down.sql" sql -1 -f "$root/migrations/${files[i]}.down.sql"
    same "$s: ${files[i]}.down.sql leaves what was there before" "${stages[i]}" "$(schema)"
  done
}

truncate_all() {
  value "do \$\$ begin execute (select 'truncate ' || string_agg(oid::regclass::text, ', ') || ' restart identity'
    from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition); end \$\$" >/dev/null
}

concurrency() {
  local s=$1 jobs=() i allowed scratch
  scratch=$(mktemp -d)
  for i in 1 2 3 4 5 6 7 8; do
    for _ in $(seq 25); do echo "select check_rate_limit('shared', 'api_calls_per_minute', 50, 1);"; done |
      sql >"$scratch/$i" &
    jobs+=($!)
  done
  wait "${jobs[@]}"
  allowed=$(cat "$scratch"/* | sort | uniq -c | tr -s ' \n' ' ')
  same "$s: rate limit under 8 connections, 200 calls, maximum 50" "$allowed" ' 150 f 50 t '

  # The rating of the transaction that began later wins, whichever commits first.
  # For c-2 the older one waits for the newer one, which it cannot see yet.
  value "insert into public.support_troubleshooting_sessions (session_id, customer_email, problem_description) values ('c-1', 'c', 'c'), ('c-2', 'c', 'c')" >/dev/null
  rate() { echo "insert into public.support_troubleshooting_feedback (session_id, customer_email, rating) values ('$1', 'c', $2)"; }
  sql -1 -c "$(rate c-1 1)" -c 'select pg_sleep(1)' >/dev/null &
  jobs=($!)
  sql -1 -c 'select pg_sleep(0.8)' -c "$(rate c-2 1)" >/dev/null &
  jobs+=($!)
  sleep 0.4
  sql -1 -c "$(rate c-2 5)" -c 'select pg_sleep(1)' >/dev/null &
  jobs+=($!)
  value "$(rate c-1 5)" >/dev/null
  wait "${jobs[@]}"
  same "$s: the newest of two simultaneous ratings" \
    "$(value "select string_agg(customer_satisfaction_score::text, ',') from public.support_troubleshooting_sessions where session_id in ('c-1', 'c-2')")" '5,5'

  jobs=()
  for i in 1 2 3 4; do sql -c 'select public.refresh_troubleshooting_views()' >"$scratch/refresh$i" & jobs+=($!); done
  wait "${jobs[@]}"
  same "$s: four refreshes at once" "$(cat "$scratch"/refresh* | tr -d '\n')" ''
  rm -r "$scratch"
}

# The application's role owns nothing and may not write the audit.
application_role() {
  local s=$1
  [ -n "${CHECK_APP_ROLE:-}" ] || return 0
  value "grant select, insert, update, delete on all tables in schema public to $CHECK_APP_ROLE;
         revoke all on public.support_troubleshooting_audit_log from $CHECK_APP_ROLE" >/dev/null
  same "$s: the application refreshes the views" "$(PGUSER=$CHECK_APP_ROLE value 'select public.refresh_troubleshooting_views()')" ''
  same "$s: the application's maintenance" \
    "$(PGUSER=$CHECK_APP_ROLE value "select string_agg(result, ',') from public.maintenance_troubleshooting_tables()")" 'ok,ok,ok,ok,ok'
  PGUSER=$CHECK_APP_ROLE value "insert into public.support_troubleshooting_sessions (session_id, customer_email, problem_description) values ('app', 'app', 'app')" >/dev/null
  same "$s: its changes are audited" \
    "$(value "select changed_by || ' ' || action from public.support_troubleshooting_audit_log where record_id = 'app'")" "$CHECK_APP_ROLE INSERT"
  value "revoke all on all tables in schema public from $CHECK_APP_ROLE" >/dev/null
}

# Data alone, restored with the triggers firing and pg_dump's empty search_path.
round_trip() {
  local s=$1 dump before audit
  before=$(contents)
  audit=$(value "create table public.audit_before as table public.support_troubleshooting_audit_log;
                 select count(*) from public.audit_before")
  dump=$(pg_dump --data-only --exclude-table=public.audit_before 2>/dev/null)
  value "create schema aside; alter table public.audit_before set schema aside" >/dev/null
  truncate_all
  succeeds "$s: data-only restore" sql -1 -f - <<<"$dump"
  same "$s: data-only restore, every row as before" "$before" "$(contents)"
  same "$s: data-only restore, every audit row" \
    "$(value "select count(*) from (table aside.audit_before intersect table public.support_troubleshooting_audit_log) as kept")" "$audit"
  value 'drop schema aside cascade' >/dev/null
}

# Schema and data into the emptied database: the shape survives the dump.
dump_and_restore() {
  local s=$1 dump before
  dump=$(pg_dump)
  before=$(contents)
  down "$s, before the restore"
  succeeds "$s: full restore" sql -1 -f - <<<"$dump"
  same "$s: full restore, the schema" "$2" "$(schema)"
  same "$s: full restore, the rows" "$before" "$(contents)"
  verify "$s, restored"
  up "$s, restored"
  same "$s: the files change nothing in a restored database" "$2" "$(schema)"
}

# Every change must be found and named by a verify file.
verify_finds() {
  local s=$1 file change name output month
  month=$(value "select to_char(now() at time zone 'UTC', 'YYYY_MM')")
  while IFS='|' read -r file name change; do
    [ -n "$file" ] || continue
    if output=$(sql -1 -c "$change" -f "$root/migrations/$file.verify.sql"); then
      fail "$s: verify does not see: $change"
    else
      contains "$s: verify names the object of: $change" "$output" "$file: diferencias: 1; la primera: "
      contains "$s: verify names the object of: $change" "$output" "$name"
    fi
  done <<EOT
support_troubleshooting_schema|sessions.metadata: falta la columna|alter table public.support_troubleshooting_sessions drop column metadata
support_troubleshooting_schema|sessions.notes|alter table public.support_troubleshooting_sessions add column notes text; alter table public.support_troubleshooting_sessions alter notes set default ''; update public.support_troubleshooting_sessions set notes = ''; alter table public.support_troubleshooting_sessions alter notes set not null, alter notes drop default
support_troubleshooting_schema|attempts.notes|alter table public.support_troubleshooting_attempts alter notes type varchar(1000)
support_troubleshooting_schema|attempts.success|alter table public.support_troubleshooting_attempts alter success drop not null
support_troubleshooting_schema|attempts.attempted_at|alter table public.support_troubleshooting_attempts alter attempted_at drop default
support_troubleshooting_schema|learning.id|alter table public.support_troubleshooting_learning alter id drop identity
support_troubleshooting_schema|sessions_status_check|alter table public.support_troubleshooting_sessions drop constraint support_troubleshooting_sessions_status_check
support_troubleshooting_schema|learning_session_id_fkey|alter table public.support_troubleshooting_learning drop constraint support_troubleshooting_learning_session_id_fkey, add constraint support_troubleshooting_learning_session_id_fkey foreign key (session_id) references public.support_troubleshooting_sessions (session_id) on delete cascade
support_troubleshooting_schema|attempts_duration_check|alter table public.support_troubleshooting_attempts drop constraint support_troubleshooting_attempts_duration_check, add constraint support_troubleshooting_attempts_duration_check check (duration_seconds >= 0) not valid
support_troubleshooting_schema|sessions_active_idx|drop index public.support_troubleshooting_sessions_active_idx
support_troubleshooting_schema|sessions_active_idx|drop index public.support_troubleshooting_sessions_active_idx; create index support_troubleshooting_sessions_active_idx on public.support_troubleshooting_sessions (started_at desc)
support_troubleshooting_schema|get_troubleshooting_stats|create function public.get_troubleshooting_stats(integer) returns integer language sql as 'select 1'
support_troubleshooting_schema|get_troubleshooting_stats|alter function public.get_troubleshooting_stats(timestamptz, timestamptz) reset all
support_troubleshooting_schema|sessions_status|alter table public.support_troubleshooting_sessions disable trigger support_troubleshooting_sessions_status
support_troubleshooting_feedback_schema|feedback_rating_check|alter table public.support_troubleshooting_feedback drop constraint support_troubleshooting_feedback_rating_check, add constraint support_troubleshooting_feedback_rating_check check (rating <= 5)
support_troubleshooting_feedback_schema|vw_troubleshooting_feedback_summary, columna 3|alter view public.vw_troubleshooting_feedback_summary rename column average_rating to avg_rating
support_troubleshooting_feedback_schema|feedback_copy_rating|drop trigger support_troubleshooting_feedback_copy_rating on public.support_troubleshooting_feedback
support_webhooks_schema|support_webhooks.events|alter table public.support_webhooks drop constraint support_webhooks_events_check; alter table public.support_webhooks alter events type text; alter table public.support_webhooks add constraint support_webhooks_events_check check (jsonb_typeof(events::jsonb) = 'array' and events::jsonb <> '[]'); alter table public.support_webhooks drop constraint support_webhooks_events_check; alter table public.support_webhooks add column x jsonb; update public.support_webhooks set x = events::jsonb; alter table public.support_webhooks drop column events; alter table public.support_webhooks rename x to events; alter table public.support_webhooks add constraint support_webhooks_events_check check (jsonb_typeof(events) = 'array' and events <> '[]')
support_webhooks_schema|vw_webhook_stats, columna 8|create or replace view public.vw_webhook_stats as select webhook_id, url, enabled, 0 as total_events, 0 as successful_events, 0 as failed_events, 0::double precision as success_rate, null::timestamptz as last_triggered_at from public.support_webhooks; alter view public.vw_webhook_stats rename column last_triggered_at to last
support_troubleshooting_advanced_schema|config_value_check|alter table public.support_troubleshooting_config drop constraint support_troubleshooting_config_value_check
support_troubleshooting_advanced_schema|sessions_resolved_at_idx|drop index public.support_troubleshooting_sessions_resolved_at_idx
support_troubleshooting_advanced_schema|verify_prediction|drop function public.verify_prediction(uuid, varchar)
support_troubleshooting_performance_schema|mv_top_problems" no tiene datos|refresh materialized view public.mv_top_problems with no data
support_troubleshooting_performance_schema|sessions_search_idx|drop index public.support_troubleshooting_sessions_search_idx
support_troubleshooting_performance_schema|tiene 1 filas|insert into public.support_troubleshooting_audit_log (table_name, record_id, action, changed_at) values ('t', 'r', 'INSERT', '2001-01-01')
support_troubleshooting_performance_schema|partición del mes en curso|alter table public.support_troubleshooting_audit_log detach partition public.support_troubleshooting_audit_log_$month
support_troubleshooting_performance_schema|falta la partición por defecto|drop table public.support_troubleshooting_audit_log_default
support_troubleshooting_performance_schema|no son un mes UTC|create table public.odd partition of public.support_troubleshooting_audit_log for values from ('2001-01-02 00:00:00+00') to ('2001-02-01 00:00:00+00')
support_troubleshooting_performance_schema|support_webhooks_audit|alter table public.support_webhooks disable trigger support_webhooks_audit
support_troubleshooting_performance_schema|refresh_troubleshooting_views|alter function public.refresh_troubleshooting_views() security invoker
EOT
}

# A month that was forgotten: its rows waited in the DEFAULT partition.
missing_month() {
  local s=$1 name next
  name=$(value "select 'support_troubleshooting_audit_log_' || to_char((now() at time zone 'UTC') + interval '2 months', 'YYYY_MM')")
  next=$(value "select (date_trunc('month', now() at time zone 'UTC') + interval '2 months') at time zone 'UTC'")
  value "drop table public.$name;
    insert into public.support_troubleshooting_audit_log (table_name, record_id, action, changed_at) values ('t', 'waiting', 'INSERT', '$next')" >/dev/null
  same "$s: a row of a missing month is in the DEFAULT partition" "$(value 'select record_id from public.support_troubleshooting_audit_log_default')" waiting
  PGOPTIONS='-c timezone=Pacific/Auckland' up "$s, with a missing month"
  same "$s: and moves to its month" "$(value "select record_id from public.$name")" waiting
  verify "$s, with the month again"
}

tickets() { value 'create table public.support_tickets (ticket_id varchar(128) not null constraint support_tickets_ticket_id_key unique, status text)' >/dev/null; }
row() {
  value "insert into public.support_troubleshooting_sessions (session_id, ticket_id, customer_email, problem_description) values ('s-$1', '$1', 'x', 'x');
    insert into public.support_troubleshooting_feedback (session_id, ticket_id, customer_email, rating) values ('s-$1', '$1', 'x', 3)"
}
foreign_keys() {
  value "select string_agg(conrelid::regclass || ' ' || pg_get_constraintdef(oid), ', ' order by 1)
    from (select oid, conrelid from pg_constraint where conname like '%\\_ticket\\_id\\_fkey' order by conrelid::regclass::text) as k"
}
both_keys='support_troubleshooting_feedback FOREIGN KEY (ticket_id) REFERENCES support_tickets(ticket_id) ON DELETE SET NULL'
both_keys+=', support_troubleshooting_sessions FOREIGN KEY (ticket_id) REFERENCES support_tickets(ticket_id) ON DELETE SET NULL'

with_tickets() {
  local s='with support_tickets' before
  tickets
  before=$(schema)
  up "$s"
  verify "$s"
  same "$s: two foreign keys, validated" "$(foreign_keys)" "$both_keys"
  with_keys=$(schema)
  up "$s, again"
  same "$s: the second run changes nothing" "$with_keys" "$(schema)"
  value "insert into public.support_tickets values ('TKT-1', 'open')" >/dev/null
  row TKT-1 >/dev/null
  contains "$s: an unknown ticket is refused" "$(row TKT-2)" 'support_troubleshooting_sessions_ticket_id_fkey'
  value "delete from public.support_tickets" >/dev/null
  same "$s: a deleted ticket is set to null" \
    "$(value 'select concat(count(*), count(s.ticket_id), count(f.ticket_id)) from public.support_troubleshooting_sessions as s join public.support_troubleshooting_feedback as f using (session_id)')" '100'
  down "$s"
  same "$s: support_tickets is untouched" "$before" "$(schema)"
  value 'drop table public.support_tickets' >/dev/null
}

with_late_tickets() {
  local s='with support_tickets added late'
  up "$s, before"
  row TKT-1 >/dev/null
  tickets
  value "insert into public.support_tickets values ('TKT-1', 'open')" >/dev/null
  verify "$s, before the keys"
  contains "$s: verify warns of the missing key" \
    "$(sql -1 -f "$root/migrations/${files[0]}.verify.sql")" 'falta la clave externa "support_troubleshooting_sessions_ticket_id_fkey"'
  up "$s"
  verify "$s"
  same "$s: the keys are the only difference" "$with_keys" "$(schema)"
  down "$s"
  value 'drop table public.support_tickets' >/dev/null
  same "$s: nothing is left" "$empty" "$(schema)"
}

with_orphans() {
  local s='with orphans'
  up "$s, before"
  row TKT-lost >/dev/null
  tickets
  up "$s"
  contains "$s: the sessions are counted" "$messages" '1 sesiones apuntan a un ticket que no existe'
  contains "$s: the feedback is counted" "$messages" '1 opiniones apuntan a un ticket que no existe'
  same "$s: the keys are not validated" "$(foreign_keys)" "${both_keys//SET NULL/SET NULL NOT VALID}"
  verify "$s"
  contains "$s: verify warns" "$(sql -1 -f "$root/migrations/${files[1]}.verify.sql")" 'está sin validar'
  contains "$s: new orphans are refused" "$(row TKT-new)" 'support_troubleshooting_sessions_ticket_id_fkey'
  up "$s, again"
  contains "$s: a second run counts again" "$messages" '1 sesiones apuntan'
  value "update public.support_troubleshooting_sessions set ticket_id = null; update public.support_troubleshooting_feedback set ticket_id = null" >/dev/null
  up "$s, mended"
  same "$s: mended, the keys are validated" "$(foreign_keys)" "$both_keys"
  same "$s: mended, nothing else differs" "$with_keys" "$(schema)"
  down "$s"
  value 'drop table public.support_tickets' >/dev/null
}

with_wrong_keys() {
  local s table
  while IFS='|' read -r s table; do
    value "$table" >/dev/null
    up "$s"
    contains "$s: says that the keys are left out" "$messages" 'no tiene una clave única sobre "ticket_id" de tipo varchar'
    same "$s: no foreign key" "$(foreign_keys)" ''
    verify "$s"
    down "$s"
    value 'drop table public.support_tickets cascade' >/dev/null
    same "$s: nothing is left" "$empty" "$(schema)"
  done <<'EOT'
with an integer ticket_id|create table public.support_tickets (ticket_id integer primary key)
with a text ticket_id|create table public.support_tickets (ticket_id text primary key)
without a unique key|create table public.support_tickets (ticket_id varchar(128) not null)
with a partial unique key|create table public.support_tickets (ticket_id varchar(128)); create unique index on public.support_tickets (ticket_id) where ticket_id <> ''
with a deferrable key|create table public.support_tickets (ticket_id varchar(128) unique deferrable)
with a key of two columns|create table public.support_tickets (ticket_id varchar(128), part integer, unique (ticket_id, part))
without the column|create table public.support_tickets (id integer primary key)
EOT
}

with_foreign_tickets() {
  local s='with support_tickets of another owner'
  [ -n "${CHECK_SUPERUSER:-}" ] && [ "$CHECK_SUPERUSER" != "$(value 'select current_user')" ] || return 0
  super -c 'create table public.support_tickets (ticket_id varchar(128) primary key)' >/dev/null
  up "$s"
  contains "$s: says which permission is missing" "$messages" 'no tiene el permiso REFERENCES'
  same "$s: no foreign key" "$(foreign_keys)" ''
  super -c "grant references on public.support_tickets to \"$(value 'select current_user')\"" >/dev/null
  up "$s, granted"
  same "$s, granted: two foreign keys" "$(foreign_keys)" "$both_keys"
  down "$s"
  up "$s, before the orphans"
  value 'alter table public.support_troubleshooting_sessions drop constraint support_troubleshooting_sessions_ticket_id_fkey;
         alter table public.support_troubleshooting_feedback drop constraint support_troubleshooting_feedback_ticket_id_fkey' >/dev/null
  row TKT-lost >/dev/null
  up "$s, orphans, unreadable"
  contains "$s: orphans that cannot be counted" "$messages" 'no se sabe cuántas sesiones apuntan'
  same "$s: the keys are not validated" "$(foreign_keys)" "${both_keys//SET NULL/SET NULL NOT VALID}"
  down "$s, orphans, unreadable"
  super -c 'drop table public.support_tickets' >/dev/null
}

# Objects of the same names and another shape, as the public original leaves them.
with_other_shapes() {
  local s='with older views' output
  value "create view public.vw_troubleshooting_realtime_metrics as select 1::bigint as active_sessions, 2.0 as avg;
         create view public.vw_webhook_stats as select 'x'::text as webhook_id;
         create materialized view public.mv_top_problems as select 'x'::text as detected_problem_id" >/dev/null
  up "$s"
  verify "$s"
  down "$s"
  same "$s: nothing is left" "$empty" "$(schema)"

  s='with a table that lacks columns'
  value 'create table public.support_troubleshooting_learning (id serial primary key, session_id varchar(128), problem text)' >/dev/null
  output=$(sql -1 -f "$root/migrations/${files[0]}.sql")
  contains "$s: the file stops at the column" "$output" 'ERROR:  column "problem_description" of relation'
  value 'drop table public.support_troubleshooting_learning' >/dev/null
  same "$s: and leaves nothing" "$empty" "$(schema)"

  s='with a table of other types'
  value 'create table public.support_troubleshooting_learning (id serial primary key, session_id varchar(128), problem_description text not null,
         detected_problem_id varchar(128), actual_problem_id varchar(64) not null, corrected_by varchar(256) not null, corrected_at timestamp)' >/dev/null
  up "$s"
  if output=$(sql -1 -f "$root/migrations/${files[0]}.verify.sql"); then
    fail "$s: verify accepts it"
  else
    contains "$s: verify names the length" "$output" 'support_troubleshooting_learning.actual_problem_id: es "character varying(64) not null"'
    contains "$s: verify names the time zone" "$output" 'support_troubleshooting_learning.corrected_at: es "timestamp without time zone"'
    contains "$s: verify names the key" "$output" 'falta la restricción "support_troubleshooting_learning_session_id_fkey"'
  fi
  down "$s"
  same "$s: nothing is left" "$empty" "$(schema)"
}

scenarios() {
  local before=$failures
  empty=$(schema) || { fail "pg_dump of $PGDATABASE"; return 1; }
  if [ "$(value "select count(*) from pg_class where relnamespace = 'public'::regnamespace")" != 0 ]; then
    fail "database \"$PGDATABASE\" is not empty"
    return 1
  fi
  without_tickets
  with_tickets
  with_late_tickets
  with_orphans
  with_wrong_keys
  with_foreign_tickets
  with_other_shapes
  [ "$failures" = "$before" ]
}

# ---------------------------------------------------------------------------
# Clusters of our own
# ---------------------------------------------------------------------------

as_server_account() {
  if [ "$(id -u)" = 0 ]; then setpriv --reuid postgres --regid postgres --clear-groups "$@"; else "$@"; fi
}

in_cluster() (
  bindir=$1
  export PATH=$bindir:$PATH LC_ALL=C.UTF-8
  unset "${!PG@}" DATABASE_URL
  directory=$(as_server_account mktemp -d /tmp/tsc.XXXXXX)
  trap 'as_server_account "$bindir/pg_ctl" -D "$directory/data" -m immediate -w stop >/dev/null 2>&1; rm -rf "$directory"' EXIT
  as_server_account "$bindir/initdb" -D "$directory/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$directory/log" 2>&1 ||
    { fail "initdb of $bindir" "$(cat "$directory/log")"; exit 1; }
  as_server_account "$bindir/pg_ctl" -D "$directory/data" -w -l "$directory/server.log" \
    -o "-c fsync=off -c listen_addresses='' -c unix_socket_directories='$directory'" start >"$directory/log" 2>&1 ||
    { fail "start of $bindir" "$(cat "$directory/log" "$directory/server.log")"; exit 1; }

  export PGHOST=$directory PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
  version=$(value 'show server_version')
  sql -c 'create role owner_role login' -c 'create role app_role login' -c 'create database of_superuser' \
    -c 'create database of_owner owner owner_role' >/dev/null
  sql -d of_owner -c 'grant create on schema public to owner_role' >/dev/null
  export CHECK_APP_ROLE=app_role CHECK_SUPERUSER=postgres

  for role in postgres owner_role; do
    failures=0 passes=0
    PGUSER=$role PGDATABASE=of_${role%_role}
    [ "$role" = owner_role ] || PGDATABASE=of_superuser
    echo "PostgreSQL $version as $role"
    scenarios
    echo "PostgreSQL $version as $role: $passes checks passed, $failures failed"
    [ "$failures" = 0 ] || bad=1
  done
  exit "${bad:-0}"
)

if [ "${1:-}" = --bindir ]; then
  status=0
  while [ "${1:-}" = --bindir ]; do
    in_cluster "$2" || status=1
    shift 2
  done
  exit "$status"
fi

: "${PGDATABASE:?names the empty database}"
scenarios
echo "$passes checks passed, $failures failed"
[ "$failures" = 0 ]
