import Foundation
import Maintenance
import SystemPackage
import TestSupport
import Testing
import Timekeeping

@Suite struct SignalsMetricsTests {
  @Test func `the file is what Prometheus reads`() throws {
    let samples = try PrometheusText.parse(metrics().text)
    #expect(samples["tsdb_task_last_success_timestamp_seconds"]?["vacuum"] == 1_000_090)
    #expect(samples["tsdb_task_last_run_timestamp_seconds"]?["vacuum"] == 1_000_200)
    #expect(samples["tsdb_task_duration_seconds"]?["vacuum"] == 12)
    #expect(samples["tsdb_task_typical_duration_seconds"]?["vacuum"] == 1.005)
    #expect(samples["tsdb_task_rows"]?["vacuum"] == 7)
    #expect(samples["tsdb_task_backlog"]?["vacuum"] == 3)
    #expect(samples["tsdb_task_status"]?["vacuum"] == 2)
    #expect(samples["tsdb_task_skips_in_a_row"]?["vacuum"] == 4)
    #expect(samples["tsdb_maintain_last_look_timestamp_seconds"]?[""] == 2_000_000)
  }

  @Test func `a job that never ran has a line that an alert sees`() throws {
    let samples = try PrometheusText.parse(metrics().text)
    #expect(samples["tsdb_task_last_success_timestamp_seconds"]?["never"] == 0)
    #expect(samples["tsdb_task_status"]?["never"] == -1)
    #expect(samples["tsdb_task_enabled"]?["never"] == 0)
    // What is not known is not 0.
    #expect(samples["tsdb_task_duration_seconds"]?["never"] == nil)
    #expect(samples["tsdb_task_backlog"]?["never"] == nil)
  }

  @Test func `a failed run keeps the time of the last success`() throws {
    let samples = try PrometheusText.parse(metrics().text)
    #expect(samples["tsdb_task_status"]?["vacuum"] == 2)
    #expect(samples["tsdb_task_last_success_timestamp_seconds"]?["vacuum"] != 0)
  }

  @Test func `a database's name cannot break the file`() throws {
    let text = MetricsText(
      database: "a\"b\\c\nd é", tasks: [.init(name: "x", history: nil)], looked: UTCTime(secondsSince1970: 1)
    ).text
    _ = try PrometheusText.parse(text)
    #expect(text.contains(#"database="a\"b\\c\nd é""#))
  }

  @Test func `the strict reader sees what node_exporter would reject`() {
    for text in [
      "a{b=\"c\"} 1 1700000000\n", "a{b=\"c\"} 1", "# TYPE a gauge\na{b=\"c} 1\n", "# TYPE a gauge\na{} x\n",
      "# TYPE a gauge\na{t=\"1\"} 1\n# TYPE b gauge\nb{t=\"1\"} 1\na{t=\"2\"} 1\n", "a{t=\"1\"} 1\n",
      "# TYPE a gauge\na{t=\"1\"} 1\na{t=\"1\"} 2\n",
    ] {
      #expect(throws: (any Error).self, "\(text)") { try PrometheusText.parse(text) }
    }
  }

