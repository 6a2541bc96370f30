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
    let known = ConfigurationKey.all.map(\.name)
    let sectionNames = Set(known.compactMap { $0.split(separator: ".").first.map(String.init) })
    for (sectionNode, content) in sections {
      let section = sectionNode.string ?? ""
      guard sectionNames.contains(section) else {
        throw unknown(section, sectionNode, path, candidates: sectionNames.sorted())
      }
      if case .scalar(let scalar) = content, scalar.string.isEmpty { continue }
      guard case .mapping(let entries) = content else {
        throw error("\"\(section)\" is not a mapping of keys", content, path, hint: keysHint(section, known))
      }
      for (keyNode, value) in entries {
        let name = "\(section).\(keyNode.string ?? "")"
        guard let key = ConfigurationKey.all.first(where: { $0.name == name }) else {
          throw unknown(name, keyNode, path, candidates: known)
        }
        guard let values = values(of: value), key.apply(&configuration, values) else {
          throw error("\"\(name)\" cannot take this value", value, path, hint: "it takes \(key.expectation)")
        }
      }
    }
    return configuration
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
    let keys = known.filter { $0.hasPrefix(section + ".") }.map { $0.dropFirst(section.count + 1) }
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
