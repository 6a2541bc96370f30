import Postgres

/// The values of sequences.
enum SequenceValues {
  struct Value: Sendable, Equatable {
    var value: Int64
    var isCalled: Bool
  }

  /// The values, in the order of `relations`.
  ///
  /// They are not part of any snapshot: what is read is the value now.
  static func read(
    _ relations: [BackupRelation], on connection: borrowing Connection
  ) throws(PostgresError) -> [Value] {
    var values: [Value] = []
    for batch in relations.chunked(by: 100) {
      var statement: [UInt8] = []
      for (index, relation) in batch.enumerated() {
        if index > 0 { statement += Array(" union all ".utf8) }
        statement +=
          Array("select \(index) as number, last_value, is_called from ".utf8) + relation.qualifiedName
      }
      let result = try connection.execute(statement + Array(" order by number".utf8))
      for row in 0..<result.rowCount {
        values.append(Value(value: Int64(result.text(row, 1)) ?? 0, isCalled: result.isTrue(row, 2)))
      }
    }
    return values
  }
}
