import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Standard output and standard error.
enum Terminal {
  static let isErrorTerminal = isatty(STDERR_FILENO) == 1
  static let isOutputTerminal = isatty(STDOUT_FILENO) == 1
  static let isInputTerminal = isatty(STDIN_FILENO) == 1

  private static let firstOutputFailure = Mutex<Int32?>(nil)

  /// Why a result could not be written, as in `errno`: a full disk counts, a reader that has gone away does not.
  static var outputFailure: Int32? { firstOutputFailure.withLock { $0 } }

  /// `text` without control characters but line breaks and tabs: what a server or a file says must not
  /// command the terminal.
  static func printable(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: isControl) else { return text }
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars { result.append(isControl(scalar) ? "\u{FFFD}" : scalar) }
    return String(result)
  }

  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    (scalar.value < 0x20 && scalar != "\n" && scalar != "\t") || (0x7F...0x9F).contains(scalar.value)
  }

  static func writeOutput(_ text: String) {
    let failure = write(text + "\n", to: STDOUT_FILENO)
    guard failure != 0, failure != EPIPE else { return }
    firstOutputFailure.withLock { $0 = $0 ?? failure }
  }

  static func writeError(_ text: String) { _ = write(text + "\n", to: STDERR_FILENO) }
  static func writeErrorRaw(_ text: String) { _ = write(text, to: STDERR_FILENO) }

  /// Returns 0, or what `errno` said.
  private static func write(_ text: String, to descriptor: Int32) -> Int32 {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let written = bytes.withUnsafeBytes { systemWrite(descriptor, $0.baseAddress, $0.count) }
      if written > 0 {
        bytes = bytes.dropFirst(written)
      } else if errno != EINTR && errno != EAGAIN {
        return errno
      }
    }
    return 0
  }

  /// The width of the terminal on standard error; 80 where it is not known.
  static var width: Int {
    var size = winsize()
    guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }

  /// Asks on the terminal; only "yes" counts.
  static func confirm(_ question: String) -> Bool {
    writeErrorRaw("\(question) Type \"yes\" to go on: ")
    return readLine(strippingNewline: true)?.lowercased() == "yes"
  }
}

private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
  write(descriptor, bytes, count)
}

/// Colour, where the reader can see it.
struct Style: Sendable {
  let isColoured: Bool

  /// - Parameter isTerminal: whether the stream in question is a terminal.
  ///
  /// `NO_COLOR` counts when it is set to anything but the empty string (no-color.org).
  init(isTerminal: Bool, environment: [String: String]) {
    isColoured = isTerminal && (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb"
  }

  func bad(_ text: String) -> String { wrap(text, "1;31") }
  func good(_ text: String) -> String { wrap(text, "32") }
  func careful(_ text: String) -> String { wrap(text, "33") }
  func faint(_ text: String) -> String { wrap(text, "2") }
  func bold(_ text: String) -> String { wrap(text, "1") }

  private func wrap(_ text: String, _ code: String) -> String {
    isColoured ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
  }
}
