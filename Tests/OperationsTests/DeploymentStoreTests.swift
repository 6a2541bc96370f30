import Deployments
import Foundation
import Postgres
import Synchronization
import TestSupport
import Testing
import Timekeeping

@testable import Operations

@Suite struct `The records of deployments` {
  private func with(_ body: (Project, DeploymentStore) async throws -> Void) async throws {
    let root = NSTemporaryDirectory() + "tsdb-store-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: root) }
    let project = Project(root: root, configuration: ProjectConfiguration())
    try await body(project, DeploymentStore(project: project))
  }

  private func record(
    _ id: String, of database: String = "app", on server: String? = "1",
    state: DeploymentRecord.State = .running,
    from host: String = "here"
  ) -> DeploymentRecord {
    var record = DeploymentRecord(
      id: id, database: database, systemIdentifier: server, host: host, tool: "tsdb",
      started: "2026-11-24T12:00:00Z")
    record.state = state
    return record
  }

  private func access(_ project: Project, _ database: TestDatabase) -> DatabaseAccess {
    DatabaseAccess(
      project: project, settings: database.settings, options: project.configuration.runOptions)
  }

  @Test func `are those of the database and its server, where the server is known`() async throws {
    try await with { _, store in
      for record in [
        record("a"), record("b", of: "other"), record("c", on: "2"), record("d", on: nil),
      ] {
        try store.save(record)
      }
      #expect(try store.records(of: "app", systemIdentifier: "1").map(\.id) == ["a", "d"])
      #expect(try store.records(of: "app", systemIdentifier: nil).map(\.id) == ["a", "c", "d"])
      #expect(try store.all().map(\.id) == ["a", "b", "c", "d"])
    }
  }

  @Test func `lose what a killed run left of a file, and nothing else, under the lock`() async throws {
    try await with { project, store in
      try store.save(record("a"))
      let directory = project.path(".tsdb/deployments/a")
      for name in [".record.json.tsdb-1", ".mine", "evidence-1.jsonl"] {
        try Data().write(to: URL(filePath: "\(directory)/\(name)"))
      }
      let lock = try store.lock()
      let left = try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
      #expect(left == [".mine", "evidence-1.jsonl", "record.json"])
      #expect(throws: DeploymentError.self) { try store.lock() }
      withExtendedLifetime(lock) {}
    }
  }

  @Test func `do not wait for whoever holds the table of the database`() async throws {
    try await with { project, store in
      try await withDatabase { database in
        let access = access(project, database)
        await store.publish(record("a"), access) { message, _, _ in Issue.record("\(message)") }
        let holder = Session(database.settings, applicationName: "holder")
        try await holder.run { connection in
          try connection.execute("begin; lock table tsdb.deployments")
        }
        // Only for one that waits without an end.
        let release = Task {
          try await Task.sleep(for: .seconds(20))
          await holder.close()
        }
        let said = Warnings()
        await store.publish(record("b"), access) { message, _, _ in said.add(message) }
        release.cancel()
        await holder.close()
        #expect(said.all.count == 1, "\(said.all)")
        #expect(try await database.value("select string_agg(id, ' ') from tsdb.deployments") == "a")
      }
    }
  }

  // MARK: - Of other machines

  private func opening(
    _ access: DatabaseAccess, _ store: DeploymentStore, report: @escaping Deploy.Reporter = { _ in }
  ) async throws -> DeployOpening {
    DeployOpening(
      deploy: Deploy(choice: .configured(access.settings, source: "test"), environment: [:]), access: access,
      store: store,
      facts: try await DeploymentFacts.read(access), report: report)
  }

  @Test func `that another machine has begun are in the way unless they changed nothing`() async throws {
    try await with { project, store in
      try await withDatabase { database in
        let access = access(project, database)
        let server = try await DeploymentFacts.read(access).systemIdentifier
        let opening = try await opening(access, store)
        func foreign(_ record: DeploymentRecord) async throws -> String? {
          _ = try? await database.execute("delete from tsdb.deployments")
          await store.publish(record, access) { message, _, _ in Issue.record("\(message)") }
          return try await opening.foreign(known: ["known"])?.id
        }
        let name = database.name
        #expect(try await opening.foreign(known: []) == nil)
        #expect(try await foreign(record("x", of: name, on: server)) == "x")
        #expect(try await foreign(record("x", of: name, on: nil)) == "x")
        #expect(try await foreign(record("known", of: name, on: server)) == nil)
        #expect(try await foreign(record("x", of: "other", on: server)) == nil)
        #expect(try await foreign(record("x", of: name, on: "1")) == nil)
        #expect(try await foreign(record("x", of: name, on: server, state: .deployed)) == nil)
        #expect(try await foreign(record("x", of: name, on: server, state: .failed)) == nil)
        var failed = record("x", of: name, on: server, state: .failed)
        failed.begin(.migrate, at: "2026-11-24T12:00:00Z")
        #expect(try await foreign(failed) == "x")
      }
    }
  }

  @Test func `of other machines that may not be read are a warning`() async throws {
    try await with { project, store in
      try await withDatabase { database in
        await store.publish(record("x", of: database.name, on: nil), access(project, database)) { _, _, _ in }
        let role = "store_stranger_\(getpid())"
        try await database.execute("create role \(role) login; grant usage on schema tsdb to \(role)")
        let stranger = DatabaseAccess(
          project: project, settings: database.settings(user: role), options: project.configuration.runOptions
        )
        let said = Warnings()
        let opening = try await opening(stranger, store) { event in
          if case .warning(let message, _, let hint) = event { said.add("\(message) \(hint ?? "")") }
        }
        let found = try? await opening.foreign(known: [])
        try await database.execute("drop owned by \(role); drop role \(role)")
        #expect(found == .some(nil), "\(String(describing: found))")
        #expect(said.all.first?.contains("grant select") == true, "\(said.all)")
      }
    }
  }

  @Test func `of one second have names of their own`() async throws {
    try await with { project, store in
      try await withDatabase { database in
        let opening = try await opening(access(project, database), store)
        // Others had the names of the next seconds.
        for second in 0..<30 {
          let id = "\((UTCTime.now + Int64(second)).compact)-\(database.name)"
          try store.save(record(id, of: "other"))
        }
        let (fresh, isResumed) = try await opening.record()
        #expect(fresh.id.hasSuffix("-\(database.name)-2") && !isResumed, "\(fresh.id)")
      }
    }
  }
}

/// What was said, by whichever thread.
private final class Warnings: Sendable {
  private let messages = Mutex([String]())

  func add(_ message: String) { messages.withLock { $0.append(message) } }

  var all: [String] { messages.withLock { $0 } }
}
