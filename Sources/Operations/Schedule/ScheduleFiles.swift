import FoundationEssentials
import Maintenance

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The files of an entry in cron or systemd.
extension ScheduleRequest {
  /// - Parameter isInstalling: false to take the entry out.
  /// - Throws: `MaintenanceError`, also for files that are not ours and markers that are damaged.
  func files(isInstalling: Bool) throws(MaintenanceError) -> [ScheduleFile] {
    let name = try name
    let call = isInstalling ? try call() : nil
    switch target {
    case .crontab: return [try crontab(name, call)]
    case .cronFile:
      let user = options.user ?? Self.userName
      let text = try call.map { call throws(MaintenanceError) in
        try CronEntry(call).systemFile(user: user, mailTo: options.mailTo)
      }
      let path = (options.directory.map(Project.absolute) ?? "/etc/cron.d") + "/tsdb-\(name)"
      try requireRoot("/etc/cron.d")
      let current = try ScheduleFile.read(path)
      if let current { try requireOurs(current, path, marker: "# tsdb begin \(name)\n") }
      return [
        ScheduleFile(
          name: path, current: current, wanted: text.map { Array($0.utf8) }, place: .file(path),
          isRemoval: call == nil)
      ]
    case .systemd, .systemdUser:
      if target == .systemd { try requireRoot("/etc/systemd/system") }
      return try units(name, call)
    case .pgCron: return []
    }
  }

  private func crontab(_ name: String, _ call: ScheduleCall?) throws(MaintenanceError) -> ScheduleFile {
    let crontab = try Crontab(user: options.user, environment: environment)
    let bytes = try crontab.read()
    let text = CrontabText(bytes)
    if let block = try text.block(name), call != nil { try requireSameProject(block, "the crontab", name) }
    let wanted =
      if let call { try text.replacing(with: try CronEntry(call).block()) } else { try text.removing(name) }
    return ScheduleFile(
      name: "crontab of \(options.user ?? Self.userName)", current: bytes, wanted: wanted.bytes,
      place: .crontab(crontab), isRemoval: call == nil)
  }

  private func units(_ name: String, _ call: ScheduleCall?) throws(MaintenanceError) -> [ScheduleFile] {
    let directory = unitDirectory
    var texts: [(String, String?)] = [("tsdb-\(name).service", nil), ("tsdb-\(name).timer", nil)]
    if let call {
      let isSystem = target == .systemd
      let units = try SystemdUnits(
        call, scope: isSystem ? .system(user: options.user) : .user, writable: isSystem ? writable : [],
        credential: options.credential.map(Project.absolute), onFailure: options.onFailure)
      texts = [(units.serviceName, units.service), (units.timerName, units.timer)]
    }
    var files: [ScheduleFile] = []
    for (file, text) in texts {
      let path = directory + "/" + file
      let current = try ScheduleFile.read(path)
      if let current {
        guard SystemdUnits.isOurs(current, name: name) else { throw notOurs(path) }
        if text != nil, file.hasSuffix(".service") { try requireSameProject(current, path, name) }
      }
      files.append(
        ScheduleFile(
          name: path, current: current, wanted: text.map { Array($0.utf8) }, place: .file(path),
          isRemoval: call == nil))
    }
    return files
  }

  var unitDirectory: String {
    if let directory = options.directory { return Project.absolute(directory) }
    if target == .systemd { return "/etc/systemd/system" }
    let home = environment["HOME"] ?? "/root"
    return (environment["XDG_CONFIG_HOME"] ?? home + "/.config") + "/systemd/user"
  }

  /// Where jobs write: backups, metrics, the log, and the private server's place in the project.
  var writable: [String] {
    let maintenance = project.configuration.maintenance
    let files = [maintenance.metrics, maintenance.log].compactMap { $0 }.map { path in
      String(project.path(path).split(separator: "/").dropLast().reduce(into: "") { $0 += "/" + $1 })
    }
    var seen: Set<String> = []
    return ([project.path(project.configuration.backupRepository), project.root + "/.tsdb"] + files)
      .filter { !$0.isEmpty && seen.insert($0).inserted }
  }

  private func requireRoot(_ directory: String) throws(MaintenanceError) {
    guard options.directory == nil, geteuid() != 0 else { return }
    throw MaintenanceError(
      .failed, "only root may change \(directory)", detail: "Nothing was changed.",
      hint: "run it as root (sudo), or install for this account alone: --cron without --system, or "
        + "--systemd --user-units")
  }

  private func requireOurs(_ bytes: [UInt8], _ path: String, marker: String) throws(MaintenanceError) {
    guard bytes.starts(with: Array(marker.utf8)) else { throw notOurs(path) }
    try requireSameProject(bytes, path, try name)
  }

  private func notOurs(_ path: String) -> MaintenanceError {
    MaintenanceError(
      .failed, "\"\(path)\" was not made by tsdb schedule", detail: "Nothing was changed.",
      hint: "move it away, or pass another --name")
  }

  /// Two projects of one name must not take each other's entry away.
  private func requireSameProject(
    _ bytes: [UInt8], _ place: String, _ name: String
  ) throws(MaintenanceError) {
    let text = String(decoding: bytes, as: UTF8.self)
    guard let other = Self.project(in: text), other != project.root else { return }
    throw MaintenanceError(
      .failed, "the entry \"\(name)\" in \(place) is of another project, \"\(other)\"",
      detail: "Nothing was changed.", hint: "pass another name for this one (--name)")
  }

  /// The project's path in what is installed, where it can be read; the quoting of shells and of systemd is undone.
  static func project(in text: String) -> String? {
    guard
      let line = text.split(separator: "\n").first(where: { $0.contains(" -C ") && $0.contains(" maintain") }
      ),
      let start = line.firstRange(of: " -C "), let end = line.ranges(of: " maintain").last
    else { return nil }
    guard start.upperBound < end.lowerBound else { return nil }
    var path = String(line[start.upperBound..<end.lowerBound]).replacing("\\%", with: "%")
      .replacing("'\\''", with: "'").replacing("%%", with: "%").replacing("$$", with: "$")
    if let quote = path.first, quote == "'" || quote == "\"", path.count > 1, path.last == quote {
      path = String(path.dropFirst().dropLast())
    }
    return path.replacing("\\\"", with: "\"")
  }
}
