import Foundation
import Maintenance
import SystemPackage
import TestSupport
import Testing
import Timekeeping

@Suite struct SignalsLogTests {
  @Test func `each line is one document with the keys that are promised`() throws {
    let directory = try TemporaryDirectory()
    let log = try JobLog(FilePath(directory.path("tsdb.log")))
    let time = UTCTime(secondsSince1970: 0)
    log.write(
      JobLog.Line(
        .finished(
          JobObject(
            "public.t", "failed", detail: "a\nb \u{1B}[31m", rows: 3, milliseconds: 9, sqlState: "55P03")),
        task: "vacuum", runID: "17", at: time))
    log.write(JobLog.Line(end: JobResult(.ok), task: "vacuum", runID: "17", at: time))
    let lines = try directory.read("tsdb.log").split(separator: "\n")
    try #require(lines.count == 2)
    let first = try #require(try JSONSerialization.jsonObject(with: Data(lines[0].utf8)) as? [String: Any])
    #expect(
      Set(first.keys) == [
        "ts", "level", "run_id", "task", "object", "phase", "rows", "ms", "sqlstate", "msg",
      ])
    #expect(first["ts"] as? String == "1970-01-01T00:00:00Z")
    #expect(first["level"] as? String == "error")
    #expect(first["msg"] as? String == "a\nb \u{1B}[31m")
    #expect(!lines[0].unicodeScalars.contains { $0.value < 0x20 })
  }

  @Test func `processes that write at once do not tear each other's lines`() async throws {
    let directory = try TemporaryDirectory()
    let path = FilePath(directory.path("tsdb.log"))
    await withTaskGroup(of: Void.self) { group in
      for writer in 0..<8 {
        group.addTask {
          guard let log = try? JobLog(path) else { return }
          for number in 0..<200 {
            log.write(
              JobLog.Line(.info, phase: "note", String(repeating: "x", count: number), runID: "\(writer)"))
          }
        }
      }
    }
    let lines = try directory.read("tsdb.log").split(separator: "\n")
    #expect(lines.count == 1600)
    for line in lines { _ = try JSONSerialization.jsonObject(with: Data(line.utf8)) }
  }

  @Test func `a rotated log goes on under its name in the next run`() throws {
    let directory = try TemporaryDirectory()
    let path = directory.path("tsdb.log")
    try JobLog(FilePath(path)).write(JobLog.Line(.info, phase: "note", "first"))
    try FileManager.default.moveItem(atPath: path, toPath: path + ".1")
    try JobLog(FilePath(path)).write(JobLog.Line(.info, phase: "note", "second"))
    #expect(try directory.read("tsdb.log").contains("second"))
    #expect(try !directory.read("tsdb.log").contains("first"))
  }

  @Test func `a log that cannot be opened is an error, one that cannot be written a failure that is kept`()
    throws
  {
    #expect(throws: MaintenanceError.self) { try JobLog("/proc/none/tsdb.log") }
    let log = try JobLog("/dev/full")
    log.write(JobLog.Line(.info, phase: "note", "x"))
    #expect(log.failure?.message.contains("/dev/full") == true)
  }

  @Test func `a named pipe without a reader does not stop a run`() throws {
    let directory = try TemporaryDirectory()
    #expect(mkfifo(directory.path("pipe"), 0o600) == 0)
    #expect(throws: MaintenanceError.self) { try JobLog(FilePath(directory.path("pipe"))) }
  }
}
