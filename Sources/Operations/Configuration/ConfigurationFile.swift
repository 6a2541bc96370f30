import Migrations
import SQLSyntax
import Yams

/// Reads `tsdb.yaml`.
enum ConfigurationFile {
  /// The configuration that `text` describes.
  ///
  /// - Parameter path: as shown in messages.
  /// - Throws: ``ConfigurationError`` with the place: malformed YAML, an unknown key (with the
  ///   nearest valid one), a key given twice, a value that the key does not take.
  static func parse(_ text: String, path: String) throws(ConfigurationError) -> ProjectConfiguration {
    var configuration = ProjectConfiguration()
    guard let root = try compose(text, path: path) else { return configuration }
    // A document without content.
    if case .scalar(let scalar) = root, scalar.string.isEmpty { return configuration }
    guard case .mapping(let sections) = root else {
      throw error(
        "the file is not a mapping of sections", root, path,
        hint: "write for example:\nmigrate:\n  lock_timeout: 1s")
    }
    try apply(sections, below: "", to: &configuration, path: path)
    return configuration
  }

  /// - Parameter prefix: of the names of the mapping's keys: empty, or a section with a dot at its end.
  private static func apply(
    _ mapping: Node.Mapping, below prefix: String, to configuration: inout ProjectConfiguration, path: String
  ) throws(ConfigurationError) {
    let known = ConfigurationKey.all.map(\.name) + [MaintenanceSection.name]
    for (node, value) in mapping {
      let name = prefix + (node.string ?? "")
      if name == MaintenanceSection.name {
        configuration.maintenance.jobs = try MaintenanceSection(path: path).jobs(value)
      } else if let key = ConfigurationKey.all.first(where: { $0.name == name }) {
        guard let values = values(of: value), key.apply(&configuration, values) else {
          throw error("\"\(name)\" cannot take this value", value, path, hint: "it takes \(key.expectation)")
        }
      } else if known.contains(where: { $0.hasPrefix(name + ".") }), !name.hasSuffix(".") {
        if case .scalar(let scalar) = value, scalar.string.isEmpty { continue }
        guard case .mapping(let entries) = value else {
          throw error("\"\(name)\" is not a mapping of keys", value, path, hint: keysHint(name, known))
        }
        try apply(entries, below: name + ".", to: &configuration, path: path)
      } else {
        throw unknown(name, node, path, candidates: candidates(below: prefix, known))
      }
    }
  }

  /// At the top the sections; in one, every key there is: it may belong into another.
  private static func candidates(below prefix: String, _ known: [String]) -> [String] {
    guard prefix.isEmpty else { return known }
    return Set(known.compactMap { $0.split(separator: ".").first.map(String.init) }).sorted()
  }

  private static func compose(_ text: String, path: String) throws(ConfigurationError) -> Node? {
    do {
      return try Yams.compose(yaml: text)
    } catch let failure as YamlError {
      throw explanation(of: failure, path: path)
    } catch {
      throw ConfigurationError("the YAML cannot be read", hint: "check the file's indentation and quotes")
    }
  }

  private static func explanation(of failure: YamlError, path: String) -> ConfigurationError {
    func located(_ summary: String, _ mark: Mark?) -> ConfigurationError {
      ConfigurationError(
        "the YAML cannot be read: \(summary)", hint: "check the indentation (spaces, no tabs) and the quotes",
        location: mark.map { SourceLocation(path: path, line: $0.line, column: $0.column) })
    }
    switch failure {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
      .composer(_, let problem, let mark, _):
      return located(problem, mark)
    case .duplicatedKeysInMapping(let duplicates, let context):
      let names = duplicates.map { "\"\($0)\"" }.sorted().joined(separator: ", ")
      return located("the key \(names) is given twice", context.mark)
    default:
      return located("it is not valid", nil)
    }
  }

  private static func values(of node: Node) -> [String]? {
    switch node {
    case .scalar(let scalar): [scalar.string]
    case .sequence(let sequence):
      sequence.allSatisfy { $0.scalar != nil } ? sequence.compactMap { $0.scalar?.string } : nil
    default: nil
    }
  }

  private static func unknown(_ name: String, _ node: Node, _ path: String, candidates: [String])
    -> ConfigurationError
  {
    // A key without its section is found by its last part.
    let whole = ConfigurationKey.all.map(\.name).first { $0.hasSuffix("." + name) }
    let nearest = whole ?? EditDistance.nearest(to: name, in: candidates)
    return error(
      "unknown key \"\(name)\"", node, path,
      hint: nearest.map { "did you mean \"\($0)\"?" } ?? "known keys: \(candidates.joined(separator: ", "))")
  }

  private static func keysHint(_ section: String, _ known: [String]) -> String {
    var keys: [Substring] = []
    for name in known where name.hasPrefix(section + ".") {
      let key = name.dropFirst(section.count + 1).prefix { $0 != "." }
      if !keys.contains(key) { keys.append(key) }
    }
    return "its keys are: \(keys.joined(separator: ", "))"
  }

  private static func error(_ summary: String, _ node: Node, _ path: String, hint: String)
    -> ConfigurationError
  {
    ConfigurationError(
      summary, hint: hint,
      location: node.mark.map { SourceLocation(path: path, line: $0.line, column: $0.column) })
  }
}
