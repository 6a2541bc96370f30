import Foundation
import Postgres
import TestSupport
import Testing

/// Memory does not follow the size of a row.
@Suite struct BackupMemoryTests {
  /// Megabytes of the value; its COPY text is as long.
  private static let size = ProcessInfo.processInfo.environment["TSDB_FAULTS"] == "full" ? 500 : 160

  @Test func `a value of hundreds of megabytes is backed up, verified and restored in bounded memory`()
    async throws
  {
    try await withBackupProject { project, database in
      try await database.execute(
        """
        create table wide (id integer primary key, t text);
        alter table wide alter column t set storage external;
        insert into wide select 1, repeat('0123456789abcdef', \(Self.size) * 65536);
        insert into wide select i, 'small' from generate_series(2, 100) i
        """)
      for arguments in [
        ["backup", "--jobs", "4"], ["backup", "verify", "latest"],
        ["restore", "latest", "--into", "\(database.name)_wide", "--jobs", "4"],
      ] {
        let peak = try await peakMemory(arguments, project)
        // Everything that runs, with four connections; the value alone would exceed it.
        #expect(peak < 150, "\(arguments) took \(peak) MB")
      }
      let copy = database.cluster.connect(database: "\(database.name)_wide")
      let length = try await copy.run { try $0.query("select max(length(t)), count(*) from wide").rows() }
      #expect(length == [["\(Self.size * 1_048_576)", "100"]])
      await copy.close()
      try await database.execute("drop database \(database.name)_wide")
    }
  }

  /// Megabytes of the largest resident set that the run had.
  private func peakMemory(_ arguments: [String], _ project: TestProject) async throws -> Int {
    let run = try ToolRun.start(
      arguments, environment: project.environment(), directory: project.directory.path)
    var peak = 0
    while run.isRunning {
      if let status = try? String(contentsOfFile: "/proc/\(run.pid)/status", encoding: .utf8),
        let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM:") }),
        let kilobytes = Int(line.split(whereSeparator: \.isWhitespace)[1])
      {
        peak = max(peak, kilobytes / 1024)
      }
      try await Task.sleep(for: .milliseconds(5))
    }
    let result = try await run.finish(within: .seconds(300))
    #expect(result.exitStatus == 0, "\(result)")
    #expect(peak > 0)
    return peak
  }
}
