import Postgres
import Timekeeping

/// A number that a check goes by, or why it could not be seen.
public enum HealthFigure<Value: Sendable>: Sendable {
  case seen(Value)
  /// With the GRANT that is missing, where that is the reason.
  case unseen(HealthProblem)
}

/// What the checks measure, also where nothing is wrong: for a report, which shows how far the limits are.
public struct HealthFigures: Sendable {
  /// A materialized view.
  public struct View: Sendable {
    /// Quoted where SQL needs it.
    public let label: String
    public let isPopulated: Bool
    /// By tsdb, as its records say; nil where they have nothing of it, or may not be read.
    public let refreshed: UTCTime?
    /// The job that refreshes it most often, and the seconds between two of its slots.
    public let job: String?
    public let periodSeconds: Int64?
  }

  public struct Views: Sendable {
    public let views: [View]
    /// The statements that would let the role read when they were refreshed; nil where it may.
    public let grants: String?
  }

  public struct Sequence: Sendable {
    public let label: String
    /// The narrowest column that it fills, such as `orders.id (integer)`.
    public let column: String?
    /// nil where it was never used, or the role may not see it.
    public let last: Int64?
    /// The last number that fits.
    public let limit: Int64
    /// In percent.
    public let used: Double
    public let isVisible: Bool
    public let isEndless: Bool
    /// For a role that may not see it.
    public let grants: String
  }

  public struct Index: Sendable {
    public let name: String
    public let table: String
    /// The one that it repeats; nil of an invalid one.
    public let original: String?
    /// nil where it was not asked for.
    public let bytes: Int64?
  }

  public struct Indexes: Sendable {
    public let invalid: [Index]
    public let duplicate: [Index]
  }

  /// Of one rule of retention.
  public struct Backlog: Sendable {
    public let job: String
    /// `schema.name`, unquoted as in the configuration.
    public let table: String
    public let keepSeconds: Int64
    public let rows: HealthFigure<Rows>
  }

  /// Rows that should have been deleted by the last run at the latest.
  public struct Rows: Sendable {
    /// Counted up to 10,000.
    public let count: Int64
    public let hasMore: Bool
    public let oldest: UTCTime?
  }

  public struct Age: Sendable {
    public let database: String
    /// Transactions and multixacts since the oldest unfrozen one.
    public let xid: Int64
    public let multixact: Int64
  }

  public struct Wraparound: Sendable {
    /// The oldest first.
    public let databases: [Age]
    public let oldestRelation: String?
    /// Where autovacuum begins, and where VACUUM drops all courtesy.
    public let freezeMaxAge: Int64
    public let failsafeAge: Int64
  }

  public let views: HealthFigure<Views>
  public let sequences: HealthFigure<[Sequence]>
  public let indexes: HealthFigure<Indexes>
  public let backlogs: HealthFigure<[Backlog]>
  public let wraparound: HealthFigure<Wraparound>

  /// Reads as ``HealthRun`` does: in short read-only transactions, one for each kind.
  ///
  /// - Throws: `PostgresError` when the connection cannot be had or is lost.
  public static func read(_ context: HealthContext, on session: Session) async throws -> HealthFigures {
    let given = context
    let context = try await session.run { try HealthRun.identify(given, on: $0) }
    return HealthFigures(
      views: await figure(StaleViewsCheck.self, context, session) { views($0, context) },
      sequences: await figure(SequencesCheck.self, context, session) { $0.map { sequence($0, context) } },
      indexes: await indexes(context, session),
      backlogs: await figure(RetentionBacklogCheck.self, context, session) { $0.rules.map(backlog) },
      wraparound: await figure(WraparoundCheck.self, context, session, wraparound))
  }
}

extension HealthFigures {
  private static func figure<Check: HealthCheck, Value: Sendable>(
    _ check: Check.Type, _ context: HealthContext, _ session: Session,
    _ value: @Sendable (Check.Facts) -> Value
  ) async -> HealthFigure<Value> {
    do {
      let facts = try await session.run { connection in
        try connection.execute(HealthRun.begin)
        defer { if !connection.isBroken { _ = try? connection.execute("rollback") } }
        return try Check.facts(context, on: connection)
      }
      return .seen(value(facts))
    } catch {
      let finding = HealthRun.failure(Check.description, error, context)
      return .unseen(finding.problems.first ?? HealthProblem(.unknown, finding.summary))
    }
  }

  private static func indexes(_ context: HealthContext, _ session: Session) async -> HealthFigure<Indexes> {
    let invalid = await figure(InvalidIndexesCheck.self, context, session) { indexes in
      indexes.map { Index(name: $0.name, table: $0.table, original: nil, bytes: nil) }
    }
    let duplicate = await figure(DuplicateIndexesCheck.self, context, session) { groups in
      groups.flatMap { group in
        group.indexes.dropFirst().map {
          Index(name: $0.name, table: group.table, original: group.indexes.first?.name, bytes: $0.bytes)
        }
      }
    }
    switch (invalid, duplicate) {
    case (.seen(let invalid), .seen(let duplicate)):
      return .seen(Indexes(invalid: invalid, duplicate: duplicate))
    case (.unseen(let problem), _), (_, .unseen(let problem)): return .unseen(problem)
    }
  }

  private static func views(_ facts: StaleViewsCheck.Facts, _ context: HealthContext) -> Views {
    let views = facts.views.map { view in
      let job = StaleViewsCheck.job(of: view, context)
      return View(
        label: view.label, isPopulated: view.isPopulated, refreshed: view.refreshed, job: job?.0.name,
        periodSeconds: job?.1)
    }
    return Views(views: views, grants: facts.grants)
  }

  private static func sequence(_ sequence: SequencesCheck.Sequence, _ context: HealthContext) -> Sequence {
    var column: String?
    if let table = sequence.table, let name = sequence.column, let type = sequence.type {
      column = "\(table).\(name) (\(type))"
    }
    return Sequence(
      label: sequence.label, column: column, last: sequence.last, limit: sequence.limit, used: sequence.used,
      isVisible: sequence.isVisible, isEndless: sequence.isEndless,
      grants: "grant select on all sequences in schema \(sequence.schema) to \(context.grantee);")
  }

  private static func backlog(_ rule: RetentionBacklogCheck.Rule) -> Backlog {
    let rows: HealthFigure<Rows>
    if case .read(let backlog) = rule.backlog {
      let most = RetentionBacklogCheck.most
      rows = .seen(Rows(count: min(backlog.rows, most), hasMore: backlog.rows > most, oldest: backlog.oldest))
    } else {
      let subject = "table \(rule.rule.table)"
      rows = .unseen(
        rule.backlog.problem(subject) ?? HealthProblem(.unknown, "\(subject) could not be looked at"))
    }
    return Backlog(
      job: rule.job, table: rule.rule.table, keepSeconds: rule.rule.keep.wholeSeconds, rows: rows)
  }

  @Sendable private static func wraparound(_ facts: WraparoundCheck.Facts) -> Wraparound {
    Wraparound(
      databases: facts.databases.map { Age(database: $0.database, xid: $0.xid, multixact: $0.multixact) },
      oldestRelation: facts.oldestRelation, freezeMaxAge: facts.freezeMaxAge, failsafeAge: facts.failsafeAge)
  }
}
