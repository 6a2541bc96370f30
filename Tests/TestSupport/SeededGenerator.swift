import Foundation
import Testing

/// SplitMix64: the same seed gives the same numbers on every platform.
///
/// Source: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", 2014.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
  public let seed: UInt64
  private var state: UInt64

  public init(seed: UInt64) {
    self.seed = seed
    self.state = seed
  }

  /// A generator from the seed of the running test; see ``SeedTrait``.
  public init() {
    self.init(seed: SeedTrait.seed)
  }

  public mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }

  /// One of `choices`, which must not be empty.
  public mutating func pick<Element>(_ choices: [Element]) -> Element {
    choices[Int.random(in: choices.indices, using: &self)]
  }

  /// True once in `count` times on average.
  public mutating func oneIn(_ count: Int) -> Bool {
    Int.random(in: 0..<count, using: &self) == 0
  }
}

/// Gives a test a seed, from `TSDB_TEST_SEED` or by chance, and names it in every failure.
public struct SeedTrait: TestTrait, SuiteTrait, TestScoping {
  /// The seed of the running test.
  @TaskLocal public static var seed: UInt64 = environmentSeed ?? 1

  public var isRecursive: Bool { true }

  static var environmentSeed: UInt64? {
    ProcessInfo.processInfo.environment["TSDB_TEST_SEED"].flatMap { UInt64($0) }
  }

  public func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable @concurrent () async throws -> Void
  ) async throws {
    guard testCase != nil else { return try await function() }
    let seed = Self.environmentSeed ?? UInt64.random(in: 1...UInt64(UInt32.max))
    try await Self.$seed.withValue(seed) {
      try await IssueHandlingTrait.compactMapIssues { issue in
        var issue = issue
        issue.comments.append("run again with TSDB_TEST_SEED=\(seed)")
        return issue
      }.provideScope(for: test, testCase: testCase, performing: function)
    }
  }
}

extension Trait where Self == SeedTrait {
  /// A seed by chance, named in every failure; `TSDB_TEST_SEED` repeats one.
  public static var seeded: Self { Self() }
}
