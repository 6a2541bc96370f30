import ArgumentParser
import Maintenance
import Operations

struct EraseCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "erase", abstract: "Erase a customer's e-mail address from the application's tables.",
    discussion: """
      In one transaction: the customer's sessions, attempts, feedback and errors stay as figures, without address, \
      name, description and comments; notifications, predictions, cached values and limits are deleted; elsewhere, \
      also in the audit log, the address is replaced by a name that means nobody. Afterwards every column of the \
      database that can hold text is searched; what is left outside the application's tables, and what could not be \
      searched, is told, and the exit status is 2. Without --yes it shows the counts and asks first.

      The record in tsdb.erasures holds a keyed digest of the address and counts, never the address. The key, of at \
      least 32 bytes, comes from TSDB_ERASURE_KEY or from --key-file and is stored nowhere.

      An argument can be seen by others on this machine until it is overwritten: --email-file keeps it out of sight.

      EXAMPLES
        tsdb erase --email-file - --dry-run
        tsdb erase --email-file address.txt --key-file erasure.key
        tsdb erase --email NAME@HOST --yes

      EXIT STATUS
        0    erased, or there was nothing to erase; --dry-run: counted
        1    failed, nothing was changed (a lost connection: see a dry run)
        2    as 0, and the address is left or something was not searched
        64   bad usage, address, key or configuration
        75   try again later: a lock, or the server is unreachable
        130  interrupted, or not confirmed; nothing was changed
      """)

  @OptionGroup var global: GlobalOptions
  @OptionGroup var patience: PatienceOptions

  @Option(help: ArgumentHelp("The address.", valueName: "address"))
  var email: String?

  @Option(
    name: .customLong("email-file"),
    help: ArgumentHelp("Read the address from a file; - is standard input.", valueName: "file"))
  var emailFile: String?

  @Option(
    name: .customLong("key-file"),
    help: ArgumentHelp(
      "Read the key of the record from a file, in place of TSDB_ERASURE_KEY.", valueName: "file"))
  var keyFile: String?

  @Flag(name: [.customLong("dry-run"), .customShort("n")], help: "Count, and change nothing.")
  var isDryRun = false

  @Flag(name: .shortAndLong, help: "Do not ask.")
  var yes = false

  func validate() throws {
    guard (email == nil) != (emailFile == nil) else {
      throw ValidationError("the address is given with --email or with --email-file")
    }
  }

  func run() async throws {
    let invocation = Invocation(global)
    let address = try ErasedAddress(try email ?? ErasureInput.text(of: emailFile ?? "-"))
    let key = isDryRun ? nil : try Erase.required(try readKey())
    let access = try await invocation.access(patience.apply)
    let preview = try await Erase(address, key: nil, isDryRun: true).run(access)
    guard !isDryRun else {
      finish(preview, invocation)
      return try Self.requireNothingLeft(preview)
    }
    if preview.rows > 0 { try confirm(preview, invocation) }
    let result = try await Erase(address, key: key).run(access)
    finish(result, invocation)
    try Self.requireNothingLeft(result)
  }

  private func finish(_ result: Erase.Result, _ invocation: Invocation) {
    invocation.print(result) { $0.text(style: $1) }
  }

  private static func requireNothingLeft(_ result: Erase.Result) throws {
    if !result.left.isEmpty || !result.unsearched.isEmpty { throw Findings(status: .findings) }
  }

  private func readKey() throws -> ErasureKey? {
    if let keyFile { return try ErasureKey(Array(ErasureInput.text(of: keyFile).utf8)) }
    guard let key = Invocation.environment["TSDB_ERASURE_KEY"], !key.isEmpty else { return nil }
    return try ErasureKey(Array(key.utf8))
  }

  private func confirm(_ preview: Erase.Result, _ invocation: Invocation) throws {
    if yes { return }
    let count = counted(preview.rows, "row")
    guard Terminal.isInputTerminal else {
      throw MaintenanceError(
        .invalidInput, "erasing \(count) needs to be confirmed", detail: "Nothing was changed.",
        hint: "pass --yes to go ahead without a question, or --dry-run to look first")
    }
    Terminal.writeError(preview.text(style: invocation.errorStyle))
    guard Terminal.confirm("This deletes or changes \(count) for good.") else {
      throw MaintenanceError(.interrupted, "not confirmed", detail: "Nothing was changed.")
    }
  }
}

extension Erase.Result {
  func text(style: Style) -> String {
    var lines: [String] = []
    if tables.isEmpty {
      lines.append("the address is in none of the application's tables")
    } else {
      let verb = isDryRun ? "would be " : ""
      lines += tables.map { table in
        "\(verb)\(table.action == "delete" ? "deleted" : "anonymised")  \(table.table): \(counted(table.rows, "row"))"
      }
      if let record { lines.append("recorded as \(record) in \(recordTable), key \(keyId ?? "")") }
    }
    for place in left {
      lines.append(
        style.careful("left: ") + "\(place.relation).\(place.column): \(counted(place.rows, "row")); "
          + (place.isBytes ? "bytes are not changed" : "it is no customer's table of the application"))
    }
    for place in unsearched {
      lines.append(style.careful("not searched: ") + "\(place.relation): \(place.reason)")
    }
    if isLogged {
      lines.append(
        style.careful("note: ")
          + "this server logs statements with what they are given, so its log now holds the address")
    }
    lines.append(style.faint("note: ") + backups)
    if !isDryRun, !tables.isEmpty {
      lines.append(
        style.faint("note: ")
          + "the rows' old versions go with the next vacuum; server logs and WAL are outside")
    }
    return Terminal.printable(lines.joined(separator: "\n"))
  }
}
