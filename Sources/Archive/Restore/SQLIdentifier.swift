/// Names in the text of SQL statements, as bytes in the archive's encoding.
enum SQLIdentifier {
  /// `name`, in double quotes only where it would read as something else without, which is what
  /// PostgreSQL's `quote_identifier` and pg_dump do.
  static func quoted(_ name: [UInt8]) -> [UInt8] {
    if isPlain(name) { return name }
    var text = [UInt8(ascii: "\"")]
    for byte in name {
      if byte == UInt8(ascii: "\"") { text.append(byte) }
      text.append(byte)
    }
    text.append(UInt8(ascii: "\""))
    return text
  }

  /// `schema.name`, or `name` alone where there is no schema.
  static func quoted(_ schema: [UInt8]?, _ name: [UInt8]) -> [UInt8] {
    guard let schema, !schema.isEmpty else { return quoted(name) }
    return quoted(schema) + [UInt8(ascii: ".")] + quoted(name)
  }

  private static func isPlain(_ name: [UInt8]) -> Bool {
    guard let first = name.first, isLetter(first) else { return false }
    guard name.allSatisfy({ isLetter($0) || isDigit($0) }) else { return false }
    return !keywords.contains(String(decoding: name, as: UTF8.self))
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || byte == UInt8(ascii: "_")
  }

  private static func isDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
  }

  /// What is not an unreserved keyword in one of PostgreSQL 15 to 18, of `pg_get_keywords()`.
  private static let keywords = Set(
    """
    all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean
    both case cast char character check coalesce collate collation column concurrently constraint create
    cross current_catalog current_date current_role current_schema current_time current_timestamp
    current_user dec decimal default deferrable desc distinct do else end except exists extract false
    fetch float for foreign freeze from full grant greatest group grouping having ilike in initially
    inner inout int integer intersect interval into is isnull join json json_array json_arrayagg
    json_exists json_object json_objectagg json_query json_scalar json_serialize json_table json_value
    lateral leading least left like limit localtime localtimestamp merge_action national natural nchar
    none normalize not notnull null nullif numeric offset on only or order out outer overlaps overlay
    placing position precision primary real references returning right row select session_user setof
    similar smallint some substring symmetric system_user table tablesample then time timestamp to
    trailing treat trim true union unique user using values varchar variadic verbose when where window
    with xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot
    xmlserialize xmltable
    """.split(whereSeparator: \.isWhitespace).map(String.init))
}
