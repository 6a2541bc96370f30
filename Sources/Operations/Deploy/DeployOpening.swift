import Deployments
import FoundationEssentials
import Maintenance
import Postgres
import Timekeeping

/// Decides which deployment runs: a new one, an interrupted one, or one of another machine.
struct DeployOpening: Sendable {
  let deploy: Deploy
  let access: DatabaseAccess
  let store: DeploymentStore
  let facts: DeploymentFacts
  let report: Deploy.Reporter

  /// The record to go on with, not yet saved where it is new.
  func record() async throws -> (DeploymentRecord, isResumed: Bool) {
    var records = try store.records(of: facts.database, systemIdentifier: facts.systemIdentifier)
    if let foreign = try await foreign(known: Set(records.map(\.id))) {
      guard deploy.takesOver else { throw refusal(foreign) }
      let record = foreign.takenOver(by: ScheduleRequest.hostName)
      try store.save(record)
      report(
        .note("taken over from \(foreign.host.isEmpty ? "another machine" : foreign.host): \(record.id)"))
      records.append(record)
    }
    switch await decision(records) {
    case .refuse(let record):
      throw DeploymentError(
        .failed, "the way back from the deployment \(record.id) has begun and has to be finished first",
        detail: "Nothing was done.", hint: "tsdb rollback")
    case .resume(let record, _):
      if deploy.isFresh {
        report(
          .warning(
            "the deployment \(record.id) is continued, for it has changed the database",
            detail: "Its backup is the way back.", hint: "to give it up: tsdb rollback"))
      }
      return (record, true)
    case .start:
      try await giveUp(records)
      return (try fresh(), false)
    }
  }

  /// The last deployment of the database that came to its end before the given one.
  func earlier(than record: DeploymentRecord) throws -> DeploymentRecord? {
    try store.records(of: facts.database, systemIdentifier: facts.systemIdentifier).last { earlier in
      earlier.id < record.id && [.deployed, .rolledBack].contains(earlier.state)
    }
  }

  /// What is done, by the records and by what the database shows of the last.
  func decision(_ records: [DeploymentRecord]) async -> DeploymentDecision {
    guard deploy.isFresh, let last = records.last, last.state == .running || last.state == .failed else {
      return DeploymentDecision(records, isFresh: deploy.isFresh)
    }
    let isUntouched = await DeployState.read(last, access).isUntouched(by: last)
    return DeploymentDecision(records, isFresh: true, isUntouched: isUntouched)
  }

  private func giveUp(_ records: [DeploymentRecord]) async throws {
    guard deploy.isFresh, var last = records.last, last.state == .running || last.state == .failed else {
      return
    }
    last.state = .abandoned
    last.ended = UTCTime.now.description
    try store.save(last)
    await store.publish(last, access) { _, _, _ in }
    report(.note("given up: \(last.id)"))
  }

  private func fresh() throws -> DeploymentRecord {
    let now = UTCTime.now
    let safe = facts.database.unicodeScalars.map { scalar -> Character in
      switch scalar {
      case "a"..."z", "A"..."Z", "0"..."9", "_", "-": Character(scalar)
      default: "_"
      }
    }
    let name = "\(now.compact)-\(safe.isEmpty ? "_" : String(safe.prefix(100)))"
    let taken = Set(try store.all().map(\.id))
    var id = name
    var number = 2
    while taken.contains(id) {
      id = "\(name)-\(number)"
      number += 1
    }
    var record = DeploymentRecord(
      id: id, database: facts.database, systemIdentifier: facts.systemIdentifier,
      host: ScheduleRequest.hostName, tool: "tsdb \(Version.current)", started: now.description)
    record.headBefore = facts.migrationHead
    return record
  }

  // MARK: - Other machines

  /// A deployment of this database that is under way and whose record is elsewhere.
  func foreign(known: Set<String>) async throws -> DeploymentRecord? {
    let table = DeploymentTable(schema: access.project.configuration.historySchema)
    let session = Session(access.settings, applicationName: "tsdb deploy")
    do {
      let details = try await session.run { connection -> [String] in
        guard try table.exists(on: connection) else { return [] }
        return try connection.query(
          """
          select detail from \(table.name) where state in ('running', 'failed', 'rolling-back') order by id desc
          """
        ).rows().compactMap { $0[0] }
      }
      await session.close()
      let decoder = JSONDecoder()
      decoder.keyDecodingStrategy = .convertFromSnakeCase
      return details.compactMap { try? decoder.decode(DeploymentRecord.self, from: Data($0.utf8)) }
        .first { record in
          // A copy of another database brings its rows along.
          record.database == facts.database && !known.contains(record.id)
            && (record.systemIdentifier == nil || facts.systemIdentifier == nil
              || record.systemIdentifier == facts.systemIdentifier)
            && (record.state != .failed || record.hasChangedDatabase)
        }
    } catch let error as PostgresError where error.isInsufficientPrivilege {
      await session.close()
      report(
        .warning(
          "whether another machine deploys cannot be seen: \(error.message)", detail: nil,
          hint: "grant select on \(table.name) to the role that deploys"))
      return nil
    } catch let error as PostgresError {
      await session.close()
      throw DeploymentError.running(error)
    }
  }

  func refusal(_ record: DeploymentRecord) -> DeploymentError {
    let state =
      switch record.state {
      case .failed: "has failed"
      case .rollingBack: "is going back"
      default: "is running, or was interrupted"
      }
    return DeploymentError(
      .tryAgain,
      "the deployment \(record.id) from \(record.host.isEmpty ? "another machine" : record.host) \(state)",
      detail: "Its record is there, in .tsdb/deployments of the project. Nothing was done.",
      hint: "continue it there; or, if that machine is gone for good: tsdb deploy --take-over")
  }
}

extension DeploymentRecord {
  /// The same, continued by another machine.
  func takenOver(by host: String) -> DeploymentRecord {
    var record = DeploymentRecord(
      id: id, database: database, systemIdentifier: systemIdentifier, host: host,
      tool: "tsdb \(Version.current)", started: started)
    record.ended = ended
    record.state = state
    record.steps = steps
    record.headBefore = headBefore
    record.headAfter = headAfter
    record.writesAtBackup = writesAtBackup
    record.writesAtEnd = writesAtEnd
    record.rollback = rollback
    record.backup = backup
    return record
  }
}
