import Checklists
import Maintenance
import Operations

/// Each subject in one line.
struct ReportSummary {
  let facts: ReportFacts
  let language: ReportLanguage
  let format: ReportFormat

  private func word(_ word: ReportWord, _ values: String...) -> String { word.text(language, values) }

  func line(_ subject: ReportSubject) -> String {
    switch subject {
    case .deployment: line(facts.deployments, empty: .noDeployment, deployment)
    case .checklist: line(facts.checklist, empty: .noChecklist) { counts($0.counts) }
    case .migrations: line(facts.migrations, empty: .noMigrations, migrations)
    case .backups: line(facts.backups, empty: .noBackups, backups)
    case .jobs: line(facts.jobs, empty: .noJobs, jobs)
    case .health: health
    }
  }

  private func line<Value>(_ part: ReportPart<Value>, empty: ReportWord, _ text: (Value) -> String) -> String
  {
    switch part {
    case .known(let value): text(value)
    case .absent: word(empty)
    case .unknown: word(.notSeen)
    }
  }

  private func deployment(_ list: ReportList<ReportDeployment>) -> String {
    guard let last = list.rows.first else { return word(.noDeployment) }
    let time = format.time(last.ended ?? last.started).map(format.ago) ?? "–"
    return word(.lastDeployment, ReportState.text(last.state.text, language, isOfDeployment: true), time)
  }

  /// `42 proved, 1 failed`, in the order of the states.
  func counts(_ counts: [String: Int]) -> String {
    ProbeState.allCases.compactMap { state in
      counts[state.rawValue].map { state.countWord.text(language, [format.number($0)]) }
    }.joined(separator: ", ")
  }

  private func migrations(_ migrations: ReportMigrations) -> String {
    let order = [
      "applied", "cosmetic-edit", "pending", "interrupted", "changed-repeatable", "edited", "missing",
    ]
    let counts = order.compactMap { state in
      migrations.counts[state].map {
        state == "applied"
          ? word(.appliedCount, format.number($0))
          : "\(format.number($0)) \(ReportState.text(state, language))"
      }
    }
    // Where it could not be looked, nothing has drifted.
    let drift = facts.checks.first { $0.name == "drift" && $0.status != .unknown }
    let drifted = drift?.problems.count ?? 0
    return (counts + (drifted > 0 ? [word(.drifted, format.number(drifted))] : [])).joined(separator: ", ")
  }

  private func backups(_ backups: ReportBackups) -> String {
    var parts = [format.time(backups.newest).map { word(.newestAgo, format.ago($0)) } ?? word(.noUsable)]
    parts.append(
      format.time(backups.newestProof).map { word(.provedAgo, format.ago($0)) } ?? word(.neverProven))
    if backups.damaged > 0 { parts.append(word(.damagedCount, format.number(backups.damaged))) }
    let line = parts.joined(separator: "; ")
    return line.hasSuffix(".") ? String(line.dropLast()) : line
  }

  private func jobs(_ jobs: ReportJobs) -> String {
    guard jobs.knownSince != nil else { return word(.neverRecorded) }
    let (count, days) = (format.number(jobs.jobs.count), format.number(jobs.days.count))
    return jobs.missingCount == 0
      ? word(.noMissing, count, days) : word(.jobsMissing, count, format.number(jobs.missingCount), days)
  }

  private var health: String {
    let checks = facts.checks.filter { $0.subject == .health }
    let bad = checks.count { $0.status != .ok }
    let all = format.number(checks.count)
    return bad == 0 ? word(.checksFine, all) : word(.checksBad, format.number(bad), all)
  }
}

extension ProbeState {
  var countWord: ReportWord {
    switch self {
    case .proved: .provedCount
    case .failed: .failedCount
    case .attested: .attestedCount
    case .notApplicable: .notApplicableCount
    case .unknown: .unknownCount
    case .unbound: .unboundCount
    }
  }

  var reportWord: ReportWord {
    switch self {
    case .proved: .proved
    case .failed: .failed
    case .attested: .attested
    case .notApplicable: .notApplicable
    case .unknown: .unknownItem
    case .unbound: .unbound
    }
  }
}

extension ChecklistPhase {
  var reportWord: ReportWord {
    switch self {
    case .pre: .phasePre
    case .deploy: .phaseDeploy
    case .verify: .phaseVerify
    case .post: .phasePost
    case .rollback: .phaseRollback
    case .firstHour: .phaseFirstHour
    case .firstDay: .phaseFirstDay
    case .firstWeek: .phaseFirstWeek
    }
  }
}
