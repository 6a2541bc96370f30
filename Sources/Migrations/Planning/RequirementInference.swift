import SQLSyntax

/// Finds uses of another file's objects that no requirement covers.
public struct RequirementInference: Sendable {
  /// Who creates what: object to the names of the files that create it.
  private var creators: [ObjectKey: [String]] = [:]
  private let order: DependencyOrder

  /// An object as it is looked up: names without a schema mean `public`, the only schema that
  /// PostgreSQL searches by default besides one named like the user.
  private struct ObjectKey: Hashable {
    let kind: ObjectReference.Kind
    let schema: String
    let name: String

    init(_ reference: ObjectReference) {
      kind = reference.kind
      schema = reference.schema ?? "public"
      name = reference.name
    }
  }

  public init(order: DependencyOrder) {
    self.order = order
  }

  /// Records that `file` creates `objects`.
  public mutating func add(_ objects: [ObjectReference], createdBy file: String) {
    for object in objects {
      let key = ObjectKey(object)
      if creators[key]?.contains(file) != true { creators[key, default: []].append(file) }
    }
  }

  /// The first use in `script` of an object that only files outside the requirements create.
  ///
  /// Objects that nobody creates are the server's business: they may have been there before.
  public func check(_ script: SQLScript, of file: MigrationFile) -> MigrationError? {
    for statement in script.statements {
      for use in statement.uses {
        guard let files = creators[ObjectKey(use)], !files.contains(file.name),
          !files.contains(where: { order.requires(file.name, $0) }), let owner = files.sorted().first
        else { continue }
        let position = statement.start
        return MigrationError(
          .invalidInput, "\"\(file.name)\" uses \(use) of \"\(owner)\" without requiring it",
          detail: "Without the requirement the order of the two files is a matter of their names.",
          hint: order.mayRequire(file.name, owner)
            ? "add this line at the top of \(file.path):\n      -- tsdb: requires \(Directives.written(owner))"
            : "rename \(file.path) so that it comes after \"\(owner)\"",
          location: SourceLocation(path: file.path, line: position.line, column: position.column),
          excerpt: script.source.excerpt(at: position))
      }
    }
    return nil
  }
}
