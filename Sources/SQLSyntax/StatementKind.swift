/// What a statement does, as far as a runner must know it.
public enum StatementKind: Sendable, Hashable {
  /// Also `create table as`, `select into` and foreign tables.
  case createTable(ObjectReference)
  case createIndex(IndexCreation)
  case dropIndex([ObjectReference], concurrently: Bool)
  /// `target` is `nil` when it names none, which later versions allow.
  case reindex(ReindexScope, target: ObjectReference?, concurrently: Bool)
  case createView(ObjectReference)
  case createMaterializedView(ObjectReference)
  case refreshMaterializedView(ObjectReference, concurrently: Bool)
  /// Also a procedure.
  case createFunction(ObjectReference)
  /// Also of indexes, views and sequences.
  case alterTable(ObjectReference)
  case detachPartitionConcurrently(table: ObjectReference, partition: ObjectReference)
  case addEnumValue(type: ObjectReference, value: String, ifNotExists: Bool)
  case insert(RowConflict)
  case update
  case delete
  case merge
  case select
  case call
  case copy
  case doBlock
  case vacuum
  case analyze
  case createDatabase(String)
  case dropDatabase(String)
  case alterSystem
  case transactionControl(TransactionControl)
  /// Everything else; `commandTag` tells what.
  case other
}

/// What `create index` is to build.
public struct IndexCreation: Sendable, Hashable {
  /// The index; `nil` when PostgreSQL is to choose the name.
  public let index: ObjectReference?
  /// The table it is on.
  public let table: ObjectReference
  /// Whether it is built without blocking writes.
  public let concurrently: Bool
  /// Whether an index of that name, valid or not, makes it do nothing.
  public let ifNotExists: Bool
  /// Whether it enforces uniqueness.
  public let unique: Bool
}

/// What an insertion does about rows that are there already.
public enum RowConflict: Sendable, Hashable {
  /// It fails.
  case fails
  /// `on conflict do nothing`.
  case ignores
  /// `on conflict do update`.
  case overwrites
  /// It inserts what a query with a condition selects, such as `where not exists (…)`.
  case selects
  /// The statement was not analysed.
  case unknown
}

/// What `reindex` rebuilds.
public enum ReindexScope: String, Sendable, Hashable {
  case index, table, schema, database, system
}

/// The statements that control transactions.
public enum TransactionControl: Sendable, Hashable {
  /// `begin` or `start transaction`; `hasModes` when it sets an isolation level, read only or deferrable.
  case begin(hasModes: Bool)
  /// `commit` or `end`; `chain` when the next transaction starts at once.
  case commit(chain: Bool)
  /// `rollback` or `abort`.
  case rollback
  case savepoint
  case releaseSavepoint
  case rollbackToSavepoint
  case prepareTransaction
  case commitPrepared
  case rollbackPrepared
}

extension StatementKind {
  init(tree: ProtobufMessage) {
    switch tree.type {
    case .createStmt: self = Self.relation(tree, "relation").map(Self.createTable) ?? .other
    case .createForeignTableStmt:
      self =
        tree.message("base_stmt").flatMap { Self.relation($0, "relation") }.map(Self.createTable) ?? .other
    case .createTableAsStmt: self = Self.createTableAs(tree)
    case .viewStmt: self = Self.relation(tree, "view").map(Self.createView) ?? .other
    case .createFunctionStmt:
      self = ObjectReference(.function, names: tree.messages("funcname")).map(Self.createFunction) ?? .other
    case .indexStmt: self = IndexCreation(tree: tree).map(Self.createIndex) ?? .other
    case .dropStmt: self = Self.drop(tree)
    case .reindexStmt: self = Self.reindex(tree)
    case .refreshMatViewStmt:
      self =
        Self.relation(tree, "relation").map {
          .refreshMaterializedView($0, concurrently: tree.bool("concurrent"))
        } ?? .other
    case .alterTableStmt: self = Self.alterTable(tree)
    case .alterEnumStmt: self = Self.alterEnum(tree)
    case .insertStmt: self = .insert(RowConflict(insertion: tree))
    case .updateStmt: self = .update
    case .deleteStmt: self = .delete
    case .mergeStmt: self = .merge
    case .selectStmt: self = Self.select(tree)
    case .callStmt: self = .call
    case .copyStmt: self = .copy
    case .doStmt: self = .doBlock
    case .vacuumStmt: self = tree.bool("is_vacuumcmd") ? .vacuum : .analyze
    case .createdbStmt: self = .createDatabase(tree.string("dbname"))
    case .dropdbStmt: self = .dropDatabase(tree.string("dbname"))
    case .alterSystemStmt: self = .alterSystem
    case .transactionStmt: self = TransactionControl(tree: tree).map(Self.transactionControl) ?? .other
    default: self = .other
    }
  }

