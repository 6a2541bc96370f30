import Maintenance
import Operations
import Timekeeping

/// The calendar of the jobs, and the runs that are missing.
extension ReportPage {
  func jobs(_ jobs: ReportJobs) -> Markup {
    let since: Markup =
      jobs.knownSince == nil
      ? "<p>\(word(.neverRecorded))</p>"
      : "<p class=\"more\">\(word(.judgedSince, moment(jobs.knownSince)))\(unread(jobs))</p>"
    return table(jobs) + calendar(jobs) + legend + since + missing(jobs) + failures(jobs)
  }

  private func unread(_ jobs: ReportJobs) -> String {
    jobs.unreadRuns > 0 ? " " + word(.omittedRuns, format.number(jobs.unreadRuns)) : ""
  }

  private func table(_ jobs: ReportJobs) -> Markup {
    let shown = shown(jobs.jobs)
    let rows = shown.rows.map { job -> [Markup] in
      let reason: Markup? =
        job.lastOutcome == .failed
        ? job.lastReason.map { "<br/><span class=\"quiet\">\(english($0))</span>" } : nil
      return [
        name(job.name), name(job.schedule), timeAndAge(job.lastRun),
        outcome(job.lastOutcome) + (reason ?? ""),
        job.medianMilliseconds.map { "\(format.milliseconds($0))" } ?? "–", nextRun(job),
      ]
    }
    let columns = [
      Column(word(.job), "short"), Column(word(.schedule), "short"), Column(word(.lastRun), "when"),
      Column(word(.outcome)),
      Column(word(.duration), "number"), Column(word(.next), "when"),
    ]
    return table(word(.jobs), isTitled: true, columns, rows) + shown.more
  }

  private func nextRun(_ job: ReportJobs.Job) -> Markup {
    switch job.state {
    case "disabled": "\(word(.disabled))"
    case "due": "\(word(.dueNow))"
    case "waiting": "\(word(.waiting))"
    default: time(job.next)
    }
  }

  private func outcome(_ outcome: JobOutcome?) -> Markup {
    guard let outcome else { return "–" }
    let (style, sign) =
      switch outcome {
      case .ok: ("ok", "✓")
      case .partial: ("warning", "~")
      case .skipped: ("warning", "–")
      case .failed: ("critical", "✕")
      case .running: ("", "…")
      }
    return chip(style, sign, ReportState.text(outcome.rawValue, language))
  }

  // MARK: The calendar

  private func calendar(_ jobs: ReportJobs) -> Markup {
    let shown = shown(jobs.jobs)
    let caption = word(.calendarCaption, format.number(jobs.days.count))
    let days = jobs.days.compactMap { UTCTime($0 + "T00:00:00Z") }
    let head = days.map { day in
      """
      <th scope="col"><abbr title="\(day.date.day) \(format.month(day.date.month)) \(day.date.year)">\
      \(format.weekday(day.day))<br/>\(day.date.day)</abbr></th>
      """ as Markup
    }.joined()
    let rows = shown.rows.map { job -> Markup in
      let cells = job.days.map { "<td>\(cell($0))</td>" as Markup }.joined()
      return "<tr><th scope=\"row\">\(name(job.name))</th>\(cells)</tr>"
    }.joined("\n")
    return "<h3>\(caption)</h3>"
      + scrolling(
        caption,
        """
        <table class="calendar"><caption class="aside">\(caption)</caption>
        <thead><tr><th scope="col">\(word(.job))</th>\(head)</tr></thead>
        <tbody>\(rows)</tbody></table>
        """)
  }

  /// A sign, and for those who do not see it, words.
  private func cell(_ day: ReportJobs.Day) -> Markup {
    guard day.expected > 0 else { return cell("none", day.byHand > 0 ? "✎" : "·", text(day)) }
    if day.failed > 0 { return cell("critical", "✕\(format.number(day.failed))", text(day)) }
    if day.missing > 0 { return cell("warning", "−\(format.number(day.missing))", text(day)) }
    if day.partial + day.skipped > 0 { return cell("warning", "~", text(day)) }
    return cell("ok", "✓", text(day))
  }

  private func cell(_ style: String, _ sign: String, _ text: String) -> Markup {
    """
    <span class="day \(style)" title="\(text)"><span aria-hidden="true">\(sign)</span>\
    <span class="aside">\(text)</span></span>
    """
  }

  private func text(_ day: ReportJobs.Day) -> String {
    var parts =
      day.expected == 0
      ? [word(.dayNone)] : [word(.dayDone, format.number(day.done), format.number(day.expected))]
    if day.missing > 0 { parts.append(word(.dayMissing, format.number(day.missing))) }
    if day.failed > 0 { parts.append(word(.dayFailed, format.number(day.failed))) }
    if day.partial > 0 { parts.append("\(format.number(day.partial)) \(word(.dayOther))") }
    if day.skipped > 0 { parts.append(word(.daySkipped, format.number(day.skipped))) }
    if day.byHand > 0 { parts.append(word(.byHand, format.number(day.byHand))) }
    return parts.joined(separator: ", ")
  }

  private var legend: Markup {
    func entry(_ style: String, _ sign: String, _ text: ReportWord) -> Markup {
      "<li><span class=\"day \(style)\" aria-hidden=\"true\">\(sign)</span> \(word(text))</li>"
    }
    return """
      <ul class="legend">\(entry("ok", "✓", .legendDone))\(entry("warning", "−2", .legendMissing))\
      \(entry("critical", "✕1", .legendFailed))\(entry("warning", "~", .legendPartial))\
      \(entry("none", "·", .legendNone))</ul>
      """
  }

  // MARK: What did not run

  private func missing(_ jobs: ReportJobs) -> Markup {
    let title: Markup = "<h3>\(word(.missingTitle))</h3>"
    guard jobs.knownSince != nil else { return "" }
    guard jobs.missing.count > 0 else { return title + "<p>\(word(.missingNone))</p>" }
    let shown = shown(jobs.missing, limit: 20)
    let rows = shown.rows.map { span -> [Markup] in
      [
        name(span.job), "\(format.number(span.count))", time(span.first),
        span.count == 1 ? "–" : time(span.last),
      ]
    }
    return title
      + table(
        word(.missingCaption),
        [
          Column(word(.job), "short"), Column(word(.times), "number"), Column(word(.slot), "when"),
          Column(word(.slotTo), "when"),
        ], rows)
      + shown.more
  }

  private func failures(_ jobs: ReportJobs) -> Markup {
    guard jobs.failures.count > 0 else { return "" }
    let shown = shown(jobs.failures, limit: 20)
    let rows = shown.rows.map { row -> [Markup] in
      [
        name(row.job), "\(format.number(row.count))", timeAndAge(row.last), outcome(row.outcome),
        row.reason.map(english) ?? "–",
      ]
    }
    let columns = [
      Column(word(.job), "short"), Column(word(.times), "number"), Column(word(.when), "when"),
      Column(word(.outcome)),
      Column(word(.reason), "wide"),
    ]
    return "<h3>\(word(.failuresTitle))</h3>" + table(word(.failuresCaption), columns, rows) + shown.more
  }
}
