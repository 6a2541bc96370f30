import Deployments
import Foundation
import Postgres
import TestSupport
import Testing

@Suite struct `a rollback that cannot begin` {
  private func refused(
    _ fixture: RollbackProject, environment: [String: String] = [:], _ texts: String...,
    status: Int32 = 1, sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    let record = try fixture.recorded()
    let result = try await fixture.project.tsdb("rollback --yes", environment: environment)
    #expect(result.exitStatus == status, "\(result)", sourceLocation: sourceLocation)
    for text in texts + ["nothing was changed", "hint:"] {
      #expect(
        result.standardError.contains(text), "no \"\(text)\" in \(result)", sourceLocation: sourceLocation)
    }
    #expect(try await fixture.state() == "failed", sourceLocation: sourceLocation)
    #expect(try await fixture.others() == [], sourceLocation: sourceLocation)
    #expect(try fixture.recorded() == record, sourceLocation: sourceLocation)
  }

  @Test func `because its backup is gone, or is another's, touches nothing`() async throws {
    try await RollbackProject.with { fixture in
      let moved = fixture.backup + "-moved"
      try FileManager.default.moveItem(atPath: fixture.backup, toPath: moved)
      try await refused(fixture, "backup \(fixture.record.backup?.id ?? "") is gone", "tsdb backup list")

      // One that another run took has its place.
      try await fixture.project.done("backup")
      let other = fixture.project.backupPath(
        try #require(fixture.project.backups().last { !$0.contains("moved") }))
      try FileManager.default.moveItem(atPath: other, toPath: fixture.backup)
      try await refused(fixture, "is not the backup that the deployment took")
      try FileManager.default.removeItem(atPath: fixture.backup)

      try FileManager.default.moveItem(atPath: moved, toPath: fixture.backup)
      try await fixture.project.done("rollback --yes")
      #expect(try await fixture.state() == "before")
    }
  }

  @Test func `uses a backup that was moved into the project's repository`() async throws {
    try await RollbackProject.with { fixture in
      var record = fixture.record
      let backup = try #require(record.backup)
      record.backup = .init(
        id: backup.id, path: "/nonexistent/\(backup.id)", snapshotTime: backup.snapshotTime, isProven: true)
      try FailedDeployment.write(record, in: fixture.project.directory)
      try await fixture.project.done("rollback --yes")
      #expect(try await fixture.state() == "before")
    }
  }

  @Test(arguments: ["data", "manifest.json", "toc.dat"])
  func `because its backup is damaged, touches nothing`(file: String) async throws {
    try await RollbackProject.with { fixture in
      let name =
        file == "data"
        ? try #require(
          FileManager.default.contentsOfDirectory(atPath: fixture.backup).filter { $0.hasSuffix(".dat.gz") }
            .sorted().first) : file
      let path = fixture.backup + "/" + name
      var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
      bytes[bytes.count / 2] ^= 0x40
      try bytes.write(to: URL(fileURLWithPath: path))
      try await refused(fixture, "error:", "tsdb backup list")
    }
  }

  @Test func `because of the role's rights, says which are wanted`() async throws {
    try await PostgresCluster.with { cluster in
      try await RollbackProject.with(on: cluster) { fixture in
        let name = fixture.database.name
        try await cluster.connect().run { connection in
          try connection.execute("create role deployer login; grant pg_read_all_data to deployer")
        }
        let url = ["DATABASE_URL": cluster.url(database: name, user: "deployer")]
        try await refused(fixture, environment: url, "role \"deployer\" may not make databases", "createdb")
        try await cluster.connect().run { _ = try $0.execute("alter role deployer createdb") }
        try await refused(fixture, environment: url, "belongs to \"postgres\"")
      }
    }
  }

  @Test(.enabled(if: PgBouncer.isInstalled))
  func `because the connection goes through a pooler, touches nothing`() async throws {
    try await RollbackProject.with { fixture in
      try await PgBouncer.with(.session, for: fixture.database.cluster) { pooler in
        try await refused(
          fixture, environment: ["DATABASE_URL": pooler.url(database: fixture.database.name)], "pooler")
      }
    }
  }

  @Test func `because the names could not be swapped, restores nothing first`() async throws {
    try await PostgresCluster.with(.init(configuration: ["max_prepared_transactions = 5"])) { cluster in
      try await RollbackProject.with(on: cluster) { fixture in
        try await fixture.database.execute(
          "begin; insert into customers values (-1, 'x'); prepare transaction 'stays'")
        try await refused(fixture, "prepared transaction \"stays\"", "rollback prepared")
        try await fixture.database.execute("rollback prepared 'stays'")
        try await fixture.project.done("rollback --yes")
      }
    }
  }

  @Test func `because another run has the lock, or the server is away, can be tried again`() async throws {
    try await RollbackProject.with { fixture in
      try await fixture.project.tsdb(
        "rollback --yes", environment: ["DATABASE_URL": "postgresql://u@127.0.0.1:1/x"]
      ).expect(75, "cannot connect")
      let lock = fixture.project.directory.path(".tsdb/deployments/lock")
      _ = FileManager.default.createFile(atPath: lock, contents: nil)
      let holder = try ToolRun(
        executable: "/usr/bin/flock", [lock, "sleep", "20"], environment: ["PATH": "/usr/bin:/bin"])
      try await waitUntil {
        try await fixture.project.tsdb("rollback --yes").exitStatus == 75
      }
      let status = try await fixture.project.tsdb("rollback --dry-run").exitStatus
      #expect(status == 0)
      holder.send(signal: SIGKILL)
      #expect(try await fixture.state() == "failed")
    }
  }
}
