import Maintenance
import Operations
import Timekeeping

/// A report as one page of HTML that needs nothing else: no script, no network, its pictures drawn in it.
struct ReportPage {
  let facts: ReportFacts
  let language: ReportLanguage
  let format: ReportFormat
  /// Of a table: more are counted, not shown.
  let rows: Int

  /// A page is smaller than this, in bytes, whatever the database's size.
  static let limit = 1_000_000

  /// The page in UTF-8, smaller than ``limit``: with fewer rows where it would not be.
  static func html(_ facts: ReportFacts, language: ReportLanguage) -> String {
    let zone = (try? TimeZoneRules(named: facts.timeZone)) ?? .utc
    let format = ReportFormat(language: language, zone: zone, now: UTCTime(facts.time) ?? .now)
    var rows = 80
    while true {
      let page = ReportPage(facts: facts, language: language, format: format, rows: rows).document.html
      if page.utf8.count < limit || rows <= 5 { return page }
      rows /= 2
    }
  }

  func word(_ word: ReportWord, _ values: String...) -> String { word.text(language, values) }

  private var document: Markup {
    """
    <!DOCTYPE html>
    <html lang="\(language.rawValue)">
    <head>
    <meta charset="utf-8"/>
    <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"/>
    <meta name="viewport" content="width=device-width, initial-scale=1"/>
    <meta name="referrer" content="no-referrer"/>
    <meta name="robots" content="noindex"/>
    <meta name="generator" content="\(facts.tool)"/>
    <title>\(word(.title, facts.server.database.text))</title>
    <style>\(ReportStyle.sheet)</style>
    </head>
    <body>
    <a class="skip" href="#verdict">\(word(.skip))</a>
    <div class="page">
    \(header)
    <main>
    \(verdict)
    \(contents)
    \(sections)
    </main>
    <footer><p>\(word(.footer, facts.tool, moment(facts.time))) \(word(.timesIn, facts.timeZone)) \(word(.englishNote))</p></footer>
    </div>
    </body>
    </html>

    """
  }

  private var header: Markup {
    let server = facts.server
    var entries: [(String, Markup)] = [
      (word(.server), "\(server.host.text)"),
      (
        word(.version), "PostgreSQL \(server.version.text)\(server.isInRecovery ? ", \(word(.standby))" : "")"
      ),
      (word(.role), "\(server.role.text)"),
    ]
    if let bytes = server.bytes { entries.append((word(.size), "\(format.bytes(bytes))")) }
    entries.append((word(.started), time(server.started)))
    entries.append((word(.generated), time(facts.time) + " (\(facts.timeZone))"))
    let list = entries.map { "<div><dt>\($0.0)</dt><dd>\($0.1)</dd></div>" as Markup }.joined()
    return """
      <header>
      <p class="kicker">\(word(.kicker))</p>
      <h1>\(server.database.text)</h1>
      <dl class="facts">\(list)</dl>
      </header>
      """
  }

  // MARK: The verdict

  private var verdict: Markup {
    let verdict = facts.verdict
    let headline: ReportWord =
      switch verdict.status {
      case .ok: .verdictGood
      case .warning: .verdictAttention
      case .critical: .verdictCritical
      case .unknown: .verdictUnknown
      }
    let areas = verdict.areas.map { area -> Markup in
      let words = ReportSummary(facts: facts, language: language, format: format)
      return """
        <div><dt><a href="#\(area.subject.rawValue)">\(word(area.subject.title))</a> \(chip(area.status))</dt>\
        <dd>\(words.line(area.subject))</dd></div>
        """
    }.joined()
    return """
      <section class="verdict \(verdict.status.style)" id="verdict" aria-labelledby="verdict-title">
      <h2 id="verdict-title"><span aria-hidden="true">\(verdict.status.sign)</span> \(word(headline))</h2>
      \(steps)
      <h3>\(word(.summary))</h3>
      <dl class="areas">\(areas)</dl>
      </section>
      """
  }