  @Test func `the file is replaced as a whole and can be read by everybody`() throws {
    let directory = try TemporaryDirectory()
    let file = ReplacedFile(FilePath(directory.path("tsdb.prom")))
    let old = umask(0o077)
    defer { umask(old) }
    try file.write("old\n")
    let reader = try FileHandle(forReadingFrom: URL(fileURLWithPath: directory.path("tsdb.prom")))
    try file.write("new\n")
    #expect(try directory.read("tsdb.prom") == "new\n")
    // Whoever had it open still sees all of what it was.
    #expect(try reader.readToEnd() == Data("old\n".utf8))
    let attributes = try FileManager.default.attributesOfItem(atPath: directory.path("tsdb.prom"))
    #expect(attributes[.posixPermissions] as? Int == 0o644)
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["tsdb.prom"])
  }

  @Test func `what a killed process left is removed, but not what another is writing`() throws {
    let directory = try TemporaryDirectory()
    try directory.write(".tsdb.prom.tsdb-1-1", "")
    try directory.write(".tsdb.prom.tsdb-2-2", "")
    try FileManager.default.setAttributes(
      [.modificationDate: Date(timeIntervalSinceNow: -7200)],
      ofItemAtPath: directory.path(".tsdb.prom.tsdb-1-1"))
    try ReplacedFile(FilePath(directory.path("tsdb.prom"))).write("x\n")
    let names = try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted()
    #expect(names == [".tsdb.prom.tsdb-2-2", "tsdb.prom"])
  }

  @Test func `a directory that is missing or not to be written is an error that names it`() throws {
    let directory = try TemporaryDirectory()
    let missing = directory.path("none/tsdb.prom")
    let error = #expect(throws: MaintenanceError.self) { try ReplacedFile(FilePath(missing)).write("x") }
    #expect(error?.message.contains(missing) == true)
    #expect(error?.hint?.contains("make the directory") == true)
    // Also for root: nothing can be written there.
    #expect(throws: MaintenanceError.self) { try ReplacedFile("/proc/tsdb.prom").write("x") }
    #expect(throws: MaintenanceError.self) { try ReplacedFile(FilePath(directory.path)).write("x") }
  }

  private func metrics() -> MetricsText {
    func time(_ seconds: Int64) -> UTCTime { UTCTime(secondsSince1970: seconds) }
    let history = JobHistory(
      lastSuccess: .init(id: 1, slot: nil, started: time(1_000_000), ended: time(1_000_090), outcome: .ok),
      lastRun: .init(
        id: 2, slot: nil, started: time(1_000_200), ended: time(1_000_212), outcome: .failed, rows: 7,
        backlog: 3),
      skipsInARow: 4, medianMilliseconds: 1005)
    return MetricsText(
      database: "app",
      tasks: [.init(name: "vacuum", history: history), .init(name: "never", history: nil, isEnabled: false)],
      looked: time(2_000_000))
  }
}

/// A strict reader of the text format, as node_exporter's textfile collector is: no timestamps, a TYPE before the
/// samples of a family, which stand together, no sample twice, a line end at the end.
enum PrometheusText {
  struct Fault: Error { let line: String }

  /// By metric, then by the label `task`.
  static func parse(_ text: String) throws -> [String: [String: Double]] {
    guard text.hasSuffix("\n") else { throw Fault(line: "the end") }
    var samples: [String: [String: Double]] = [:]
    var types: Set<String> = []
    var family = ""
    var seen: Set<String> = []
    for line in text.dropLast().split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
      if let match = line.wholeMatch(of: /# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)/) {
        let name = String(match.2)
        if name != family {
          guard !types.contains(name) else { throw Fault(line: line) }
          family = name
        }
        if match.1 == "TYPE" {
          guard ["gauge", "counter"].contains(match.3), types.insert(name).inserted else {
            throw Fault(line: line)
          }
        }
        continue
      }
      let label = /[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"/
      guard
        let match = line.wholeMatch(
          of: /([a-zA-Z_:][a-zA-Z0-9_:]*)\{((?:[^"]|"(?:[^"\\]|\\.)*")*)\} (-?[0-9]+(?:\.[0-9]+)?)/),
        String(match.1) == family, types.contains(family), let value = Double(match.3),
        seen.insert("\(match.1){\(match.2)}").inserted
      else { throw Fault(line: line) }
      var rest = match.2
      var task = ""
      while let found = rest.prefixMatch(of: label) {
        let pair = found.output
        if pair.hasPrefix("task=\"") { task = String(pair.dropFirst(6).dropLast()) }
        rest = rest[found.range.upperBound...]
        if rest.isEmpty { break }
        guard rest.first == "," else { throw Fault(line: line) }
        rest = rest.dropFirst()
      }
      guard rest.isEmpty, !match.2.isEmpty else { throw Fault(line: line) }
      samples[family, default: [:]][task] = value
    }
    return samples
  }
}
