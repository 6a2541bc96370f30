import Operations

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Keeps a database URL given as an argument from being seen in the process list.
enum Arguments {
  /// Overwrites the value of `--database-url` in the memory that `ps` reads.
  ///
  /// The parser has its own copies. Between the start of the process and this call the value can
  /// still be seen, which is why a password in an argument also earns a warning.
  /// - Returns: whether the value held a password.
  static func hideDatabaseURL() -> Bool {
    var holdsPassword = false
    let option = "--database-url"
    for index in 1..<max(1, Int(CommandLine.argc)) {
      guard let argument = CommandLine.unsafeArgv[index] else { continue }
      let text = String(cString: argument)
      if text.hasPrefix(option + "=") {
        let value = String(text.dropFirst(option.count + 1))
        holdsPassword = holdsPassword || ConnectionText.holdsPassword(value)
        overwrite(argument + option.utf8.count + 1)
      } else if text.contains("://") {
        // In the wrong place, or the value of the option before it.
        holdsPassword = holdsPassword || ConnectionText.holdsPassword(text)
        overwrite(argument)
      } else if text == option, index + 1 < Int(CommandLine.argc),
        let value = CommandLine.unsafeArgv[index + 1]
      {
        holdsPassword = holdsPassword || ConnectionText.holdsPassword(String(cString: value))
        overwrite(value)
      }
    }
    return holdsPassword
  }

  /// Overwrites the value of `--email` in the memory that `ps` reads.
  static func hideEmail() {
    let option = "--email"
    for index in 1..<max(1, Int(CommandLine.argc)) {
      guard let argument = CommandLine.unsafeArgv[index] else { continue }
      let text = String(cString: argument)
      if text.hasPrefix(option + "=") {
        overwrite(argument + option.utf8.count + 1)
      } else if text == option, index + 1 < Int(CommandLine.argc),
        let value = CommandLine.unsafeArgv[index + 1]
      {
        overwrite(value)
      }
    }
  }

  /// `text` without what looks like a connection string or an address among `arguments`, for messages about arguments that
  /// stand in the wrong place: it may hold a password, or be somebody's.
  static func hidingConnections(in text: String, given arguments: [String]) -> String {
    arguments
      .filter { $0.contains("://") || $0.contains("password=") || $0.contains("@") }
      .sorted { $0.count > $1.count }
      .reduce(text) { $0.replacing($1, with: "…") }
  }

  private static func overwrite(_ bytes: UnsafeMutablePointer<CChar>) {
    for offset in 0..<strlen(bytes) { bytes[offset] = CChar(UInt8(ascii: "x")) }
  }
}
