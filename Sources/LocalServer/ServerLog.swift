import SystemPackage

/// The server's own words, for error messages.
enum ServerLog {
  /// The last lines that are not blank, without surrounding blanks.
  static func lastLines(of text: String, count: Int) -> String {
    let lines = text.split(separator: "\n").map(trimmed).filter { !$0.isEmpty }
    return lines.suffix(count).joined(separator: "\n")
  }

  /// What the server said last while starting: the startup log, or once its log collector has
  /// taken over, the newest log file.
  static func reasonForFailedStart(_ layout: ServerLayout) -> (lines: String, file: FilePath) {
    let startup = PrivateFiles.text(of: layout.startupLog, limit: 8192) ?? ""
    guard startup.contains("logging collector"), let newest = newestFile(layout.log) else {
      return (lastLines(of: startup, count: 4), layout.startupLog)
    }
    return (lastLines(of: PrivateFiles.text(of: newest, limit: 8192) ?? "", count: 4), newest)
  }

  /// Whether PostgreSQL complains of a full disk: the operating system's words, or its own hint after
  /// a short write.
  static func saysDiskFull(_ text: String) -> Bool {
    text.contains("No space left on device") || text.contains("Check free disk space")
  }

  private static func newestFile(_ directory: FilePath) -> FilePath? {
    let files = ((try? PrivateFiles.names(in: directory)) ?? []).map { directory.appending($0) }
    return files.max { modified($0) < modified($1) }
  }

  private static func modified(_ file: FilePath) -> Int64 {
    PrivateFiles.attributes(file)?.modificationTime ?? 0
  }

  private static func trimmed(_ line: Substring) -> Substring {
    let start = line.drop { $0 == " " || $0 == "\t" }
    let length = start.reversed().drop { $0 == " " || $0 == "\t" || $0 == "\r" }.count
    return start.prefix(length)
  }
}
