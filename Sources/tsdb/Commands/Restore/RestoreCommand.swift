import ArgumentParser
import Backups
import Operations

struct RestoreCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "restore", abstract: "Restore a backup, swap it in, go back, and drop what was kept.",
    discussion: """
      Restores "latest", a backup by its id, the beginning of it or its label, or an archive of pg_dump by its \
      path, always into a new database beside the live one, and compares every row with the archive. With \
      --swap the new database then takes the live name.

      Two names are swapped in one transaction, and the other database is kept. Sessions are ended: idle ones \
      at once, the others after the grace period. Clients that connect meanwhile wait until then, and have to \
      connect once more: the server tells them that the database was renamed. On a terminal it asks; scripts \
      pass --yes.

      EXAMPLES
        tsdb restore latest
        tsdb restore latest --swap
        tsdb restore ./archive --into copy --table 'public.support_*'
        tsdb restore --swap-in app_restored
        tsdb restore --undo
        tsdb restore --list-old
        tsdb restore --drop-old --dry-run

      \(ExitStatus.help)
      """)

  @OptionGroup var global: GlobalOptions

  @Argument(
    help: ArgumentHelp(
      "\"latest\", a backup or the path of an archive; with --undo or --drop-old one of the kept databases.",
      valueName: "name"))
  var name: String?

  @OptionGroup(title: "OPTIONS OF A RESTORE") var archive: RestoreArchiveOptions

  @Option(
    name: .customLong("swap-in"),
    help: ArgumentHelp("Give this restored database the live name.", valueName: "database"))
  var swapIn: String?

  @Flag(help: "Give the name back to the database that was swapped out last.")
  var undo = false

  @Flag(name: .customLong("list-old"), help: "List the databases that restores have swapped out.")
  var isListing = false

  @Flag(name: .customLong("drop-old"), help: "Drop one, or all, of the databases that were swapped out.")
  var isDropping = false

  @Option(
    help: ArgumentHelp(
      "How long sessions may go on with their transactions, up to 4s (default: 500ms).", valueName: "duration"
    ))
  var grace: DurationArgument?

  @Flag(name: [.customLong("dry-run"), .customShort("n")], help: "Show what would be done, and do nothing.")
  var isDryRun = false

  @Flag(help: "With --drop-old: end the sessions that are connected to the databases.")
  var force = false

  @Flag(name: .shortAndLong, help: "Do not ask.")
  var yes = false

  func validate() throws {
    let actions = [swapIn != nil, undo, isListing, isDropping].count { $0 }
    guard actions == 1 || (actions == 0 && name != nil) else {
      throw ValidationError(
        "what to restore is missing (\"latest\", a backup, a path), or one of --swap-in, --undo, --list-old and "
          + "--drop-old")
    }
    if name?.isEmpty == true || swapIn?.isEmpty == true {
      throw ValidationError("the name of a backup or a database is not empty")
    }
    if name != nil, swapIn != nil || isListing {
      throw ValidationError("a name belongs to a restore, --undo or --drop-old")
    }
    if actions == 1, archive.isGiven {
      throw ValidationError("--swap-in, --undo, --list-old and --drop-old take no options of a restore")
    }
    if let grace, grace.duration > DatabaseSwap.longestGrace {
      throw ValidationError("--grace takes at most 4s: longer than that the server does not wait")
    }
    if grace != nil, isListing || isDropping || (actions == 0 && !archive.swap) {
      throw ValidationError("--grace belongs to --swap, --swap-in and --undo")
    }
    if force, !isDropping { throw ValidationError("--force belongs to --drop-old") }
  }

  func run() async throws {
    let invocation = Invocation(global)
    let access = try await invocation.access()
    if let swapIn {
      try await swap(swapIn, invocation, access)
    } else if undo {
      try await undo(invocation, access)
    } else if isListing {
      invocation.print(try await RestoreKept().list(access)) { $0.text(style: $1) }
    } else if !isDropping, let name {
      try await restore(name, invocation, access)
    } else {
      try await drop(invocation, access)
    }
  }
}

extension RestoreCommand {
  private var gracePeriod: Duration { grace?.duration ?? DatabaseSwap.defaultGrace }

  private func swap(_ new: String, _ invocation: Invocation, _ access: DatabaseAccess) async throws {
    let operation = RestoreSwap(new: new, grace: gracePeriod)
    let preview = try await operation.preview(access)
    if isDryRun {
      invocation.print(preview) { preview, _ in "\(preview.question) Nothing was changed." }
      return
    }
    try confirm("giving \"\(new)\" the name \"\(preview.database)\"", preview.question)
    invocation.print(try await operation.run(access, report: reporter(invocation))) { $0.text(style: $1) }
  }

  private func undo(_ invocation: Invocation, _ access: DatabaseAccess) async throws {
    let operation = RestoreUndo(kept: name, grace: gracePeriod)
    let preview = try await operation.preview(access)
    if isDryRun {
      invocation.print(preview) { $0.text(style: $1) }
      return
    }
    if !preview.isAlreadyDone {
      try confirm(
        "undoing the restore of \"\(preview.database)\"", preview.question)
    }
    let result = try await operation.run(access, expected: preview, report: reporter(invocation))
    invocation.print(result) { $0.text(style: $1) }
  }

  private func drop(_ invocation: Invocation, _ access: DatabaseAccess) async throws {
    let operation = RestoreKept(name: name)
    let list = try await operation.list(access)
    if isDryRun || list.kept.isEmpty {
      invocation.print(list) { list, style in
        list.text(style: style) + (list.kept.isEmpty ? "" : "\nwould drop these; nothing was dropped")
      }
      return
    }
    let names = list.kept.map { "\"\($0.name)\"" }.joined(separator: ", ")
    if !yes, !global.json { Terminal.writeError(list.text(style: invocation.errorStyle)) }
    try confirm(
      "dropping \(names)",
      "This drops \(counted(list.kept.count, "database")) with all data; no undo leads back.")
    let dropped = try await operation.drop(list, isForced: force, access)
    invocation.print(dropped) { dropped, _ in
      "dropped \(counted(dropped.dropped.count, "database")), \(ByteCount.text(dropped.bytes)): \(dropped.dropped.joined(separator: ", "))"
    }
  }

  func confirm(_ doing: String, _ question: String) throws {
    if yes { return }
    guard Terminal.isInputTerminal else {
      throw BackupError(
        .invalidInput, "\(doing) needs to be confirmed", detail: "Nothing was changed.",
        hint: "pass --yes to go ahead without a question, or --dry-run to look first")
    }
    guard Terminal.confirm(question) else {
      throw BackupError(.interrupted, "not confirmed", detail: "Nothing was changed.")
    }
  }

  func reporter(_ invocation: Invocation) -> @Sendable (SwapEvent) -> Void {
    let style = invocation.errorStyle
    return { event in
      switch event {
      case .note(let text):
        Terminal.writeError("\(style.careful("warning:")) \(Terminal.printable(text))")
      case .retrying(let attempt, let total, let reason, let sessions):
        let who = sessions.map(\.description).joined(separator: "; ")
        Terminal.writeError(
          Terminal.printable(
            "not swapped yet: \(reason)\(who.isEmpty ? "" : " (\(who))"): attempt \(attempt) of \(total)"))
      }
    }
  }
}
