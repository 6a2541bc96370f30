/// The COPY statements of a table, as bytes in the database's encoding.
enum DataStatement {
  /// Pages of a table: a lower bound, and an upper bound that is left out for the last range, so that
  /// no row is missed whatever the size was when it was measured.
  struct PageRange: Sendable, Equatable {
    var from: Int64
    var to: Int64?
  }

  /// What goes into the archive: `COPY s.t (a, b) FROM stdin;` and a newline.
  ///
  /// With no column left the list vanishes and both spaces stay, which is what readers expect.
  static func restoring(_ relation: BackupRelation) -> [UInt8] {
    let target = relation.loadRoot ?? relation.qualifiedName
    return bytes("COPY ", target, columnList(relation), " FROM stdin;\n")
  }

  /// What reads the rows: the whole table, or the rows of one range.
  static func reading(_ relation: BackupRelation, range: PageRange?) -> [UInt8] {
    let condition = relation.configurationCondition.flatMap { $0.isEmpty ? nil : $0 }
    guard range != nil || condition != nil else {
      return bytes("COPY ", relation.qualifiedName, columnList(relation), " TO stdout")
    }
    var statement = bytes("COPY (SELECT ", relation.columns ?? [], " FROM ONLY ", relation.qualifiedName)
    if let condition {
      statement += bytes(" ", condition)
    } else if let range {
      statement += bytes(" WHERE ctid >= '(\(range.from),0)'::pg_catalog.tid")
      if let to = range.to { statement += bytes(" AND ctid < '(\(to),0)'::pg_catalog.tid") }
    }
    return statement + bytes(") TO stdout")
  }

  private static func columnList(_ relation: BackupRelation) -> [UInt8] {
    relation.columns.map { bytes(" (", $0, ")") } ?? bytes(" ")
  }

  private static func bytes(_ parts: any StatementPart...) -> [UInt8] {
    parts.reduce(into: []) { $0 += $1.bytes }
  }
}

/// A piece of a statement: text of ours, or bytes from the server.
protocol StatementPart {
  var bytes: [UInt8] { get }
}

extension String: StatementPart {
  var bytes: [UInt8] { Array(utf8) }
}

extension [UInt8]: StatementPart {
  var bytes: [UInt8] { self }
}
