import Foundation
import Maintenance
import Operations
import TestSupport
import Testing

@testable import tsdb

private let chromium = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].first {
  FileManager.default.isExecutableFile(atPath: $0)
}

/// The page as a browser shows it.
@Suite struct `A report in a browser` {
  private static let script = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("scripts/report-screenshots").path

  @Test(.enabled(if: chromium != nil, "chromium is not installed (apt-get install chromium)"))
  func `is shown whole, in light and dark and on paper, and asks the network for nothing`() async throws {
    try await withProject { project, database in
      try await project.makeReportable(database, isProven: true)
      _ = try await project.report("--lang es")
      let environment = ["PATH": "/usr/bin:/bin", "HOME": project.directory.path("home")]
      let shots = try await ToolRun(
        executable: Self.script, [project.directory.path("shots"), "report.html"], environment: environment,
        directory: project.directory.path
      ).finish(within: .seconds(300))
      #expect(shots.exitStatus == 0, "\(shots)")
      func picture(_ name: String) throws -> Data {
        try Data(contentsOf: URL(fileURLWithPath: project.directory.path("shots/report-\(name).png")))
      }
      let (light, dark) = (try picture("light"), try picture("dark"))
      #expect(light.count > 100_000 && dark.count > 100_000 && light != dark)
      let dump = try await ToolRun(
        executable: try #require(chromium),
        [
          "--headless=new", "--no-sandbox", "--disable-gpu",
          "--user-data-dir=\(project.directory.path("profile"))",
          "--dump-dom", "file://\(project.directory.path("report.html"))",
        ], environment: environment
      ).finish(within: .seconds(300))
      #expect(dump.exitStatus == 0, "\(dump)")
      // The parser of HTML moved nothing: all sections are where they were.
      let sections = dump.standardOutput.split(separator: "<section ").count - 1
      #expect(sections == 13, "\(sections)")
      #expect(dump.standardOutput.contains("<td class=\"barcell\"><svg class=\"bar\""))
    }
  }

  /// WCAG 2.1, success criterion 1.4.3: text of 4.5 to 1.
  @Test func `has enough contrast in both of its palettes`() throws {
    let sheet = ReportStyle.sheet.html
    let blocks = sheet.split(separator: ":root {", omittingEmptySubsequences: false).dropFirst().map {
      $0.prefix { $0 != "}" }
    }
    #expect(blocks.count == 3)
    for block in blocks {
      var colours: [String: String] = [:]
      for match in block.matches(of: /--([a-z-]+): (#[0-9a-f]{6})/) {
        colours[String(match.1)] = String(match.2)
      }
      let pairs = [
        ("ink", "paper"), ("ink", "soft"), ("quiet", "paper"), ("quiet", "soft"), ("link", "paper"),
        ("ok", "paper"),
        ("ok", "ok-soft"), ("warning", "paper"), ("warning", "warning-soft"), ("critical", "paper"),
        ("critical", "critical-soft"), ("unknown", "paper"), ("unknown", "unknown-soft"),
      ]
      for (text, ground) in pairs {
        let ratio = try contrast(#require(colours[text]), #require(colours[ground]))
        #expect(ratio >= 4.5, "\(text) on \(ground): \(ratio)")
      }
      for shape in ["bar", "ok", "critical"] {
        let ratio = try contrast(#require(colours[shape]), #require(colours["paper"]))
        #expect(ratio >= 3, "\(shape): \(ratio)")
      }
    }
  }

  private func contrast(_ one: String, _ other: String) -> Double {
    func luminance(_ colour: String) -> Double {
      let value = Int(colour.dropFirst(), radix: 16) ?? 0
      let parts = [16, 8, 0].map { shift -> Double in
        let part = Double(value >> shift & 0xFF) / 255
        return part <= 0.03928 ? part / 12.92 : pow((part + 0.055) / 1.055, 2.4)
      }
      return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
    }
    let (a, b) = (luminance(one), luminance(other))
    return (max(a, b) + 0.05) / (min(a, b) + 0.05)
  }
}

@Suite struct `The words of a report` {
  @Test func `are there in both languages, with the same values put in`() {
    let alike: Set<ReportWord> = [.multixacts]
    for word in ReportWord.allCases {
      let (english, spanish) = (
        word.text(.en, ["«0»", "«1»", "«2»", "«3»"]), word.text(.es, ["«0»", "«1»", "«2»", "«3»"])
      )
      #expect(!english.isEmpty && !spanish.isEmpty)
      #expect(english != spanish || alike.contains(word), "\(word)")
      for index in 0...3 {
        #expect(english.contains("«\(index)»") == spanish.contains("«\(index)»"), "\(word)")
      }
    }
  }

  @Test func `know every check`() {
    for check in CheckOperation.descriptions {
      #expect(ReportReason.names.contains(check.name), "\(check.name)")
      #expect(ReportReason(check.name, .en).action != ReportReason(check.name, .es).action)
    }
  }

  @Test(
    arguments: [
      ([:], "en"), (["LANG": "es_ES.UTF-8"], "es"), (["LANG": "es_ES", "LC_ALL": "C"], "en"),
      (["LC_ALL": "", "LC_MESSAGES": "es", "LANG": "en"], "es"), (["LANG": "de_DE"], "en"),
    ] as [([String: String], String)])
  func `are those of the environment`(_ environment: [String: String], _ language: String) {
    #expect(ReportLanguage(environment: environment).rawValue == language)
  }

  @Test func `put numbers and their nouns together`() {
    #expect(ReportWord.jobsMissing.text(.en, ["1", "1", "14"]) == "1 job; 1 run missing in 14 days")
    #expect(
      ReportWord.jobsMissing.text(.es, ["2", "3", "14"]) == "2 tareas; faltan 3 ejecuciones en 14 días")
  }
}
