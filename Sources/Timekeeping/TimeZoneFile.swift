#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Why the rules of a time zone cannot be read.
public struct TimeZoneError: Error, Sendable, Equatable {
  public let message: String
  /// What to do next.
  public let hint: String

  public init(_ message: String, hint: String) {
    self.message = message
    self.hint = hint
  }
}

extension TimeZoneRules {
  /// Where the system keeps its time zones: `TZDIR`, else `/usr/share/zoneinfo`.
  public static var systemDirectory: String {
    guard let value = getenv("TZDIR"), value.pointee != 0 else { return "/usr/share/zoneinfo" }
    return String(cString: value)
  }

  /// Whether the system has time zones at all; small containers often have none.
  public static var areInstalled: Bool { access(systemDirectory, R_OK | X_OK) == 0 }

  /// The rules of a zone by its name in the IANA database, such as `Europe/Madrid`; `UTC` needs no file.
  ///
  /// - Parameter directory: nil for the system's.
  public init(named name: String, directory: String? = nil) throws(TimeZoneError) {
    if name == "UTC" {
      self = .utc
      return
    }
    let parts = name.split(separator: "/", omittingEmptySubsequences: false)
    guard name.utf8.count <= 255, !name.utf8.contains(0),
      parts.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." })
    else {
      throw TimeZoneError("\"\(name)\" is not the name of a time zone", hint: Self.example)
    }
    let directory = directory ?? Self.systemDirectory
    guard let bytes = Self.read("\(directory)/\(name)") else {
      guard access(directory, X_OK) == 0 else {
        throw TimeZoneError(
          "the time zone \"\(name)\" cannot be read: there is no directory \"\(directory)\"",
          hint: "install the package tzdata, or use UTC")
      }
      throw TimeZoneError("there is no time zone \"\(name)\" in \"\(directory)\"", hint: Self.example)
    }
    guard let rules = TimeZoneRules(name: name, bytes: bytes) else {
      throw TimeZoneError(
        "the file of the time zone \"\(name)\" in \"\(directory)\" cannot be used", hint: Self.example)
    }
    self = rules
  }

  private static let example = "write a name of the IANA database, such as Europe/Madrid, or UTC"

  /// nil for what is no regular file, cannot be read, or is larger than any zone.
  private static func read(_ path: String) -> [UInt8]? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size <= 1 << 20
    else { return nil }
    var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
    var filled = 0
    while filled < bytes.count {
      let count = bytes.withUnsafeMutableBytes { buffer in
        #if canImport(Glibc)
          Glibc.read(descriptor, buffer.baseAddress?.advanced(by: filled), buffer.count - filled)
        #elseif canImport(Musl)
          Musl.read(descriptor, buffer.baseAddress?.advanced(by: filled), buffer.count - filled)
        #else
          Darwin.read(descriptor, buffer.baseAddress?.advanced(by: filled), buffer.count - filled)
        #endif
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return nil }
      filled += count
    }
    return bytes
  }
}

extension TimeZoneRules {
  /// The rules in a TZif file; nil for bytes that are none, whatever they are.
  ///
  /// Files that count leap seconds (`right/…`) are refused: neither POSIX's clock nor PostgreSQL counts them.
  public init?(name: String, bytes: [UInt8]) {
    guard let header = Header(bytes, at: 0) else { return nil }
    guard header.version >= 2 else {
      guard let data = Block(bytes, header, timeSize: 4) else { return nil }
      self.init(name: name, data, footer: nil)
      return
    }
    guard let second = Header(bytes, at: header.end(timeSize: 4)), second.version >= 2,
      let data = Block(bytes, second, timeSize: 8),
      let footer = Self.footer(bytes, at: second.end(timeSize: 8))
    else { return nil }
    if footer.isEmpty {
      self.init(name: name, data, footer: nil)
    } else {
      guard let rule = PosixTimeZone(footer) else { return nil }
      self.init(name: name, data, footer: rule)
    }
  }

  private init(name: String, _ data: Block, footer: PosixTimeZone?) {
    self.init(
      name: name, times: data.times, offsets: data.offsets, firstOffset: data.firstOffset, footer: footer)
  }

  /// Between two line feeds.
  private static func footer(_ bytes: [UInt8], at start: Int) -> ArraySlice<UInt8>? {
    guard start < bytes.count, bytes[start] == UInt8(ascii: "\n") else { return nil }
    let rest = bytes[(start + 1)...]
    return rest.firstIndex(of: UInt8(ascii: "\n")).map { rest[..<$0] }
  }

  /// Source: RFC 8536, section 3.1.
  private struct Header {
    let start: Int
    let version: Int
    let leapCount: Int
    let timeCount: Int
    let typeCount: Int
    /// Of the abbreviations and of the indicators, one byte each.
    private let otherBytes: Int

    init?(_ bytes: [UInt8], at start: Int) {
      guard start >= 0, bytes.count - start >= 44,
        bytes[start..<(start + 4)].elementsEqual("TZif".utf8)
      else { return nil }
      self.start = start
      let letter = bytes[start + 4]
      version = letter == 0 ? 1 : Int(letter) - Int(UInt8(ascii: "0"))
      guard (1...9).contains(version) else { return nil }
      func count(_ index: Int) -> Int {
        Int(UInt32(truncatingIfNeeded: TimeZoneRules.integer(bytes, at: start + 20 + 4 * index, size: 4)))
      }
      leapCount = count(2)
      timeCount = count(3)
      typeCount = count(4)
      otherBytes = count(0) + count(1) + count(5)
      // A type is a byte's index.
      guard (1...256).contains(typeCount) else { return nil }
    }

    /// Behind the data that the header describes. Counts are of 32 bits, so nothing overflows.
    func end(timeSize: Int) -> Int {
      start + 44 + timeCount * (timeSize + 1) + typeCount * 6 + leapCount * (timeSize + 4) + otherBytes
    }
  }

  /// Source: RFC 8536, section 3.2.
  private struct Block {
    var times: [Int64] = []
    var offsets: [Int] = []
    let firstOffset: Int

    init?(_ bytes: [UInt8], _ header: Header, timeSize: Int) {
      guard header.end(timeSize: timeSize) <= bytes.count, header.leapCount == 0 else { return nil }
      let times = header.start + 44
      let indexes = times + header.timeCount * timeSize
      let types = indexes + header.timeCount
      let known = (0..<header.typeCount).map {
        Int(TimeZoneRules.integer(bytes, at: types + 6 * $0, size: 4))
      }
      guard known.allSatisfy({ abs($0) < TimeZoneRules.largestOffset }) else { return nil }
      firstOffset = known[0]
      for index in 0..<header.timeCount {
        let time = TimeZoneRules.integer(bytes, at: times + index * timeSize, size: timeSize)
        let type = Int(bytes[indexes + index])
        guard type < known.count, self.times.last.map({ $0 < time }) ?? true else { return nil }
        self.times.append(time)
        offsets.append(known[type])
      }
    }
  }

  /// Big-endian, two's complement.
  private static func integer(_ bytes: [UInt8], at start: Int, size: Int) -> Int64 {
    let bits = bytes[start..<(start + size)].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    return size == 4 ? Int64(Int32(truncatingIfNeeded: bits)) : Int64(bitPattern: bits)
  }
}
