import ArgumentParser
import Backups
import Operations

extension RestoreCommand {
  /// Restores an archive.
  func restore(_ name: String, _ invocation: Invocation, _ access: DatabaseAccess) async throws {
    let target: RestoreArchive.Target =
      if let into = archive.into {
        .into(into)
      } else {
        archive.swap ? .swap(grace: grace?.duration ?? DatabaseSwap.defaultGrace) : .beside
      }
    let operation = RestoreArchive(
      archive: name, repository: archive.repository.map(Project.absolute), target: target,
      options: archive.options(access.project, isDryRun: isDryRun),
      acceptsRows: yes)
    let opened = try operation.open(access)
    if case .swap = target, !isDryRun { try confirmSwap(opened) }
    let progress = RestoreProgress(invocation)
    let result = try await operation.run(
      opened, access, report: progress.report, swapReport: reporter(invocation))
    progress.finished(result) { result, style in
      var lines = [result.restore.text(style: style, isDryRun: result.isDryRun)]
      if let swap = result.swap {
        lines.append(swap.text(style: style))
      } else if case .beside = target, !result.isDryRun {
        lines.append("swap it in with: \(TypedCommand.tsdb("restore --swap-in", result.restore.database))")
      }
      return lines.joined(separator: "\n")
    }
  }

  private func confirmSwap(_ opened: RestoreArchive.Opened) throws {
    let loss =
      opened.age.map { "all writes of the last \(ProgressLine.duration(Double($0))) are lost to it" }
      ?? "the archive does not say when it was made; all writes since then are lost to it"
    if yes {
      Terminal.writeError("replacing \"\(opened.live)\" by \(opened.source.name): \(loss)")
    }
    try confirm(
      "replacing \"\(opened.live)\" by \(opened.source.name)",
      "This replaces \"\(opened.live)\" by \(opened.source.name): \(loss). The present database is kept, and "
        + "\"tsdb restore --undo\" goes back to it.")
  }
}
