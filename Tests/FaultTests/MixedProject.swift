import Foundation
import TestSupport

/// A project of every kind of migration, made so that doing anything twice, or half, is seen.
///
/// Each file inserts into `run_count` without a key: a file that ran twice is counted twice.
enum MixedProject {
  /// A transactional file and what tells that it is there: expressions that are all true or all false.
  struct Probe {
    let file: String
    let expressions: [String]
  }

  static let rows = 20_000

  static let probes = [
    Probe(
      file: "a_accounts",
      expressions: [
        "to_regclass('accounts') is not null",
        "to_regclass('accounts_old_idx') is not null or \(isPast("c_indexes"))",
        "to_regproc('account_label') is not null", ran("a_accounts"),
      ]),
    Probe(
      file: "b_events",
      expressions: [
        "to_regclass('events') is not null", "to_regclass('events_2025') is not null", ran("b_events"),
      ]),
    Probe(
      file: "d_totals",
      expressions: [
        column("accounts", "total"), column("accounts", "checked_at"),
        "to_regclass('totals') is not null", ran("d_totals"),
      ]),
    Probe(
      file: "e_labels",
      expressions: ["to_regclass('labels') is not null", ran("e_labels")]),
  ]

  /// Whether the journal of a file has begun; then what it drops may be gone.
  private static func isPast(_ file: String) -> String {
    "exists (select from tsdb.migrations where name = '\(file)')"
  }

  private static func ran(_ name: String) -> String {
    "(select count(*) = 1 from run_count where name = '\(name)')"
  }

  private static func column(_ table: String, _ column: String) -> String {
    "exists (select from pg_attribute where attrelid = to_regclass('\(table)') and attname = '\(column)')"
  }

  static let files = [
    "a_accounts", "b_events", "c_indexes", "d_totals", "e_labels", "f_more_indexes",
  ]

  /// What `run_count` holds once everything ran once.
  static let runs = files + ["c_indexes middle", "f_more_indexes first"]

  /// How many statements the journal of each file holds in the end.
  static let journal = ["c_indexes": 11, "f_more_indexes": 6]

  /// What the test makes before the first migration.
  static let preparation = """
    create table run_count (name text not null);
    create table down_count (name text not null);
    """

  /// - Parameter hasSettings: whether a `transaction off` file makes a setting, which behind a pooler
  ///   is refused.
  static func write(to directory: TemporaryDirectory, hasSettings: Bool = true) throws {
    for (name, text) in up {
      let lines = text.split(separator: "\n").filter { hasSettings || !$0.hasPrefix("set ") }
      try directory.write("migrations/\(name).sql", lines.joined(separator: "\n") + "\n")
    }
    for (name, text) in down { try directory.write("migrations/\(name).down.sql", text) }
    for (name, text) in seeds { try directory.write("seeds/\(name).sql", text) }
    try directory.write(
      "migrations/a_accounts.verify.sql",
      "do $$ begin assert (select count(*) = \(rows) from accounts); end $$;\n")
    try directory.write(
      "migrations/c_indexes.verify.sql",
      "do $$ begin assert (select indisvalid from pg_index where indexrelid = 'accounts_email_idx'::regclass); end $$;\n"
    )
  }

  private static let up = [
    "a_accounts": """
    create table accounts (
      id bigint generated always as identity,
      tenant int not null,
      email text not null,
      notes text not null,
      balance numeric not null default 0,
      constraint accounts_pkey primary key (id)
    );
    insert into accounts (tenant, email, notes)
      select n % 97, 'user' || n || '@example.org', repeat(md5(n::text), 4) from generate_series(1, \(rows)) n;
    create index accounts_old_idx on accounts (tenant);
    create function account_label(account accounts) returns text language sql immutable
      return account.email;
    insert into run_count values ('a_accounts');
    """,
    "b_events": """
    -- tsdb: requires a_accounts
    create table events (at date not null, account_id bigint not null, what text) partition by range (at);
    create table events_2024 partition of events for values from ('2024-01-01') to ('2025-01-01');
    create table events_2025 partition of events for values from ('2025-01-01') to ('2026-01-01');
    insert into events select date '2024-01-01' + n % 700, 1 + n % 20000, 'x' from generate_series(1, 5000) n;
    update accounts set balance = balance + 1 where id <= 100;
    insert into run_count values ('b_events');
    """,
    "c_indexes": """
    -- tsdb: requires a_accounts b_events
    -- tsdb: transaction off
    create index concurrently accounts_email_idx on accounts (lower(email), tenant);
    create unique index concurrently accounts_email_key on accounts (email);
    drop index concurrently accounts_old_idx;
    insert into run_count values ('c_indexes middle');
    reindex index concurrently accounts_pkey;
    reindex table concurrently accounts;
    update accounts set balance = balance + 1 where id <= 100;
    create index concurrently if not exists accounts_balance_idx on accounts (balance) where balance > 0;
    alter table events detach partition events_2024 concurrently;
    vacuum (analyze) accounts;
    insert into run_count values ('c_indexes');
    """,
    "d_totals": """
    -- tsdb: requires a_accounts c_indexes
    alter table accounts add column total numeric;
    alter table accounts add column checked_at timestamptz;
    update accounts set total = balance where id <= 5000;
    create table totals as select tenant, sum(balance) as total from accounts group by tenant;
    insert into run_count values ('d_totals');
    """,
    "e_labels": """
    -- tsdb: requires d_totals a_accounts
    -- tsdb: repeatable
    create or replace view labels as select id, account_label(a) as label, total from accounts a;
    insert into run_count values ('e_labels');
    """,
    "f_more_indexes": """
    -- tsdb: requires b_events c_indexes d_totals
    -- tsdb: transaction off
    insert into run_count values ('f_more_indexes first');
    set maintenance_work_mem = '2MB';
    create index concurrently events_2024_at_idx on events_2024 (at);
    create index concurrently totals_total_idx on totals (total);
    drop index concurrently totals_total_idx;
    alter table events_2024 add column archived boolean not null default true;
    insert into run_count values ('f_more_indexes');
    """,
  ]

  /// Each undoes exactly its file, and fails where that is not there.
  private static let down = [
    "a_accounts": "drop function account_label(accounts); drop table accounts;",
    "b_events": "drop table events; update accounts set balance = balance - 1 where id <= 100;",
    "c_indexes": """
    drop index accounts_email_idx;
    drop index accounts_email_key;
    drop index accounts_balance_idx;
    create index accounts_old_idx on accounts (tenant);
    alter table events attach partition events_2024 for values from ('2024-01-01') to ('2025-01-01');
    """,
    "d_totals":
      "drop table totals; alter table accounts drop column total; alter table accounts drop column checked_at;",
    "e_labels": "drop view labels;",
    "f_more_indexes": "drop index events_2024_at_idx; alter table events_2024 drop column archived;",
  ].mapValues { $0 }.reduce(into: [:]) { scripts, script in
    scripts[script.key] = script.value + "\ninsert into down_count values ('\(script.key)');\n"
  }

  /// An insert from a query is allowed in a seed and is not idempotent by itself.
  private static let seeds = Dictionary(
    uniqueKeysWithValues: (1...4).map { number in
      (
        "seed_\(number)",
        """
        insert into settings select 'seed \(number) ' || n, 'x' from generate_series(1, 3000) n on conflict do nothing;
        insert into run_count select 'seed_\(number)' where true;

        """
      )
    })

  static let seedNames = (1...4).map { "seed_\($0)" }
}
