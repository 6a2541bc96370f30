import Archive

/// When in a restore an entry's turn is.
///
/// The three passes are pg_restore's (`_tocEntryRestorePass`): a privilege could keep a later statement
/// from running, and an event trigger or a materialized view could see a database that is not finished.
enum RestorePass: Int, Comparable {
  case main
  case privileges
  case late

  static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

extension ArchiveEntry {
  /// Sets up the session instead of making an object.
  var isSetting: Bool { ["ENCODING", "STDSTRINGS", "SEARCHPATH"].contains(kind) }

  /// Belongs to the database itself, whose name is another one after a restore.
  var isOfDatabase: Bool {
    switch kind {
    case "DATABASE", "DATABASE PROPERTIES": true
    case "ACL", "COMMENT", "SECURITY LABEL": tag?.starts(with: "DATABASE ".utf8) ?? false
    default: false
    }
  }

  var isPrivilege: Bool { ["ACL", "ACL LANGUAGE", "DEFAULT ACL"].contains(kind) }

  var isLargeObjectData: Bool { kind == "BLOBS" }

  /// Rows, values of sequences and large objects, with what belongs to the latter.
  var isData: Bool {
    switch kind {
    case "TABLE DATA", "SEQUENCE SET", "BLOB", "BLOBS", "BLOB METADATA": true
    case "ACL", "COMMENT", "SECURITY LABEL":
      (tag?.starts(with: "LARGE OBJECT ".utf8) ?? false)
        || (tag?.starts(with: "LARGE OBJECTS ".utf8) ?? false)
    default: hasData
    }
  }

  var pass: RestorePass {
    switch kind {
    case _ where isPrivilege: .privileges
    case "EVENT TRIGGER", "MATERIALIZED VIEW DATA": .late
    case "STATISTICS DATA": section == .postData ? .late : .main
    case "COMMENT", "SECURITY LABEL": tag?.starts(with: "EVENT TRIGGER ".utf8) == true ? .late : .main
    default: .main
    }
  }

  /// Such as `INDEX "app"."orders_pkey"`, for messages; bytes that are not UTF-8 are replaced.
  public var label: String {
    let name = String(decoding: tag ?? [], as: UTF8.self)
    let schema = String(decoding: namespace ?? [], as: UTF8.self)
    return "\(kind) \"\(schema.isEmpty ? name : "\(schema).\(name)")\""
  }
}
