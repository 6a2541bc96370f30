import Checklists
import Foundation
import Postgres
import TestSupport
import Testing
import Timekeeping

@Suite struct ItemRunTests {
  /// Nobody listens there; what is asked here needs no server.
  private static let settings = ConnectionSettings(parameters: [
    "host": "127.0.0.1", "port": "1", "password": "s3cret-word", "connect_timeout": "2",
  ])

  private struct Answering: Probe {
    static let name = "test.answer"
    static let summary = "answers"
    static let defects: [ProbeDefect] = []
    let state: ProbeState

    init(arguments: [String: String]) throws(ChecklistError) {
      guard let state = ProbeState(rawValue: arguments["state"] ?? "proved") else {
        throw ChecklistError(.invalidInput, "no such state")
      }
      self.state = state
    }

    func run(_: ProbeContext) async -> ProbeAnswer {
      ProbeAnswer(state, asked: "password s3cret-word", observed: "ana.ruiz@example.com\nwrote")
    }
  }

  private struct Endless: Probe {
    static let name = "test.endless"
    static let summary = "never answers"
    static let defects: [ProbeDefect] = []
    init(arguments: [String: String]) throws(ChecklistError) {}
    func run(_: ProbeContext) async -> ProbeAnswer {
      try? await Task.sleep(for: .seconds(3600))
      return ProbeAnswer(.proved, asked: "", observed: "")
    }
  }

  private func run(
    _ text: String, attestations: [AttestationKey: Attestation] = [:], environment: [String: String] = [:],
    limit: Duration = .seconds(60), unreachable: String? = "down"
  ) async throws -> [ItemOutcome] {
    let document = try ChecklistDocument(parsing: Array(text.utf8), path: "list.md")
    var environment = environment
    environment["PATH"] = ProcessInfo.processInfo.environment["PATH"]
    var run = ItemRun(
      probes: [Answering.self, Endless.self], attestations: attestations, directory: "/tmp",
      environment: environment, redaction: Redaction(settings: Self.settings, environment: environment))
    run.limit = limit
    run.unreachable = unreachable
    let session = Session(Self.settings, applicationName: "test")
    let context = ProbeContext(settings: Self.settings, session: session, now: .now, schema: "tsdb")
    return try await run.run(try run.prepare(document.items, path: "list.md"), context) { _ in }
  }

  @Test func `secrets and addresses stand in no answer`() async throws {
    let outcome = try #require(try await run("- [ ] a <!-- tsdb: test.answer -->", unreachable: nil).first)
    #expect(outcome.state == .proved)
    #expect(outcome.asked == "password ***")
    #expect(outcome.observed == "…@… wrote")
  }

  @Test(arguments: [
    ("true", ProbeState.proved, "status 0"), ("false", .failed, "status 1"),
    ("expect=3 sh -c \"echo no; exit 3\"", .proved, "status 3: no"),
    ("sh -c \"exit 75\"", .unknown, "it could not look, status 75"),
    ("sh -c \"kill -9 $$\"", .failed, "ended by signal 9"),
    ("no-such-program", .unknown, "there is no program \"no-such-program\" that may be run"),
    ("timeout=1s sleep 60", .unknown, "it was ended after 1s"),
    ("sh -c \"echo $WORD_TOKEN; echo me@example.org\"", .proved, "status 0: …@…"),
    ("sh -c \"echo $WORD_TOKEN\"", .proved, "status 0: ***"),
    ("echo $HOME", .proved, "status 0: $HOME"),
  ])
  func `a command is known by its exit status`(
    command: String, state: ProbeState, observed: String
  ) async throws {
    let outcome = try #require(
      try await run(
        "- [ ] a <!-- tsdb: command \(command) -->", environment: ["WORD_TOKEN": "hidden-word"]
      ).first)
    #expect(outcome.state == state)
    #expect(outcome.observed == observed)
  }

  @Test(arguments: [
    (
      "http://127.0.0.1:1/health?key=abc", ProbeState.failed,
      "the connection is refused, or the host cannot be reached"
    ),
    ("${APP_URL}/health", .unknown, "the variable APP_URL is not set"),
  ])
  func `an address that does not answer is no proof, and its query is not shown`(
    address: String, state: ProbeState, observed: String
  ) async throws {
    let outcome = try #require(try await run("- [ ] a <!-- tsdb: url \(address) -->").first)
    #expect(outcome.state == state)
    #expect(outcome.observed == observed)
    #expect(!outcome.asked.contains("abc"))
  }

  @Test(arguments: [
    "url https://a:b@h/", "url ftp://h/", "url http://h/ expect=20", "url http://h/ follow=1",
    "command x=1 true", "command timeout=0s true", "command expect=256 true", "test.answer state=fine",
  ])
  func `arguments that cannot be used stop the run before it begins`(call: String) async throws {
    await #expect(throws: ChecklistError.self) { try await run("- [ ] a <!-- tsdb: \(call) -->") }
  }

  @Test(arguments: ["attested", "unbound"])
  func `a probe cannot give a person's word`(state: String) async throws {
    let outcomes = try await run("- [ ] a <!-- tsdb: test.answer state=\(state) -->", unreachable: nil)
    #expect(outcomes.map(\.state) == [.unknown])
  }

  @Test func `where the server is away no probe of it is proved, and none waits`() async throws {
    let outcomes = try await run(
      "- [ ] a <!-- tsdb: test.answer -->\n- [ ] b <!-- tsdb: no.such -->\n- [ ] never heard of")
    #expect(outcomes.map(\.state) == [.unknown, .unknown, .unbound])
  }

  @Test func `a probe that never answers is ended`() async throws {
    let outcomes = try await run(
      "- [ ] a <!-- tsdb: test.endless -->", limit: .milliseconds(50), unreachable: nil)
    #expect(outcomes.map(\.state) == [.unknown])
  }

  @Test func `a person's word counts until it ends, and never for a probe`() async throws {
    let text =
      "- [ ] one more <!-- tsdb: attest -->\n- [ ] unbound one\n- [ ] probed <!-- tsdb: test.answer state=failed -->"
    let items = try ChecklistDocument(parsing: Array(text.utf8), path: "x").items
    func words(_ seconds: Int64) -> [AttestationKey: Attestation] {
      Dictionary(
        uniqueKeysWithValues: items.map {
          (AttestationKey($0), Attestation(item: $0, by: "Ana", note: nil, time: .now, until: .now + seconds))
        })
    }
    let valid = try await run(text, attestations: words(60), unreachable: nil)
    #expect(valid.map(\.state) == [.attested, .attested, .failed])
    #expect(valid[0].attestation?.by == "Ana" && valid[2].attestation == nil)
    let ended = try await run(text, attestations: words(-60), unreachable: nil)
    #expect(ended.map(\.state) == [.unknown, .unbound, .failed])
    #expect(ended[1].remedy == "tsdb checklist attest list.md 2 --by NAME --until DATE")
  }
}
