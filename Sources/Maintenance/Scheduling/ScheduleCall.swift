/// The one entry that is installed: who calls `tsdb maintain`, how often and with which environment.
///
/// The schedules of the jobs stay in `tsdb.yaml`; the caller only has to come often enough.
public struct ScheduleCall: Sendable, Equatable {
  /// Lower-case letters, digits and hyphens; part of file names.
  public let name: String
  /// Absolute paths.
  public let executable: String
  public let project: String
  public let times: CallTimes
  /// A file of `NAME=value` lines that is read before; absolute.
  public let environmentFile: String?

  /// - Throws: ``MaintenanceError`` of kind `invalidInput` for a name or a path that an entry cannot hold.
  public init(
    name: String, executable: String, project: String, times: CallTimes, environmentFile: String? = nil
  ) throws(MaintenanceError) {
    guard Self.isName(name) else {
      throw MaintenanceError(
        .invalidInput, "\"\(name)\" cannot be the name of an entry",
        hint: "a name has lower-case letters, digits and hyphens, begins with a letter and is at most 40 long"
      )
    }
    for path in [executable, project] + [environmentFile].compactMap({ $0 }) {
      guard path.hasPrefix("/"), !path.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F })
      else {
        throw MaintenanceError(
          .invalidInput, "the path \"\(path)\" cannot stand in a schedule",
          hint: "it must be absolute and without line ends and control characters")
      }
    }
    self.name = name
    self.executable = executable
    self.project = project
    self.times = times
    self.environmentFile = environmentFile
  }

  public static func isName(_ text: String) -> Bool {
    guard let first = text.utf8.first, (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(first) else {
      return false
    }
    return text.utf8.count <= 40
      && text.utf8.allSatisfy {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
          || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: "-")
      }
  }

  /// A name made of any text, such as a directory's.
  public static func name(from text: String) -> String {
    var result = ""
    for character in text.lowercased() {
      if character.isASCII, character.isLetter || character.isNumber {
        result.append(character)
      } else if !result.isEmpty, result.last != "-" {
        result.append("-")
      }
    }
    while result.last == "-" { result.removeLast() }
    if result.first?.isLetter != true { result = result.isEmpty ? "tsdb" : "db-" + result }
    result = String(result.prefix(40))
    while result.last == "-" { result.removeLast() }
    return result
  }

  /// What is run, without the environment.
  public var arguments: [String] { [executable, "-C", project, "maintain", "--quiet"] }
}

/// At which minutes `tsdb maintain` is called.
public struct CallTimes: Sendable, Equatable {
  /// In minutes; divides an hour.
  public let every: Int
  /// The first minute of an hour; less than ``every``.
  public let offset: Int

  /// - Throws: ``MaintenanceError`` of kind `invalidInput`.
  public init(every: Int, offset: Int) throws(MaintenanceError) {
    guard (1...60).contains(every), 60 % every == 0 else {
      throw MaintenanceError(
        .invalidInput, "tsdb maintain cannot be called every \(every) minutes",
        hint: "the number divides an hour: 1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30 or 60")
    }
    guard (0..<every).contains(offset) else {
      throw MaintenanceError(
        .invalidInput, "the minute \(offset) is not within the first \(every) of an hour",
        hint: "--at takes a number from 0 to \(every - 1)")
    }
    self.every = every
    self.offset = offset
  }

  /// Such that the databases of a host, and the hosts of a database, do not all begin in the same minute; the same
  /// for a host and a database at any time.
  public static func stableOffset(every: Int, host: String, database: String) -> Int {
    // FNV-1a: Swift's own hashes differ from one process to the next.
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in Array(host.utf8) + [0] + Array(database.utf8) {
      hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3
    }
    // The low bits of FNV depend on few bits of the text.
    return Int((hash ^ (hash >> 32)) % UInt64(max(1, every)))
  }

  /// The first field of a crontab line; the other four are `*`.
  public var cronMinutes: String {
    switch every {
    case 60: "\(offset)"
    case 1: "*"
    default: offset == 0 ? "*/\(every)" : "\(offset)-59/\(every)"
    }
  }

  /// For systemd's `OnCalendar=`.
  public var calendar: String {
    let minute = offset < 10 ? "0\(offset)" : "\(offset)"
    return "*-*-* *:\(every == 60 ? minute : "\(minute)/\(every)"):00 UTC"
  }
}