  private var steps: Markup {
    let verdict = facts.verdict
    guard !verdict.next.isEmpty else { return "<p>\(word(.nothingToDo))</p>" }
    let items = verdict.next.map { step -> Markup in
      let more: Markup? = step.count > 1 ? " (\(word(.similar, format.number(step.count - 1))))" : nil
      let remedy: Markup? = step.remedy.map { "<pre lang=\"en\"><code>\($0.text)</code></pre>" }
      let isOfUser = step.reason == "checklist"
      return """
        <li><p class="say">\(ReportReason(step.reason, language).action) \(chip(step.status))</p>\
        <p class="why">\(isOfUser ? "\(step.detail.text)" : english(step.detail))\(more)</p>\(remedy)</li>
        """
    }.joined("\n")
    let more: Markup? =
      verdict.omitted > 0 ? "<p class=\"more\">\(word(.moreSteps, format.number(verdict.omitted)))</p>" : nil
    return "<h3>\(word(.nextSteps))</h3>\n<ol class=\"steps\">\(items)</ol>\(more)"
  }

  private var contents: Markup {
    let links = ReportSection.allCases.map { section in
      "<li><a href=\"#\(section.anchor)\">\(word(section.title))</a></li>" as Markup
    }.joined()
    return "<nav class=\"contents\" aria-label=\"\(word(.contents))\"><ul>\(links)</ul></nav>"
  }

  private var sections: Markup {
    ReportSection.allCases.map { section in
      """
      <section id="\(section.anchor)" aria-labelledby="\(section.anchor)-title">
      <h2 id="\(section.anchor)-title">\(word(section.title))</h2>
      <p class="lead">\(word(section.lead))</p>
      \(body(of: section))
      </section>
      """ as Markup
    }.joined("\n")
  }

  private func body(of section: ReportSection) -> Markup {
    switch section {
    case .deployment: part(facts.deployments, empty: .noDeployment, deployments)
    case .checklist: part(facts.checklist, empty: .noChecklist, checklist)
    case .migrations: part(facts.migrations, empty: .noMigrations, migrations)
    case .backups: part(facts.backups, empty: .noBackups, backups)
    case .jobs: part(facts.jobs, empty: .noJobs, jobs)
    case .views: part(facts.views, empty: .noViews, views)
    case .retention: part(facts.retention, empty: .noRetention, retention)
    case .tables: part(facts.tables, empty: .noTables, tables)
    case .sequences: part(facts.sequences, empty: .noSequences, sequences)
    case .indexes: part(facts.indexes, empty: .noInvalid, indexes)
    case .wraparound: part(facts.wraparound, empty: .noTables, wraparound)
    case .health: checks
    }
  }
}

/// The parts of the page below the verdict, in their order.
enum ReportSection: CaseIterable {
  case checklist, deployment, migrations, backups, jobs, views, retention, tables, sequences, indexes,
    wraparound, health

  /// The same as the subject's, where it is one.
  var anchor: String { "\(self)" }

  var title: ReportWord {
    switch self {
    case .deployment: .deployment
    case .checklist: .checklist
    case .migrations: .migrations
    case .backups: .backups
    case .jobs: .jobs
    case .views: .views
    case .retention: .retention
    case .tables: .tables
    case .sequences: .sequences
    case .indexes: .indexes
    case .wraparound: .wraparound
    case .health: .health
    }
  }

  var lead: ReportWord {
    switch self {
    case .deployment: .deploymentLead
    case .checklist: .checklistLead
    case .migrations: .migrationsLead
    case .backups: .backupsLead
    case .jobs: .jobsLead
    case .views: .viewsLead
    case .retention: .retentionLead
    case .tables: .tablesLead
    case .sequences: .sequencesLead
    case .indexes: .indexesLead
    case .wraparound: .wraparoundLead
    case .health: .healthLead
    }
  }
}

extension ReportSubject {
  var title: ReportWord {
    switch self {
    case .deployment: .deployment
    case .checklist: .checklist
    case .migrations: .migrations
    case .backups: .backups
    case .jobs: .jobs
    case .health: .health
    }
  }
}

extension HealthStatus {
  /// Beside every colour.
  var sign: String {
    switch self {
    case .ok: "✓"
    case .warning: "!"
    case .critical: "✕"
    case .unknown: "?"
    }
  }

  var style: String { "\(self)" }

  var reportWord: ReportWord {
    switch self {
    case .ok: .good
    case .warning: .attention
    case .critical: .critical
    case .unknown: .unknown
    }
  }
}
