import HeapModule
import SQLSyntax

/// How files that require nothing of one another are ordered.
public enum OrderPolicy: String, Sendable, CaseIterable {
  /// Only `requires` orders files; ties by name.
  case dependencies
  /// Every file requires all files before it by name, as in directories numbered 0001_, 0002_ ….
  case names
}

/// The order of files in which every file comes after what it requires.
public struct DependencyOrder: Sendable {
  public let files: [MigrationFile]
  let policy: OrderPolicy
  private let positions: [String: Int]

  /// Sorts topologically; among files that are free to run, the one with the least name is first.
  ///
  /// - Throws: ``MigrationError`` of kind `invalidInput` for a requirement that does not exist
  ///   and for a cycle, which is printed as a path.
  public init(_ unordered: [MigrationFile], policy: OrderPolicy = .dependencies) throws(MigrationError) {
    let files = unordered.sorted { $0.name < $1.name }
    var index: [String: Int] = [:]
    for (position, file) in files.enumerated() { index[file.name] = position }

    var dependents = [[Int]](repeating: [], count: files.count)
    var missingCount = [Int](repeating: 0, count: files.count)
    for (position, file) in files.enumerated() {
      for requirement in file.directives.requirements {
        guard let required = index[requirement.name] else {
          throw Self.unknown(requirement, in: file, known: files.map(\.name))
        }
        guard policy == .dependencies || required < position else {
          if required == position { throw Self.cycle([file.name, file.name], files: files) }
          throw Self.againstNames(requirement, in: file)
        }
        dependents[required].append(position)
        missingCount[position] += 1
      }
    }

    var free = Heap(missingCount.indices.filter { missingCount[$0] == 0 })
    var order: [Int] = []
    while let next = free.popMin() {
      order.append(next)
      for dependent in dependents[next] {
        missingCount[dependent] -= 1
        if missingCount[dependent] == 0 { free.insert(dependent) }
      }
    }
    guard order.count == files.count else {
      throw Self.cycle(Self.findCycle(files, index: index, remaining: missingCount), files: files)
    }
    self.files = order.map { files[$0] }
    self.policy = policy
    var positions: [String: Int] = [:]
    for (position, file) in self.files.enumerated() { positions[file.name] = position }
    self.positions = positions
  }

  /// Whether `name` is sure to run after `other`.
  public func requires(_ name: String, _ other: String) -> Bool {
    guard let position = positions[name] else { return false }
    if policy == .names, let earlier = positions[other] { return earlier < position }
    var pending = [name]
    var visited: Set<String> = [name]
    while let current = pending.popLast() {
      guard let position = positions[current] else { continue }
      for requirement in files[position].directives.requirements
      where visited.insert(requirement.name).inserted {
        if requirement.name == other { return true }
        pending.append(requirement.name)
      }
    }
    return false
  }

  /// Whether a requirement of `other` could be written into the file `name`: not where names rule it out.
  func mayRequire(_ name: String, _ other: String) -> Bool { policy == .dependencies || other < name }

  private static func unknown(
    _ requirement: Directives.Requirement, in file: MigrationFile, known: [String]
  ) -> MigrationError {
    let nearest = EditDistance.nearest(to: requirement.name, in: known.filter { $0 != file.name })
    return MigrationError(
      .invalidInput, "\"\(file.name)\" requires \"\(requirement.name)\", which does not exist",
      hint: nearest.map { "did you mean \"\($0)\"?" } ?? "add the file, or remove the requirement",
      location: SourceLocation(path: file.path, line: requirement.line, column: requirement.column),
      excerpt: SourceText(file.text).excerpt(line: requirement.line, column: requirement.column))
  }

  private static func againstNames(
    _ requirement: Directives.Requirement, in file: MigrationFile
  ) -> MigrationError {
    MigrationError(
      .invalidInput, "\"\(file.name)\" requires \"\(requirement.name)\", which comes later by name",
      detail: "The files are ordered by name (\"order: names\" in tsdb.yaml).",
      hint: "rename one of the two files, or set \"order: dependencies\"",
      location: SourceLocation(path: file.path, line: requirement.line, column: requirement.column),
      excerpt: SourceText(file.text).excerpt(line: requirement.line, column: requirement.column))
  }

  private static func cycle(_ path: [String], files: [MigrationFile]) -> MigrationError {
    let file = files.first { $0.name == path.first }
    let requirement = file?.directives.requirements.first { path.count > 1 && $0.name == path[1] }
    var location: SourceLocation?
    if let file, let requirement {
      location = SourceLocation(path: file.path, line: requirement.line, column: requirement.column)
    }
    return MigrationError(
      .invalidInput, "the requirements form a cycle: \(path.joined(separator: " -> "))",
      hint: "remove one of these requirements, or move what both need into a file of its own",
      location: location)
  }

  /// Follows unmet requirements until a file comes up again.
  private static func findCycle(
    _ files: [MigrationFile], index: [String: Int], remaining: [Int]
  ) -> [String] {
    guard var current = remaining.firstIndex(where: { $0 > 0 }) else { return [] }
    var path: [Int] = []
    while !path.contains(current) {
      path.append(current)
      let next = files[current].directives.requirements
        .compactMap { index[$0.name] }
        .first { remaining[$0] > 0 }
      guard let next else { break }
      current = next
    }
    let start = path.firstIndex(of: current) ?? 0
    return (path[start...] + [current]).map { files[$0].name }
  }
}
