import FoundationEssentials
import Maintenance
import Postgres
import Timekeeping

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// What is installed, and what comes next.
public struct ScheduleShow: Sendable {
  public struct Result: Sendable, Encodable {
    public struct Entry: Sendable, Encodable {
      public let target: ScheduleTarget
      public let name: String
      public let place: String
      /// What is installed, as it stands there.
      public let text: String
      public let next: [Moment]
    }

    public struct Job: Sendable, Encodable {
      public let name: String
      public let kind: String
      public let schedule: String
      public let isEnabled: Bool
      public let next: [Moment]
    }

    public struct Moment: Sendable, Encodable {
      public let utc: String
      /// In this machine's time zone, with its abbreviation.
      public let local: String
    }

    public internal(set) var entries: [Entry] = []
    public internal(set) var jobs: [Job] = []
    /// Of the jobs' schedules.
    public let zone: String
    public internal(set) var warnings: [String] = []
  }

  public init() {}

  /// - Parameters:
  ///   - project: whose jobs are shown; entries of all projects are.
  ///   - settings: of the database whose pg_cron is looked at; nil for none.
  public func run(
    project: Project, settings: Postgres.ConnectionSettings?, environment: [String: String],
    now: UTCTime = .now
  ) async throws -> Result {
    let (jobs, zone) = try project.maintenanceJobs()
    var result = Result(zone: zone.name)
    result.entries = Self.cronEntries(environment, now, &result.warnings) + Self.unitEntries(environment, now)
    if let settings { result.entries += await Self.pgCronEntries(settings, &result.warnings) }
    result.jobs = jobs.map { job in
      let next = job.isEnabled ? job.schedule.nextSlots(after: now, count: 5, zone: zone) : []
      return Result.Job(
        name: job.name, kind: job.work.kind, schedule: job.schedule.text, isEnabled: job.isEnabled,
        next: next.map(Self.moment))
    }
    let callers = result.entries.filter { $0.target != .pgCron }
    if !callers.contains(where: { ScheduleRequest.project(in: $0.text) == project.root }) {
      result.warnings.append("nothing that is installed here calls tsdb maintain for \(project.root)")
    }
    result.warnings += ScheduleWarnings.clockChanges(jobs, zone: zone, now: now)
    return result
  }

  static func moment(_ time: UTCTime) -> Result.Moment {
    Result.Moment(utc: time.description, local: localText(time))
  }

  private static func localText(_ time: UTCTime) -> String {
    var seconds = time_t(time.secondsSince1970)
    var parts = tm()
    guard localtime_r(&seconds, &parts) != nil else { return time.description }
    var buffer = [CChar](repeating: 0, count: 64)
    let count = strftime(&buffer, buffer.count, "%Y-%m-%d %H:%M %Z", &parts)
    return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  private static func cronEntries(
    _ environment: [String: String], _ now: UTCTime, _ warnings: inout [String]
  ) -> [Result.Entry] {
    var entries: [Result.Entry] = []
    if let crontab = try? Crontab(user: nil, environment: environment) {
      do {
        let text = CrontabText(try crontab.read())
        for name in text.names {
          guard let block = try text.block(name) else { continue }
          entries.append(
            entry(.crontab, name, "crontab of \(ScheduleRequest.userName)", block, now))
        }
      } catch {
        warnings.append(error.message)
      }
    }
    for path in paths(in: "/etc/cron.d", suffix: "") {
      guard let bytes = try? ScheduleFile.read(path) else { continue }
      guard let name = CrontabText(bytes).names.first else { continue }
      entries.append(entry(.cronFile, name, path, bytes, now))
    }
    return entries
  }

  private static func unitEntries(_ environment: [String: String], _ now: UTCTime) -> [Result.Entry] {
    let home = (environment["XDG_CONFIG_HOME"] ?? (environment["HOME"] ?? "/root") + "/.config")
    let places: [(ScheduleTarget, String)] = [
      (.systemd, "/etc/systemd/system"), (.systemdUser, home + "/systemd/user"),
    ]
    return places.flatMap { target, directory in
      paths(in: directory, suffix: ".timer").compactMap { path -> Result.Entry? in
        let name = String(path.dropFirst(directory.count + 6).dropLast(6))
        guard let timer = try? ScheduleFile.read(path), SystemdUnits.isOurs(timer, name: name) else {
          return nil
        }
        let service = (try? ScheduleFile.read(path.dropLast(6) + ".service")) ?? []
        return entry(target, name, path, timer + Array("\n".utf8) + service, now)
      }
    }
  }

  private static func entry(
    _ target: ScheduleTarget, _ name: String, _ place: String, _ bytes: [UInt8], _ now: UTCTime
  ) -> Result.Entry {
    let text = String(decoding: bytes, as: UTF8.self)
    let next = CallTimes(installed: text)?.next(after: now, count: 5) ?? []
    return Result.Entry(
      target: target, name: name, place: place, text: text, next: next.map(moment))
  }

  /// Of regular names that begin as ours do.
  private static func paths(in directory: String, suffix: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).sorted()
      .filter { $0.hasPrefix("tsdb-") && $0.hasSuffix(suffix) }.map { directory + "/" + $0 }
  }

  private static func pgCronEntries(
    _ settings: Postgres.ConnectionSettings, _ warnings: inout [String]
  ) async -> [Result.Entry] {
    var settings = settings
    if settings["connect_timeout"] == nil { settings["connect_timeout"] = "3" }
    let session = Session(settings, applicationName: "tsdb schedule")
    do {
      let facts = try await session.run { try PgCronFacts.read(prefix: "tsdb ", on: $0) }
      await session.close()
      guard !facts.jobs.isEmpty else { return [] }
      var byName: [(String, [PgCronJob])] = []
      for job in facts.jobs {
        let name = String(job.name.split(separator: " ").dropFirst().first ?? "")
        if byName.last?.0 == name {
          byName[byName.count - 1].1.append(job)
        } else {
          byName.append((name, [job]))
        }
      }
      return byName.map { name, jobs in
        Result.Entry(
          target: .pgCron, name: name, place: "pg_cron of \(facts.role) in \(facts.database)",
          text: jobs.map(\.text).joined(), next: [])
      }
    } catch {
      await session.close()
      let reason = (error as? PostgresError)?.message ?? "\(error)"
      warnings.append("pg_cron was not looked at: \(reason)")
      return []
    }
  }
}
