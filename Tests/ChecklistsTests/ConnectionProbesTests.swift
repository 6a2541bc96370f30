import Foundation
import Postgres
import TestSupport
import Testing

@testable import Checklists

@Suite struct ConnectionProbesTests {
  private static let modern = ConnectionTLSProbe.Facts(
    isServerReady: true, isUnixSocket: false, version: "TLSv1.3", cipher: "TLS_AES_256_GCM_SHA384",
    bits: "256",
    mode: "verify-full")

  private func state(
    _ arguments: [String: String] = [:], _ change: (inout ConnectionTLSProbe.Facts) -> Void = { _ in }
  ) throws -> ProbeState {
    var facts = Self.modern
    change(&facts)
    return try ConnectionTLSProbe(arguments: arguments).verdict(facts, ProbeQuestion("asked")).state
  }

  @Test func `TLS is proved by this connection's protocol and nothing else`() throws {
    #expect(try state() == .proved)
    #expect(try state { $0.version = nil } == .failed)
    #expect(try state { $0.version = "TLSv1.1" } == .failed)
    #expect(try state(["minimum": "TLSv1"]) { $0.version = "TLSv1.1" } == .proved)
    #expect(try state { $0.version = "SSLv3" } == .unknown)
    #expect(try state { $0.isPooled = true } == .unknown)
    #expect(try state { $0.mode = "require" } == .proved)
    #expect(try state(["verified": "yes"]) { $0.mode = "require" } == .failed)
    #expect(try state(["verified": "yes"]) { $0.mode = nil } == .failed)
    let socket = { (facts: inout ConnectionTLSProbe.Facts) in
      facts.version = nil
      facts.isUnixSocket = true
    }
    #expect(try state([:], socket) == .notApplicable)
    #expect(try state(["required": "yes"], socket) == .failed)
  }

  @Test(arguments: [
    ["minimum": "TLSv9"], ["required": "maybe"],
  ]) func `unusable arguments of TLS are refused`(arguments: [String: String]) {
    #expect(throws: ChecklistError.self) { try ConnectionTLSProbe(arguments: arguments) }
  }

  @Test func `a connection over TCP is encrypted, or TLS fails`() async throws {
    try await PostgresCluster.with(.init(password: "not-a-secret-of-anybody")) { cluster in
      let plain = try await ApplicationDatabase.ask(ConnectionTLSProbe.self, cluster.settings())
      #expect(plain.state == .failed, "\(plain)")
      #expect(
        try await ApplicationDatabase.ask(NetworkReachableProbe.self, cluster.settings()).state
          == .notApplicable)
      let openssl = try ToolRun(
        executable: "openssl",
        [
          "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
          "-keyout", cluster.dataDirectory + "/server.key", "-out", cluster.dataDirectory + "/server.crt",
        ],
        environment: ProcessInfo.processInfo.environment)
      #expect(try await openssl.finish().exitStatus == 0)
      for file in ["server.key", "server.crt"] {
        #expect(chmod(cluster.dataDirectory + "/" + file, 0o600) == 0)
        try giveToServerAccount(cluster.dataDirectory + "/" + file)
      }
      do {
        try await cluster.connect().run { _ = try $0.execute("alter system set ssl = on") }
      } catch let error as PostgresError where error.sqlState == "22023" {
        // This server was built without TLS.
        return
      }
      try await cluster.reload()
      var settings = cluster.settings()
      settings["sslmode"] = "require"
      var answer = try await ApplicationDatabase.ask(ConnectionTLSProbe.self, settings)
      for _ in 0..<50 where answer.state != .proved {
        try await Task.sleep(for: .milliseconds(100))
        answer = try await ApplicationDatabase.ask(ConnectionTLSProbe.self, settings)
      }
      #expect(answer.state == .proved, "\(answer)")
      #expect(answer.observed.contains("TLSv1.") && answer.observed.contains("not checked (sslmode=require)"))
      let encrypted = settings
      let selftest = Selftest(probes: [ConnectionTLSProbe.self]) { kind in
        ScratchDatabase(settings: kind == .unreachable ? ScratchDatabase.nowhere : encrypted)
      }
      let report = await selftest.run()
      #expect(report.isPassed && report.results[0].before == .proved, "\(report.failures)")
      settings["sslmode"] = "disable"
      #expect(try await ApplicationDatabase.ask(ConnectionTLSProbe.self, settings).state == .failed)
      settings["sslmode"] = "verify-ca"
      settings["sslrootcert"] = cluster.dataDirectory + "/server.crt"
      let verified = try await ApplicationDatabase.ask(ConnectionTLSProbe.self, ["verified": "yes"], settings)
      #expect(verified.state == .proved, "\(verified)")
      // A wrong password is no answer to anything, and is told without the password.
      settings["password"] = "wrong-and-mine"
      for probe in connectionOnlyProbes {
        let refused = try await ApplicationDatabase.ask(probe, settings)
        #expect([.failed, .unknown].contains(refused.state))
        #expect(!"\(refused)".contains("wrong-and"))
      }
    }
  }

  @Test func `names of variables are shown, values and strangers' values never`() async throws {
    #expect(throws: ChecklistError.self) {
      try EnvironmentConnectionProbe(arguments: ["requires": "https://x.invalid"])
    }
    try await ApplicationDatabase.with { database in
      let answer = try await ApplicationDatabase.ask(
        EnvironmentConnectionProbe.self, ["requires": "PATH"], database.settings)
      #expect(answer.state == .proved)
      #expect(answer.observed.contains("set: PATH") && answer.observed.contains("host"))
      #expect(!answer.observed.contains(database.name))
    }
  }

  @Test func `a session of the application is seen until it is gone`() async throws {
    try await ApplicationDatabase.with { database in
      let application = Session(database.settings, applicationName: "application")
      try await application.connect()
      let busy = try await ApplicationDatabase.ask(RollbackStoppedProbe.self, database.settings)
      #expect(busy.state == .failed && busy.observed.hasPrefix("1 session"))
      try await database.execute(
        "do $$ begin create role checklists_blind login; exception when duplicate_object or unique_violation then null; end $$"
      )
      let blind = try await ApplicationDatabase.ask(
        RollbackStoppedProbe.self, database.settings(user: "checklists_blind"))
      #expect(blind.state == .unknown && blind.remedy?.contains("pg_read_all_stats") == true, "\(blind)")
      await application.close()
      var answer = busy
      for _ in 0..<50 where answer.state != .proved {
        try await Task.sleep(for: .milliseconds(50))
        answer = try await ApplicationDatabase.ask(RollbackStoppedProbe.self, database.settings)
      }
      #expect(answer.state == .proved || answer.observed.contains("tsdb tests"), "\(answer)")
    }
  }
}
