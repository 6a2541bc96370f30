import Maintenance
import Timekeeping

/// The checks' figures as a report has them.
struct ReportFigures {
  let figures: HealthFigures
  let now: UTCTime
  let clean: ReportCleaning
  let limit: Int

  private func part<Figure, Value: Sendable & Encodable>(
    _ figure: HealthFigure<Figure>, _ value: (Figure) -> ReportPart<Value>
  ) -> ReportPart<Value> {
    switch figure {
    case .seen(let seen): value(seen)
    case .unseen(let problem): .unknown(gap(problem))
    }
  }

  private func gap(_ problem: HealthProblem) -> ReportGap {
    ReportGap(clean(problem.summary), remedy: clean(problem.remedy))
  }

  /// The oldest first.
  func views(sizes: [String: Int64]) -> ReportPart<ReportViews> {
    part(figures.views) { seen in
      guard !seen.views.isEmpty else { return .absent }
      let views = seen.views.sorted {
        ($0.isPopulated ? 1 : 0, $0.refreshed?.secondsSince1970 ?? .min, $0.label)
          < ($1.isPopulated ? 1 : 0, $1.refreshed?.secondsSince1970 ?? .min, $1.label)
      }.map { view in
        ReportView(
          name: clean(view.label), isPopulated: view.isPopulated, bytes: sizes[view.label],
          refreshed: view.refreshed?.description, ageSeconds: view.refreshed.map { now - $0 },
          job: clean(view.job),
          periodSeconds: view.periodSeconds)
      }
      let gap = seen.grants.map {
        ReportGap(clean("the records of maintenance may not be read by this role"), remedy: clean($0))
      }
      return .known(ReportViews(views: ReportList(views, limit: limit), gap: gap))
    }
  }

  var retention: ReportPart<ReportList<ReportBacklog>> {
    part(figures.backlogs) { backlogs in
      guard !backlogs.isEmpty else { return .absent }
      let rows = backlogs.map { backlog in
        ReportBacklog(
          table: clean(backlog.table), job: clean(backlog.job), keepSeconds: backlog.keepSeconds,
          rows: part(backlog.rows) {
            .known(
              ReportOverdueRows(count: $0.count, hasMore: $0.hasMore, oldest: $0.oldest?.description))
          })
      }
      return .known(ReportList(rows, limit: limit))
    }
  }

  /// The fullest first.
  var sequences: ReportPart<ReportList<ReportSequence>> {
    part(figures.sequences) { sequences in
      guard !sequences.isEmpty else { return .absent }
      let rows = sequences.sorted {
        ($0.isVisible ? 1 : 0, -$0.used, $0.label) < ($1.isVisible ? 1 : 0, -$1.used, $1.label)
      }.map { sequence in
        ReportSequence(
          name: clean(sequence.label), column: clean(sequence.column), last: sequence.last,
          limit: sequence.limit,
          used: sequence.used, isEndless: sequence.isEndless,
          gap: sequence.isVisible
            ? nil : ReportGap(clean("it may not be read by this role"), remedy: clean(sequence.grants)))
      }
      return .known(ReportList(rows, limit: limit))
    }
  }

  func indexes(unused: ReportPart<ReportQueries.Unused>) -> ReportPart<ReportIndexes> {
    part(figures.indexes) { indexes in
      func list(_ indexes: [HealthFigures.Index]) -> ReportList<ReportIndexes.Index> {
        ReportList(
          indexes.map {
            ReportIndexes.Index(
              name: clean($0.name), table: clean($0.table), original: clean($0.original), bytes: $0.bytes)
          }, limit: limit)
      }
      let unusedPart: ReportPart<ReportList<ReportIndexes.Index>> =
        switch unused {
        case .known(let unused): .known(unused.indexes)
        case .absent: .absent
        case .unknown(let gap): .unknown(gap)
        }
      return .known(
        ReportIndexes(
          invalid: list(indexes.invalid), duplicate: list(indexes.duplicate), unused: unusedPart,
          countedSince: unused.value?.countedSince))
    }
  }

  var wraparound: ReportPart<ReportWraparound> {
    part(figures.wraparound) { wraparound in
      let ages = wraparound.databases.map {
        ReportWraparound.Age(database: clean($0.database), transactions: $0.xid, multixacts: $0.multixact)
      }
      return .known(
        ReportWraparound(
          databases: ReportList(ages, limit: limit), oldestRelation: clean(wraparound.oldestRelation),
          freezeMaxAge: wraparound.freezeMaxAge, failsafeAge: wraparound.failsafeAge))
    }
  }
}
