import Postgres
import TestSupport
import Testing

@Suite struct `A refused connection` {
  private func refusal(_ settings: ConnectionSettings) async -> PostgresError? {
    await #expect(throws: PostgresError.self) {
      try await Session(settings, applicationName: "test").run { _ = try $0.execute("select 1") }
    }
  }

  @Test func `an unknown database is 3D000, and trying again does not help`() async throws {
    let error = await refusal(try await PostgresCluster.shared.settings(database: "no such"))
    #expect(error?.origin == .connecting)
    #expect(error?.sqlState == "3D000")
    #expect(error?.message.contains("\"no such\" does not exist") == true)
    #expect(error?.isServerUnavailable == false)
  }

  @Test func `an unknown role is 28000`() async throws {
    let error = await refusal(try await PostgresCluster.shared.settings(user: "nobody here"))
    #expect(error?.sqlState == "28000")
    #expect(error?.isServerUnavailable == false)
  }

  @Test func `passwords: right, wrong and none`() async throws {
    let password = "r1ght'pass word"
    try await PostgresCluster.with(.init(password: password)) { cluster in
      #expect(try await cluster.value("select 1") == "1")
      var settings = try ConnectionSettings(parsing: cluster.url())
      let parsed = settings
      #expect(
        try await Session(parsed, applicationName: "t").run { try $0.query("select 2").text(0, 0) } == "2")

      settings["password"] = "wr0ng-secret"
      let wrong = await refusal(settings)
      #expect(wrong?.sqlState == "28P01")
      #expect(wrong?.isServerUnavailable == false)
      #expect(!String(reflecting: wrong).contains("wr0ng-secret"))

      settings["password"] = nil
      settings["passfile"] = "/nonexistent"
      let none = await refusal(settings)
      #expect(none?.sqlState == "28P01")
    }
  }

  @Test func `nobody listening is a server that is away`() async throws {
    let port = try PostgresCluster.freePort()
    let tcp = await refusal(
      ConnectionSettings(parameters: ["host": "127.0.0.1", "port": "\(port)", "user": "x"]))
    #expect(tcp?.sqlState == "" && tcp?.isServerUnavailable == true)
    let socket = await refusal(ConnectionSettings(parameters: ["host": "/nonexistent", "user": "x"]))
    #expect(socket?.isServerUnavailable == true)
    #expect(socket?.message.contains("\n") == false)
    let empty = ["host": "/nonexistent", "user": "x", "password": ""]
    let unchanged = await refusal(ConnectionSettings(parameters: empty))
    #expect(unchanged?.message == socket?.message)
  }

  @Test func `an unknown host name is a server that is away`() async {
    let error = await refusal(ConnectionSettings(parameters: ["host": "nowhere.invalid", "user": "x"]))
    #expect(error?.isServerUnavailable == true)
  }

  @Test func `a full server is 53300 and worth another try`() async throws {
    try await PostgresCluster.with(
      .init(configuration: [
        "max_connections = 4", "superuser_reserved_connections = 0", "max_wal_senders = 0",
      ])
    ) { cluster in
      let sessions = (0..<4).map { _ in cluster.connect() }
      for session in sessions { try await session.connect() }
      let error = await refusal(cluster.settings())
      #expect(error?.sqlState == "53300")
      #expect(error?.isServerUnavailable == true)
      for session in sessions { await session.close() }
    }
  }

  @Test func `too few connections for a role or database is 53300`() async throws {
    try await withDatabase { database in
      try await database.execute("create role crowded login connection limit 0")
      let error = await refusal(database.settings(user: "crowded"))
      try await database.execute("drop role crowded")
      #expect(error?.sqlState == "53300")
    }
  }

  @Test func `no right to connect is 42501, a closed database 55000`() async throws {
    try await withDatabase { database in
      let role = "outsider_\(database.name)"
      try await database.execute(
        "create role \(role) login; revoke connect on database \(database.name) from public")
      let denied = await refusal(database.settings(user: role))
      try await database.execute("drop role \(role)")
      #expect(denied?.sqlState == "42501")
    }
    let closed = await refusal(try await PostgresCluster.shared.settings(database: "template0"))
    #expect(closed?.sqlState == "55000")
    #expect(closed?.isServerUnavailable == false)
  }
}
