import Maintenance
import Migrations
import Timekeeping
import Yams

/// Reads `maintain.jobs`: a mapping of names to what is said of each job.
struct MaintenanceSection {
  static let name = "maintain.jobs"
  /// As shown in messages.
  let path: String

  /// A job that is being read.
  struct Draft {
    var job: JobDefinition
    /// Whether the schedule is more than a placeholder.
    var isScheduled: Bool
  }

  /// The jobs of the file as it has them, each over the default of its name, and then the other defaults.
  ///
  /// - Throws: ``ConfigurationError`` with the place.
  func jobs(_ node: Node) throws(ConfigurationError) -> [JobDefinition] {
    let defaults = MaintenanceConfiguration.defaultJobs
    if case .scalar(let scalar) = node, scalar.string.isEmpty { return defaults }
    guard case .mapping(let mapping) = node else {
      throw error(
        "\"\(Self.name)\" is not a mapping of jobs", node,
        hint: "write for example:\nvacuum:\n  schedule: \"25 3 * * 0\"")
    }
    var jobs: [JobDefinition] = []
    for (key, value) in mapping {
      jobs.append(try job(key, value, defaults))
    }
    let named = Set(jobs.map(\.name))
    jobs += defaults.filter { !named.contains($0.name) }
    try checkOrder(jobs, mapping, node)
    return jobs
  }

  private func job(
    _ key: Node, _ value: Node, _ defaults: [JobDefinition]
  ) throws(ConfigurationError) -> JobDefinition {
    let name = key.scalar?.string ?? ""
    guard Self.isName(name) else {
      throw error(
        "\"\(name)\" cannot be the name of a job", key,
        hint:
          "a name has lower-case letters, digits and hyphens, begins with a letter, and is at most 40 long")
    }
    let entries = try mapping(value, "\(Self.name).\(name)")
    let known = defaults.first { $0.name == name }
    let kind = try kind(of: name, key, entries, known)
    var draft = Draft(
      job: known ?? JobDefinition(name: name, work: kind.work, schedule: .every(.seconds(86_400))),
      isScheduled: known != nil)
    if draft.job.work.kind != kind.name { draft.job.work = kind.work }
    let given = try fill(&draft, from: entries, JobKeys.common + kind.keys, "\(Self.name).\(name)")
    if given.contains("schedule"), given.contains("every"), let every = entries["every"] {
      throw error(
        "the job \"\(name)\" has a schedule and a span", every, hint: "keep one of \"schedule\" and \"every\""
      )
    }
    guard draft.isScheduled else {
      throw error(
        "the job \"\(name)\" has no schedule", key, hint: "add: schedule: \"15 2 * * *\", or: every: 1h")
    }
    if let missing = kind.required.first(where: { !given.contains($0) }) {
      throw error(
        "the job \"\(name)\" of the kind \(kind.name) has no \"\(missing)\"", key,
        hint: kind.keys.first { $0.name == missing }.map { "it takes \($0.expectation)" } ?? "add it")
    }
    return draft.job
  }

  private func kind(
    of name: String, _ key: Node, _ entries: Node.Mapping, _ known: JobDefinition?
  ) throws(ConfigurationError) -> JobKind {
    let kinds = JobKind.all.map(\.name)
    if let node = entries["kind"] {
      let text = node.scalar?.string ?? ""
      if let kind = JobKind.all.first(where: { $0.name == text }) { return kind }
      throw error(
        "unknown kind \"\(text)\" of the job \"\(name)\"", node,
        hint: EditDistance.nearest(to: text, in: kinds).map { "did you mean \"\($0)\"?" }
          ?? "it is one of: \(kinds.joined(separator: ", "))")
    }
    if let kind = JobKind.all.first(where: { $0.name == name }) { return kind }
    throw error(
      "the job \"\(name)\" has no kind", key,
      hint: EditDistance.nearest(to: name, in: kinds).map { "did you mean the job \"\($0)\"?" }
        ?? "add: kind: and one of \(kinds.joined(separator: ", "))")
  }

  private func checkOrder(
    _ jobs: [JobDefinition], _ mapping: Node.Mapping, _ node: Node
  ) throws(ConfigurationError) {
    let names = jobs.map(\.name)
    for (_, value) in mapping {
      guard let after = value.mapping?["only_after"] else { continue }
      for item in after.sequence.map(Array.init) ?? [after] {
        guard let name = item.scalar?.string, !names.contains(name) else { continue }
        throw error(
          "\"only_after\" names the job \"\(name)\", which does not exist", item,
          hint: EditDistance.nearest(to: name, in: names).map { "did you mean \"\($0)\"?" }
            ?? "the jobs are: \(names.joined(separator: ", "))")
      }
    }
    do {
      _ = try DueDecision.ordered(jobs)
    } catch {
      throw self.error(error.message, node, hint: error.hint ?? "take a name out of only_after")
    }
  }

  static func isName(_ name: String) -> Bool {
    guard let first = name.utf8.first, name.utf8.count <= 40 else { return false }
    let letters = UInt8(ascii: "a")...UInt8(ascii: "z")
    return letters.contains(first)
      && name.utf8.allSatisfy {
        letters.contains($0) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
          || $0 == UInt8(ascii: "-")
      }
  }
}

