import Foundation
import Postgres
import TestSupport
import Testing

/// A live database, one beside it that a restore could have made, and a project on the live one.
private func withPair(_ body: (TestProject, TestDatabase, TestDatabase) async throws -> Void) async throws {
  try await withProject { project, live in
    try await withDatabase { other in
      for (database, content) in [(live, "old"), (other, "new")] {
        let session = database.connect()
        try await session.run {
          _ = try $0.execute("create table marker as select '\(content)'::text as content")
        }
        await session.close()
      }
      do {
        try await body(project, live, other)
        try await dropKept(of: live)
      } catch {
        try await dropKept(of: live)
        throw error
      }
    }
  }
}

private func kept(of live: TestDatabase) async throws -> [String] {
  try await live.cluster.connect().run { [name = live.name] connection in
    try connection.query(
      "select datname from pg_database where datname like '\(name)\\_%' order by datname"
    ).rows().compactMap { $0[0] }
  }
}

private func dropKept(of live: TestDatabase) async throws {
  for name in try await kept(of: live) {
    try await live.cluster.connect().run {
      _ = try $0.execute("drop database \(Quoting.identifier(name)) with (force)")
    }
  }
}

private func content(_ database: TestDatabase) async throws -> String {
  try await database.cluster.value("select content from marker", database: database.name)
}

@Suite struct `Swapping databases` {
  @Test func `goes there and back, and says so when it is asked again`() async throws {
    try await withPair { project, live, other in
      let swapIn = "restore --swap-in \(other.name) --yes"
      #expect(
        try await project.done("restore --list-old").contains("no database is kept of \"\(live.name)\""))
      try await project.done(swapIn)
      #expect(try await content(live) == "new")
      #expect(try await project.done(swapIn).hasPrefix("done before: "))
      let swapped = try #require(try await kept(of: live).first)

      let preview = try await project.done("restore --undo --dry-run")
      #expect(
        preview.contains("would give the name \"\(live.name)\" back to \"\(swapped)\"; nothing was changed"))
      #expect(preview.contains("What was written to \"\(live.name)\" since "))
      #expect(try await content(live) == "new")
      let undo = try await project.tsdb("restore --undo --yes --json")
      #expect(undo.exitStatus == 0, "\(undo)")
      #expect(try undo.json()["database"] as? String == live.name)
      #expect(try undo.json()["is_already_done"] as? Bool == false)
      #expect(try undo.json()["cutoff_milliseconds"] as? Int != nil)
      #expect(try await content(live) == "old")
      #expect(try await project.done("restore --undo --yes").hasPrefix("done before: "))
      #expect(try await content(live) == "old")

