/// The commands PostgreSQL refuses inside a transaction block (the callers of `PreventInTransactionBlock`).
enum TransactionRestrictions {
  private static func refused(_ command: String) -> String {
    "\(command) cannot run inside a transaction block"
  }

  /// Why the statement cannot run in a transaction block, from its tree.
  static func reason(tree: ProtobufMessage, kind: StatementKind) -> String? {
    switch kind {
    case .createIndex(let index): index.concurrently ? refused("create index concurrently") : nil
    case .dropIndex(_, let concurrently): concurrently ? refused("drop index concurrently") : nil
    case .reindex(let scope, _, let concurrently): reindex(scope, concurrently: concurrently)
    case .detachPartitionConcurrently: refused("alter table ... detach partition concurrently")
    case .vacuum: refused("vacuum")
    case .createDatabase: refused("create database")
    case .dropDatabase: refused("drop database")
    case .alterSystem: refused("alter system")
    case .transactionControl(.commitPrepared): refused("commit prepared")
    case .transactionControl(.rollbackPrepared): refused("rollback prepared")
    default: reason(otherTree: tree)
    }
  }

  private static func reindex(_ scope: ReindexScope, concurrently: Bool) -> String? {
    if concurrently { return refused("reindex concurrently") }
    switch scope {
    case .index, .table: return nil
    case .schema, .database, .system: return refused("reindex \(scope.rawValue)")
    }
  }

  private static func reason(otherTree tree: ProtobufMessage) -> String? {
    switch tree.type {
    case .createTableSpaceStmt: refused("create tablespace")
    case .dropTableSpaceStmt: refused("drop tablespace")
    case .clusterStmt: tree.message("relation") == nil ? refused("cluster without a table") : nil
    case .discardStmt: tree.enumName("target") == "DISCARD_ALL" ? refused("discard all") : nil
    case .alterDatabaseStmt:
      tree.hasOption("tablespace", in: "options") ? refused("alter database ... set tablespace") : nil
    case .createSubscriptionStmt:
      tree.isOptionOff("create_slot") || tree.isOptionOff("connect")
        ? nil : refused("create subscription with a replication slot")
    case .dropSubscriptionStmt: refused("drop subscription with a replication slot")
    case .alterSubscriptionStmt: alterSubscription(tree)
    default: nil
    }
  }

  private static func alterSubscription(_ tree: ProtobufMessage) -> String? {
    switch tree.enumName("kind") {
    case "ALTER_SUBSCRIPTION_REFRESH": refused("alter subscription ... refresh publication")
    case "ALTER_SUBSCRIPTION_SET_PUBLICATION", "ALTER_SUBSCRIPTION_ADD_PUBLICATION",
      "ALTER_SUBSCRIPTION_DROP_PUBLICATION":
      tree.isOptionOff("refresh") ? nil : refused("alter subscription with refresh")
    default: nil
    }
  }

  /// The same from the first words, for a statement the parser does not know.
  static func reason(words: LeadingWords) -> String? {
    switch words[0] {
    case "vacuum": refused("vacuum")
    case "create", "drop", "alter":
      if words.contains("concurrently") {
        refused("\(words.commandTag.lowercased()) concurrently")
      } else {
        reason(verb: words[0], object: words[1])
      }
    case "reindex":
      if words.contains("concurrently") {
        refused("reindex concurrently")
      } else if words.contains("database") || words.contains("system") || words.contains("schema") {
        refused("reindex of more than one table")
      } else {
        nil
      }
    case "commit", "rollback": words[1] == "prepared" ? refused("\(words[0]) prepared") : nil
    case "discard": words[1] == "all" ? refused("discard all") : nil
    default: nil
    }
  }

  private static func reason(verb: String, object: String) -> String? {
    switch (verb, object) {
    case ("alter", "system"), ("create", "database"), ("drop", "database"), ("create", "tablespace"),
      ("drop", "tablespace"), ("create", "subscription"), ("drop", "subscription"):
      refused("\(verb) \(object)")
    default: nil
    }
  }
}

extension ProtobufMessage {
  /// Whether a list of options has one of this name that is not switched off.
  func hasOption(_ name: String, in field: String) -> Bool {
    messages(field).contains { $0.string("defname") == name && !$0.isOff }
  }

  fileprivate func isOptionOff(_ name: String) -> Bool {
    messages("options").contains { $0.string("defname") == name && $0.isOff }
  }

  /// An option given as false, off, no or 0.
  private var isOff: Bool {
    guard let value = message("arg") else { return false }
    let offWords: Set<String> = ["false", "off", "no"]
    switch value.type {
    case .string: return offWords.contains(value.string("sval").lowercased())
    // A bare word is a type name to the grammar.
    case .typeName: return offWords.contains(value.messages("names").last?.string("sval") ?? "")
    case .integer: return value.int("ival") == 0
    case .boolean: return !value.bool("boolval")
    default: return false
    }
  }
}
