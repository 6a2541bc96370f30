import Foundation
import FoundationXML
import TestSupport
import Testing

/// A page of `tsdb report` as a reader's browser takes it.
struct ReportDocument {
  let html: String
  private let document: XMLDocument

  /// Parsed as XML, which forgives nothing.
  init(_ html: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
    self.html = html
    document = try #require(
      try? XMLDocument(xmlString: html, options: []), "not well-formed", sourceLocation: sourceLocation)
  }

  init(file: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
    try self.init(String(contentsOfFile: file, encoding: .utf8), sourceLocation: sourceLocation)
  }

  func nodes(_ path: String) throws -> [XMLElement] {
    try document.nodes(forXPath: path).compactMap { $0 as? XMLElement }
  }

  func texts(_ path: String) throws -> [String] {
    try document.nodes(forXPath: path).map { $0.stringValue ?? "" }
  }

  /// All text of a part of the page, by its id, on one line.
  func text(of id: String) throws -> String {
    try texts("//section[@id='\(id)']").joined().split(whereSeparator: \.isWhitespace).joined(separator: " ")
  }

  /// What a page must have whatever is in the database.
  func expectSound(language: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
    func expect(_ isTrue: Bool, _ what: String) { #expect(isTrue, "\(what)", sourceLocation: sourceLocation) }
    expect(html.utf8.count < 1_000_000, "\(html.utf8.count) bytes")
    expect(try texts("/html/@lang") == [language], "lang")
    for name in ["script", "img", "link", "iframe", "object", "embed", "form", "input", "base"] {
      expect(try nodes("//\(name)").isEmpty, "an element \(name)")
    }
    let attributes = try texts("//@href | //@src | //@style | //@*[starts-with(name(), 'on')]")
    expect(attributes.allSatisfy { $0.hasPrefix("#") }, "\(attributes.filter { !$0.hasPrefix("#") })")
    expect(!html.contains("url(") && !html.contains("@import"), "the style sheet loads something")
    let policy = try texts("//meta[@http-equiv='Content-Security-Policy']/@content").first ?? ""
    expect(policy.hasPrefix("default-src 'none'"), policy)

    let ids = try texts("//@id")
    expect(Set(ids).count == ids.count, "an id stands twice")
    for target in try texts("//a/@href | //*/@aria-labelledby").flatMap({ $0.split(separator: " ") }) {
      expect(
        ids.contains(target.hasPrefix("#") ? String(target.dropFirst()) : String(target)), "no \(target)")
    }
    let levels = try nodes("//h1 | //h2 | //h3 | //h4").compactMap { $0.name?.last?.wholeNumberValue }
    expect(levels.first == 1 && levels.count { $0 == 1 } == 1, "one heading of the first level")
    expect(zip(levels, levels.dropFirst()).allSatisfy { $1 <= $0 + 1 }, "\(levels)")
    expect(try nodes("//table[not(caption)]").isEmpty, "a table without a caption")
    expect(try nodes("//th[not(@scope)]").isEmpty, "a head of a table without its scope")
    expect(try nodes("//svg[@role='img'][not(title) or not(desc)]").isEmpty, "a picture without words")
    expect(
      try nodes("//svg[not(@role='img') and not(@aria-hidden='true')]").isEmpty, "a picture for the eye alone"
    )
    expect(
      try nodes("//main").count == 1 && nodes("//body/a[@class='skip']").count == 1, "a way to the content")
    for scalar in html.unicodeScalars {
      let isHidden = (0x202A...0x202E).contains(scalar.value) || (0x2066...0x2069).contains(scalar.value)
      expect(!isHidden && (scalar.value >= 0x20 || scalar == "\n"), "U+\(String(scalar.value, radix: 16))")
    }
  }
}

/// What stands in the application's database before a report in these tests.
extension TestProject {
  /// The application, applied and seeded, with runs of jobs by a scheduler.
  ///
  /// - Parameter isProven: also a backup that was restored on trial.
  func makeReportable(_ database: TestDatabase, isProven: Bool = false) async throws {
    try copyApplication()
    let backups = isProven ? ["backup", "backup verify latest --restore"] : []
    for command in ["migrate up", "seed"] + backups + ["maintain run analyze"] {
      let result = try await tsdb(command, within: .seconds(240))
      #expect(result.exitStatus == 0, "\(result)")
    }
    // Two days of an hourly job with a hole of six hours, and a daily one that did not run today.
    try await database.execute(
      """
      insert into tsdb.job_runs (job, kind, slot, started_at, ended_at, outcome, triggered_by, tool_version)
      select 'refresh-views', 'refresh-views', s, s, s + interval '2 s', 'ok', 'cron', '0.1.0'
      from generate_series(date_trunc('hour', now()) - interval '48 h', date_trunc('hour', now()), interval '1 h') as s
      where s not between date_trunc('hour', now()) - interval '30 h' and date_trunc('hour', now()) - interval '25 h';
      """)
  }

  func report(_ arguments: String = "", environment: [String: String] = [:]) async throws -> ReportDocument {
    let result = try await tsdb(
      "report --html report.html -q \(arguments)", environment: environment, within: .seconds(240))
    #expect(result.exitStatus == 0 && result.standardOutput.isEmpty, "\(result)")
    return try ReportDocument(file: directory.path("report.html"))
  }
}