      // Forth again, by the name of the one that the undo left.
      let undone = try #require(try await kept(of: live).first)
      #expect(undone.hasPrefix("\(live.name)_undone_"))
      try await project.done("restore --undo \(undone) --yes")
      #expect(try await content(live) == "new")
    }
  }

  @Test func `asks first, and changes nothing without an answer`() async throws {
    try await withPair { project, live, other in
      try await project.tsdb("restore --swap-in \(other.name)").expect(
        64, "needs to be confirmed", "pass --yes")
      try await project.done("restore --swap-in \(other.name) --yes")
      try await project.tsdb("restore --undo").expect(64, "needs to be confirmed", "pass --yes")
      try await project.tsdb("restore --drop-old").expect(64, "needs to be confirmed", "pass --yes")
      #expect(try await content(live) == "new")
      #expect(try await kept(of: live).count == 1)
    }
  }

  @Test func `refuses what cannot be meant`() async throws {
    try await withPair { project, live, other in
      for line in [
        "restore", "restore --undo --list-old", "restore \(live.name)", "restore --undo --grace 5s",
        "restore --undo --force", "restore --list-old x",
      ] {
        try await project.tsdb(line).expect(64)
      }
      try await project.tsdb("restore --undo --yes").expect(1, "there is nothing to undo")
      try await project.tsdb("restore --undo \(other.name) --yes").expect(1, "there is no kept database")
      try await project.tsdb("restore --drop-old \(other.name) --yes").expect(1, "there is no kept database")
      try await project.tsdb("restore --swap-in nosuch --yes").expect(1, "there is no database \"nosuch\"")
      try await project.tsdb("restore --swap-in \(live.name) --yes").expect(64, "has that name already")
      let url = live.cluster.url(database: "nosuch")
      try await project.tsdb("restore --swap-in \(other.name) --yes", environment: ["DATABASE_URL": url])
        .expect(1, "there is no database \"nosuch\"")
      try await project.tsdb(
        "restore --undo --yes", environment: ["DATABASE_URL": "postgresql://u@127.0.0.1:1/x"]
      ).expect(75, "cannot connect")
      #expect(try await content(live) == "old")
    }
  }

  @Test func `does not take another's comment for a mark`() async throws {
    try await withPair { project, live, other in
      // A mark that a dump carried here belongs to another database.
      let mark =
        #"kept by tsdb: {"at":"2026-01-02T03:04:05Z","database":"\#(live.name)","oid":1,"reason":"restored","replacedBy":"x"}"#
      try await live.cluster.connect().run {
        _ = try $0.execute("comment on database \(other.name) is '\(mark)'")
      }
      try await project.tsdb("restore --undo --yes").expect(1, "there is nothing to undo")
      #expect(try await project.done("restore --drop-old --yes").contains("no database is kept"))
      #expect(try await content(other) == "new")
    }
  }

  @Test func `never drops the live database, also where its name was given back by hand`() async throws {
    try await withPair { project, live, other in
      try await live.cluster.connect().run {
        _ = try $0.execute("comment on database \(live.name) is 'mine'")
      }
      try await project.done("restore --swap-in \(other.name) --yes")
      let name = try #require(try await kept(of: live).first)
      try await live.cluster.connect().run { connection in
        _ = try connection.execute(
          "alter database \(live.name) rename to \(other.name); alter database \(Quoting.identifier(name)) rename to \(live.name)"
        )
      }
      #expect(try await project.done("restore --drop-old --yes").contains("no database is kept"))
      #expect(try await content(live) == "old")
      // Its mark is not handed on to the next one of that name.
      try await project.done("restore --swap-in \(other.name) --yes")
      let comment = try await live.cluster.value(
        "select shobj_description(oid, 'pg_database') from pg_database where datname = '\(live.name)'")
      #expect(comment == "mine")
    }
  }

  @Test func `refuses a database whose restore is not finished`() async throws {
    // On a server of its own: any restore drops what it takes for another's leftover.
    try await PostgresCluster.with { cluster in
      let live = try await TestDatabase.create(on: cluster)
      let other = try await TestDatabase.create(on: cluster)
      let project = try TestProject(live)
      let oid = try #require(
        try await other.value("select oid from pg_database where datname = current_database()"))
      try await cluster.connect().run { connection in
        _ = try connection.execute(
          "comment on database \(other.name) is 'tsdb restore in progress, of b1; started x; run by y; database \(oid)'"
        )
      }
      try await project.tsdb("restore --swap-in \(other.name) --yes").expect(1, "is not finished")
      try await cluster.connect().run { connection in
        _ = try connection.execute(
          "comment on database \(other.name) is 'restored by tsdb from b1; state of x; run by y; database \(oid)'"
        )
      }
      try await project.done("restore --swap-in \(other.name) --yes")
      #expect(try await project.done("restore --list-old").contains("b1"))
    }
  }

  @Test func `drops what is kept, unless somebody is in it`() async throws {
    try await withPair { project, live, other in
      try await project.done("restore --swap-in \(other.name) --yes")
      let name = try #require(try await kept(of: live).first)
      let list = try await project.tsdb("restore --list-old --json").json()
      let listed = try #require((list["kept"] as? [[String: Any]])?.first)
      #expect(listed["name"] as? String == name)
      #expect((listed["size"] as? Int ?? 0) > 1_000_000)
      #expect((listed["mark"] as? [String: Any])?["replaced_by"] as? String == other.name)
      #expect(try await project.done("restore --drop-old --dry-run").contains("nothing was dropped"))

      let session = live.cluster.connect(database: name)
      try await session.run { _ = try $0.execute("select 1") }
      try await project.tsdb("restore --drop-old --yes").expect(75, "is in use by 1 session", "--force")
      #expect(try await kept(of: live) == [name])
      #expect(
        try await project.done("restore --drop-old \(name) --yes --force").hasPrefix("dropped 1 database, "))
      #expect(try await kept(of: live) == [])
      #expect(try await project.done("restore --drop-old --yes").contains("no database is kept"))
      #expect(try await content(live) == "new")
    }
  }

  @Test func `is done once by two that undo at once`() async throws {
    try await withPair { project, live, other in
      try await project.done("restore --swap-in \(other.name) --yes")
      let session = live.connect()
      try await session.run { _ = try $0.execute("begin; select 1") }
      let runs = try (0..<4).map { _ in
        try ToolRun.start(
          ["restore", "--undo", "--yes"], environment: project.environment(),
          directory: project.directory.path)
      }
      var outputs: [String] = []
      for run in runs {
        let result = try await run.finish()
        #expect([0, 75].contains(result.exitStatus), "\(result)")
        if result.exitStatus == 0 { outputs.append(result.standardOutput) }
      }
      #expect(outputs.count { $0.hasPrefix("swapped ") } == 1, "\(outputs)")
      #expect(try await content(live) == "old")
      #expect(try await kept(of: live).count == 1)
    }
  }

  @Test(arguments: [false, true])
  func `gives an application that connects again no old answer after a new one`(
    hasLongTransaction: Bool
  ) async throws {
    try await withPair { project, live, other in
      let long = live.connect()
      if hasLongTransaction { try await long.run { _ = try $0.execute("begin; select 1") } }
      let clients = (0..<4).map { number in
        Task {
          var (gap, last, seen) = (Duration.zero, ContinuousClock.now, [String]())
          var session = live.connect()
          while !Task.isCancelled {
            let content = try? await session.run { try $0.query("select content from marker").text(0, 0) }
            guard let content else {
              session = live.connect()
              continue
            }
            gap = max(gap, ContinuousClock.now - last)
            last = .now
            if seen.last != content { seen.append(content) }
          }
          await session.close()
          return (gap, seen)
        }
      }
      try await Task.sleep(for: .milliseconds(300))
      try await project.done("restore --swap-in \(other.name) --yes")
      try await Task.sleep(for: .milliseconds(300))
      clients.forEach { $0.cancel() }
      for client in clients {
        let (gap, seen) = await client.value
        print("swap: longest gap of a client \(gap), beside a long transaction: \(hasLongTransaction)")
        // Never an old answer after a new one.
        #expect(seen == ["old", "new"])
      }
    }
  }
}
