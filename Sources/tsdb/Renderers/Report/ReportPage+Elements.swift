import Maintenance
import Operations
import Timekeeping

/// Elements that every part of the page is made of.
extension ReportPage {
  func chip(_ status: HealthStatus?) -> Markup {
    guard let status else { return "<span class=\"chip\">\(word(.notJudged))</span>" }
    return chip(status.style, status.sign, word(status.reportWord))
  }

  func chip(_ style: String, _ sign: String, _ text: String) -> Markup {
    "<span class=\"chip \(style)\"><span class=\"sign\" aria-hidden=\"true\">\(sign)</span>\(text)</span>"
  }

  /// A message of the tool or of the server, which are English whatever the page's language.
  func english(_ text: ReportText) -> Markup {
    language == .en ? "\(text.text)" : "<span lang=\"en\">\(text.text)</span>"
  }

  func name(_ text: ReportText) -> Markup { "<span class=\"name\">\(text.text)</span>" }

  /// - Parameter text: UTC, as the facts have it.
  func time(_ text: String?) -> Markup {
    guard let text, let time = format.time(text) else { return "–" }
    return "<time datetime=\"\(time.description)\">\(format.moment(time))</time>"
  }

  func moment(_ text: String?) -> String { format.time(text).map(format.moment) ?? "–" }

  /// A time, and how long ago it was.
  func timeAndAge(_ text: String?) -> Markup {
    guard let text, let time = format.time(text) else { return "\(word(.never))" }
    return self.time(text) + "<br/><span class=\"quiet\">\(format.ago(time))</span>"
  }

  /// A part, or that it is not there, or why it is not known.
  func part<Value>(_ part: ReportPart<Value>, empty: ReportWord, _ body: (Value) -> Markup) -> Markup {
    switch part {
    case .known(let value): body(value)
    case .absent: "<p>\(word(empty))</p>"
    case .unknown(let gap): self.gap(gap)
    }
  }

  func gap(_ gap: ReportGap) -> Markup {
    let remedy: Markup? = gap.remedy.map {
      "<p class=\"quiet\">\(word(.wouldHelp))</p><pre lang=\"en\"><code>\($0.text)</code></pre>"
    }
    return """
      <div class="gap"><p>\(chip(.unknown)) \(word(.notSeen)): \(english(gap.reason))</p>\(remedy)</div>
      """
  }

  func more(_ count: Int) -> Markup {
    count > 0 ? "<p class=\"more\">\(word(.more, format.number(count)))</p>" : ""
  }

  /// The rows of a list that are shown, and how many are not.
  func shown<Row>(_ list: ReportList<Row>, limit: Int? = nil) -> (rows: ArraySlice<Row>, more: Markup) {
    let rows = list.rows.prefix(min(limit ?? self.rows, self.rows))
    return (rows, more(list.count - rows.count))
  }

  /// A column of a table: its head, and how its cells look.
  struct Column {
    let title: String
    let style: String

    init(_ title: String, _ style: String = "") {
      self.title = title
      self.style = style
    }
  }

  /// A table that scrolls by itself where the screen is narrow; the first cell of each row is its head.
  ///
  /// - Parameter isTitled: a heading above says the same as the caption, which only those hear who do not see it.
  func table(_ caption: String, isTitled: Bool = false, _ columns: [Column], _ rows: [[Markup]]) -> Markup {
    let head = columns.map { "<th scope=\"col\" class=\"\($0.style)\">\($0.title)</th>" as Markup }.joined()
    let body = rows.map { row -> Markup in
      let cells = row.enumerated().map { index, cell -> Markup in
        let style = columns.indices.contains(index) ? columns[index].style : ""
        return index == 0
          ? "<th scope=\"row\" class=\"\(style)\">\(cell)</th>" : "<td class=\"\(style)\">\(cell)</td>"
      }.joined()
      return "<tr>\(cells)</tr>"
    }.joined("\n")
    return scrolling(
      caption,
      "<table><caption class=\"\(isTitled ? "aside" : "shown")\">\(caption)</caption><thead><tr>\(head)</tr></thead>\n<tbody>\(body)</tbody></table>"
    )
  }

  /// Reached by the keyboard as well.
  func scrolling(_ label: String, _ content: Markup) -> Markup {
    "<div class=\"scroll\" role=\"region\" aria-label=\"\(label)\" tabindex=\"0\">\(content)</div>"
  }

  /// A bar whose number stands beside it as text.
  ///
  /// - Parameter share: from 0 to 1.
  func bar(_ share: Double, _ status: HealthStatus = .ok) -> Markup {
    let width = Self.decimal(max(0, min(1, share.isFinite ? share : 0)) * 100)
    let style = status == .ok ? "" : " \(status.style)"
    return """
      <svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" width="120" height="8" aria-hidden="true">\
      <rect class="track" width="100" height="8"/><rect class="fill\(style)" width="\(width)" height="8"/></svg>
      """
  }

  /// With at most one place behind the point, whatever the language.
  static func decimal(_ value: Double) -> String {
    let tenths = Int((value * 10).rounded())
    return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(abs(tenths % 10))"
  }
}
