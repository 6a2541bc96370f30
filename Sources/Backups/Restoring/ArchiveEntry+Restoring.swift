import Archive

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

  /// Such as `INDEX "app"."orders_pkey"`, for messages; bytes that are not UTF-8 are replaced.
  public var label: String {
    let name = String(decoding: tag ?? [], as: UTF8.self)
    let schema = String(decoding: namespace ?? [], as: UTF8.self)
    return "\(kind) \"\(schema.isEmpty ? name : "\(schema).\(name)")\""
  }
}
