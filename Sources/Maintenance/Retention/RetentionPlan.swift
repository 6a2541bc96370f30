import Postgres
import Timekeeping

/// How the old rows of one table are deleted, decided from facts.
struct RetentionPlan: Sendable, Equatable {
  /// How old rows are found.
  enum Path: Sendable, Equatable {
    /// By these indexes, oldest first.
    case indexes([String])
    /// Table by table and page by page.
    case pages
  }

  let rule: RetentionRule
  let facts: RetentionFacts
  let path: Path
  /// The expiry column, quoted where SQL needs it.
  let column: String
  let moment: RetentionFacts.Moment
  /// Rows older than this go; fixed for the whole run.
  let cutoff: UTCTime

  /// - Throws: ``MaintenanceError`` with the reason of refusal and what would help.
  static func decide(
    _ rule: RetentionRule, _ facts: RetentionFacts, now: UTCTime
  ) throws(MaintenanceError) -> RetentionPlan {
    func refusal(_ message: String, detail: String? = nil, hint: String) -> MaintenanceError {
      MaintenanceError(.failed, message, detail: detail, hint: hint)
    }
    guard rule.keep >= .zero, rule.maxRows > 0, rule.maxBytes > 0, rule.batchTime > .zero else {
      throw refusal(
        "the rule for \(facts.name) has a negative span or an empty batch", hint: "correct keep and the caps")
    }
    guard ["r", "p"].contains(facts.kind) else {
      throw refusal(
        "\(facts.name) is not a table", hint: "retention deletes from tables and partitioned tables only")
    }
    guard let column = facts.column else {
      throw refusal("\(facts.name) has no column \"\(rule.column)\"", hint: "correct the rule's column")
    }
    guard let moment = facts.moment else {
      throw refusal(
        "column \(column) of \(facts.name) is of type \(facts.type)",
        hint: "retention needs a column of type timestamptz, timestamp or date")
    }
    guard facts.missingRights.isEmpty else {
      throw refusal(
        "no right to \(facts.missingRights.joined(separator: ", ")) on \(facts.name)",
        hint: "grant \(facts.missingRights.joined(separator: ", ")) on \(facts.name) to "
          + (facts.rights.owner.map { Quoting.identifier($0.name) } ?? "the role of tsdb maintain")
      )
    }
    if let foreign = facts.leaves.first(where: \.isForeign) {
      throw refusal(
        "\(foreign.name) is a foreign table", hint: "run retention on the server that holds the partition")
    }
    return RetentionPlan(
      rule: rule, facts: facts, path: try path(rule, facts, column), column: column, moment: moment,
      cutoff: now + -rule.keep.wholeSeconds)
  }

  private static func path(
    _ rule: RetentionRule, _ facts: RetentionFacts, _ column: String
  ) throws(MaintenanceError) -> Path {
    guard !rule.allowsSequentialScan else {
      let indexes = facts.leaves.map { usableIndex(of: $0, facts) }
      return indexes.contains(nil) ? .pages : .indexes(indexes.compactMap { $0 })
    }
    if let child = facts.unindexedChildren.first {
      throw MaintenanceError(
        .failed, "each row deleted from \(facts.name) would scan the whole of \(child.table)",
        detail: "The foreign key \"\(child.constraint)\" has no index on its column \(child.columns).",
        hint: "create index concurrently on \(child.table) (\(child.columns))")
    }
    var indexes: [String] = []
    for leaf in facts.leaves {
      guard let index = usableIndex(of: leaf, facts) else {
        let partial = leaf.indexes.first.map {
          "The index \"\($0.name)\" is partial, and the rule's condition does not imply its predicate."
        }
        throw MaintenanceError(
          .failed, "\(leaf.name) has no usable index on \(column)",
          detail: partial ?? "Each batch would read the whole table.",
          hint:
            "create index concurrently on \(leaf.name) (\(column)), or let the rule allow a sequential scan")
      }
      indexes.append(index)
    }
    return .indexes(indexes)
  }

  private static func usableIndex(of leaf: RetentionFacts.Leaf, _ facts: RetentionFacts) -> String? {
    leaf.indexes.first { $0.predicate == nil || facts.plannedIndexes.contains($0.name) }?.name
  }
}

extension RetentionPlan {
  /// Reads what there is to know, and decides.
  ///
  /// - Throws: ``MaintenanceError`` where the rule cannot be followed; `PostgresError`.
  static func make(_ rule: RetentionRule, now: UTCTime, on connection: borrowing Connection) throws
    -> RetentionPlan
  {
    var facts = try RetentionFacts.read(rule, on: connection)
    try check(rule, facts, on: connection)
    // Whether a condition implies a predicate the planner knows best.
    let hasOnlyPartial = facts.leaves.contains { leaf in
      !leaf.indexes.isEmpty && leaf.indexes.allSatisfy { $0.predicate != nil }
    }
    if hasOnlyPartial, let column = facts.column, let moment = facts.moment {
      let statements = RetentionStatements(
        rule: rule, facts: facts, column: column, moment: moment, cutoff: now + -rule.keep.wholeSeconds)
      facts.plannedIndexes = try statements.plannedIndexes(on: connection)
    }
    return try RetentionPlan.decide(rule, facts, now: now)
  }

  /// Fails unless the condition is one expression, and boolean: in parentheses and in brackets, so that none can close
  /// what it did not open and leave the cutoff aside.
  static func probe(_ condition: String, _ table: String) -> String {
    "select array[\(condition)\n]::boolean[] from \(table) as t where (\(condition)\n) limit 0"
  }

  private static func check(
    _ rule: RetentionRule, _ facts: RetentionFacts, on connection: borrowing Connection
  ) throws {
    guard let condition = rule.condition, ["r", "p"].contains(facts.kind), facts.missingRights.isEmpty else {
      return
    }
    do {
      let rights = facts.rights
      try rights.prepare(on: connection)
      if rights.owner != nil { try connection.execute("begin read only") }
      defer { if rights.owner != nil { _ = try? connection.execute("rollback") } }
      // By the extended protocol: one statement only, which a condition with a semicolon is not.
      let rows = try rights.query(
        probe(condition, facts.name), columns: "kept boolean[]", on: connection)
      _ = rows.rowCount
    } catch let error as PostgresError {
      guard error.origin == .server, !error.isInsufficientPrivilege else { throw error }
      throw MaintenanceError(
        .invalidInput, "the condition of the rule for \(facts.name) cannot be used: \(error.message)",
        detail: error.detail,
        hint: error.hint ?? "correct the rule's condition; names outside the table need their schema",
        sqlState: error.sqlState)
    }
  }
}
