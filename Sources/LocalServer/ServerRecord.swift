import SystemPackage

/// What a server directory remembers between commands; its presence marks the directory as ours.
struct ServerRecord: Sendable, Equatable {
  /// The directory that holds the cluster; nil when it is the server directory itself, which may
  /// be moved with its project.
  var storageOutside: FilePath?
  /// The account the server runs under when root asks; nil when it is the caller's own.
  var account: String?
  /// The binaries that started the server last.
  var binaries: FilePath?

  private static let title = "tsdb private server 1"

  var text: String {
    var lines = [Self.title]
    if let storageOutside { lines.append("storage=\(storageOutside)") }
    if let account { lines.append("account=\(account)") }
    if let binaries { lines.append("binaries=\(binaries)") }
    return lines.joined(separator: "\n") + "\n"
  }

  init(storageOutside: FilePath? = nil, account: String? = nil, binaries: FilePath? = nil) {
    self.storageOutside = storageOutside
    self.account = account
    self.binaries = binaries
  }

  /// Nil for anything that this program did not write.
  init?(text: String) {
    let lines = text.split(separator: "\n")
    guard lines.first == Substring(Self.title) else { return nil }
    var values: [Substring: String] = [:]
    for line in lines.dropFirst() {
      guard let equals = line.firstIndex(of: "=") else { return nil }
      values[line[..<equals]] = String(line[line.index(after: equals)...])
    }
    storageOutside = values["storage"].map { FilePath($0) }
    if storageOutside?.isAbsolute == false { return nil }
    account = values["account"]
    binaries = values["binaries"].map { FilePath($0) }
  }
}