extension MaintenanceSection {
  /// Applies each entry of a mapping.
  ///
  /// - Parameter prefix: of the keys in messages.
  /// - Returns: the names that were given.
  func fill<Target>(
    _ target: inout Target, from mapping: Node.Mapping, _ keys: [SectionKey<Target>], _ prefix: String
  ) throws(ConfigurationError) -> Set<String> {
    var given: Set<String> = []
    for (node, value) in mapping {
      let name = node.scalar?.string ?? ""
      guard let key = keys.first(where: { $0.name == name }) else {
        let known = keys.map(\.name)
        throw error(
          "unknown key \"\(prefix).\(name)\"", node,
          hint: EditDistance.nearest(to: name, in: known).map { "did you mean \"\($0)\"?" }
            ?? "its keys are: \(known.joined(separator: ", "))")
      }
      guard try key.apply(&target, Entry(value: value, name: "\(prefix).\(name)", section: self)) else {
        throw error(
          "\"\(prefix).\(name)\" cannot take this value", value, hint: "it takes \(key.expectation)")
      }
      given.insert(name)
    }
    return given
  }

  /// The mappings of a list, each with the keys that it must have.
  func list<Target>(
    _ entry: Entry, of empty: Target, _ keys: [SectionKey<Target>], required: [String]
  ) throws(ConfigurationError) -> [Target]? {
    guard case .sequence(let sequence) = entry.value, !sequence.isEmpty else { return nil }
    var targets: [Target] = []
    for item in sequence {
      var target = empty
      let given = try fill(&target, from: try mapping(item, entry.name), keys, entry.name)
      if let missing = required.first(where: { !given.contains($0) }) {
        throw error(
          "an entry of \"\(entry.name)\" has no \"\(missing)\"", item,
          hint: keys.first { $0.name == missing }.map { "it takes \($0.expectation)" } ?? "add it")
      }
      targets.append(target)
    }
    return targets
  }

  private func mapping(_ node: Node, _ name: String) throws(ConfigurationError) -> Node.Mapping {
    switch node {
    case .mapping(let mapping): return mapping
    case .scalar(let scalar) where scalar.string.isEmpty: return Node.Mapping([])
    default:
      throw error("\"\(name)\" is not a mapping of keys", node, hint: "write each as \"key: value\"")
    }
  }

  func error(_ summary: String, _ node: Node, hint: String) -> ConfigurationError {
    ConfigurationError(
      summary, hint: hint,
      location: node.mark.map { SourceLocation(path: path, line: $0.line, column: $0.column) })
  }
}

/// What stands behind a key.
struct Entry {
  let value: Node
  /// Of the key, with all sections before it.
  let name: String
  let section: MaintenanceSection

  /// nil for a list or a mapping.
  var text: String? { value.scalar?.string }
  var span: Duration? { text.flatMap { Duration(spanText: $0) } }

  /// nil for a mapping, and a list that holds more than scalars or nothing.
  var texts: [String]? {
    if let text { return text.isEmpty ? nil : [text] }
    guard let sequence = value.sequence, !sequence.isEmpty else { return nil }
    let texts = sequence.compactMap { $0.scalar?.string }
    return texts.count == sequence.count && texts.allSatisfy { !$0.isEmpty } ? texts : nil
  }

  var isList: Bool { value.sequence != nil }

  var bool: Bool? {
    switch text {
    case "true": true
    case "false": false
    default: nil
    }
  }

  func number(_ range: ClosedRange<Int>) -> Int? {
    text.flatMap { Int($0) }.flatMap { range.contains($0) ? $0 : nil }
  }

  /// Bytes, in the units of PostgreSQL's settings: 1 kB is 1024 bytes.
  var size: Int64? {
    let units: [(suffix: String, bytes: Int64)] = [
      ("kB", 1 << 10), ("MB", 1 << 20), ("GB", 1 << 30), ("TB", 1 << 40),
    ]
    guard let text, let unit = units.first(where: { text.hasSuffix($0.suffix) }),
      case let digits = text.dropLast(2), !digits.isEmpty, digits.allSatisfy({ $0.isASCII && $0.isNumber }),
      let count = Int64(digits), count <= 1 << 20
    else { return nil }
    return count * unit.bytes
  }

  /// `schema.name`.
  var relation: String? {
    guard let text, Self.isQualified(text) else { return nil }
    return text
  }

  /// Names with their schemas, which may hold `*`.
  var relations: [String]? {
    guard let texts, texts.allSatisfy(Self.isQualified) else { return nil }
    return texts
  }

  private static func isQualified(_ text: String) -> Bool {
    let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    return parts.count == 2 && parts.allSatisfy { !$0.isEmpty && !$0.utf8.contains(0) }
  }
}

/// A key of a mapping: what it takes, and where that goes.
struct SectionKey<Target>: Sendable {
  let name: String
  let expectation: String
  /// False for a value that the key does not take.
  let apply: @Sendable (inout Target, Entry) throws(ConfigurationError) -> Bool

  init(
    _ name: String, _ expectation: String,
    _ apply: @escaping @Sendable (inout Target, Entry) throws(ConfigurationError) -> Bool
  ) {
    self.name = name
    self.expectation = expectation
    self.apply = apply
  }

  /// Sets what `read` returns.
  init<Value>(
    _ name: String, _ expectation: String, _ place: any WritableKeyPath<Target, Value> & Sendable,
    _ read: @escaping @Sendable (Entry) -> Value?
  ) {
    self.init(name, expectation) { target, entry in
      guard let value = read(entry) else { return false }
      target[keyPath: place] = value
      return true
    }
  }
}
