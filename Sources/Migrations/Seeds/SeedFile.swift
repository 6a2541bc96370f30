import SQLSyntax

/// A file of initial rows.
///
/// Only inserts that leave existing rows alone are allowed, so that running it again never
/// overwrites what an operator changed.
struct PreparedSeed: Sendable {
  let file: MigrationFile
  let prepared: PreparedScript

  /// - Throws: ``MigrationError`` of kind `invalidInput`, with the place.
  init(_ file: MigrationFile) throws(MigrationError) {
    self.file = file
    prepared = try PreparedScript(file)
    for statement in prepared.statements {
      guard let reason = Self.refusal(of: statement) else { continue }
      throw MigrationError(
        .invalidInput, "\(statement.commandTag) is not allowed in a seed: \(reason)",
        detail: "A seed inserts initial rows and leaves rows that are there as they are.",
        hint:
          "use: insert into … on conflict (…) do nothing; a change of existing rows belongs in a migration",
        location: prepared.location(of: statement), excerpt: prepared.excerpt(of: statement))
    }
  }

  private static func refusal(of statement: SQLStatement) -> String? {
    if statement.changesRowsInWith { return "its WITH clause changes rows" }
    if !statement.isAnalysed { return "the parser does not know it" }
    return switch statement.kind {
    case .insert(.ignores), .insert(.selects), .select: nil
    case .insert(.overwrites): "it overwrites existing rows"
    case .insert(.fails): "without ON CONFLICT DO NOTHING it cannot run twice"
    case .insert(.unknown): "the parser does not know it"
    case .other where statement.isSessionSetting: nil
    default: "it does more than insert"
    }
  }
}