  private static func relation(_ tree: ProtobufMessage, _ field: String) -> ObjectReference? {
    tree.message(field).map { ObjectReference(.relation, rangeVar: $0) }
  }

  private static func createTableAs(_ tree: ProtobufMessage) -> StatementKind {
    guard let target = tree.message("into").flatMap({ relation($0, "rel") }) else { return .other }
    return tree.enumName("objtype") == "OBJECT_MATVIEW"
      ? .createMaterializedView(target) : .createTable(target)
  }

  private static func select(_ tree: ProtobufMessage) -> StatementKind {
    tree.message("into_clause").flatMap { relation($0, "rel") }.map(Self.createTable) ?? .select
  }

  private static func drop(_ tree: ProtobufMessage) -> StatementKind {
    guard tree.enumName("remove_type") == "OBJECT_INDEX" else { return .other }
    let indexes = tree.messages("objects").compactMap {
      ObjectReference(.relation, names: $0.messages("items"))
    }
    return .dropIndex(indexes, concurrently: tree.bool("concurrent"))
  }

  private static func reindex(_ tree: ProtobufMessage) -> StatementKind {
    let concurrently = tree.hasOption("concurrently", in: "params")
    switch tree.enumName("kind") {
    case "REINDEX_OBJECT_INDEX":
      return .reindex(.index, target: relation(tree, "relation"), concurrently: concurrently)
    case "REINDEX_OBJECT_TABLE":
      return .reindex(.table, target: relation(tree, "relation"), concurrently: concurrently)
    case "REINDEX_OBJECT_SCHEMA":
      return .reindex(
        .schema, target: tree.name("name").map { ObjectReference(.schema, name: $0) },
        concurrently: concurrently)
    case "REINDEX_OBJECT_SYSTEM":
      return .reindex(.system, target: nil, concurrently: concurrently)
    case "REINDEX_OBJECT_DATABASE":
      return .reindex(
        .database, target: tree.name("name").map { ObjectReference(.database, name: $0) },
        concurrently: concurrently)
    default: return .other
    }
  }

  private static func alterTable(_ tree: ProtobufMessage) -> StatementKind {
    guard let table = relation(tree, "relation") else { return .other }
    for command in tree.messages("cmds") where command.enumName("subtype") == "AT_DetachPartition" {
      if let partition = command.message("def"), partition.bool("concurrent"),
        let name = relation(partition, "name")
      {
        return .detachPartitionConcurrently(table: table, partition: name)
      }
    }
    return .alterTable(table)
  }

  private static func alterEnum(_ tree: ProtobufMessage) -> StatementKind {
    guard tree.name("old_val") == nil,
      let type = ObjectReference(.type, names: tree.messages("type_name"))
    else { return .other }
    return .addEnumValue(
      type: type, value: tree.string("new_val"), ifNotExists: tree.bool("skip_if_new_val_exists"))
  }
}

extension IndexCreation {
  fileprivate init?(tree: ProtobufMessage) {
    guard let relation = tree.message("relation") else { return nil }
    table = ObjectReference(.relation, rangeVar: relation)
    let schema = table.schema
    index = tree.name("idxname").map { ObjectReference(.relation, schema: schema, name: $0) }
    concurrently = tree.bool("concurrent")
    ifNotExists = tree.bool("if_not_exists")
    unique = tree.bool("unique")
  }
}

extension RowConflict {
  fileprivate init(insertion tree: ProtobufMessage) {
    switch tree.message("on_conflict_clause")?.enumName("action") {
    case "ONCONFLICT_NOTHING": self = .ignores
    case "ONCONFLICT_UPDATE": self = .overwrites
    default: self = tree.message("select_stmt")?.message("where_clause") == nil ? .fails : .selects
    }
  }
}

extension TransactionControl {
  fileprivate init?(tree: ProtobufMessage) {
    switch tree.enumName("kind") {
    case "TRANS_STMT_BEGIN", "TRANS_STMT_START": self = .begin(hasModes: !tree.messages("options").isEmpty)
    case "TRANS_STMT_COMMIT": self = .commit(chain: tree.bool("chain"))
    case "TRANS_STMT_ROLLBACK": self = .rollback
    case "TRANS_STMT_SAVEPOINT": self = .savepoint
    case "TRANS_STMT_RELEASE": self = .releaseSavepoint
    case "TRANS_STMT_ROLLBACK_TO": self = .rollbackToSavepoint
    case "TRANS_STMT_PREPARE": self = .prepareTransaction
    case "TRANS_STMT_COMMIT_PREPARED": self = .commitPrepared
    case "TRANS_STMT_ROLLBACK_PREPARED": self = .rollbackPrepared
    default: return nil
    }
  }
}
