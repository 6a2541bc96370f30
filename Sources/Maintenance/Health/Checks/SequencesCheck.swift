import Postgres

/// How far sequences are from the end of the column that they fill.
enum SequencesCheck: HealthCheck {
  static let used = HealthThreshold(
    "sequence-used", "part of its numbers that the fullest sequence has given out, by its column's type",
    .percent,
    warning: 75, critical: 90)
  static let description = HealthCheckDescription(
    "sequences",
    looksAt:
      "sequences: how many numbers are left in the type of the column that they fill, or in the sequence",
    rights: "select on the sequences", thresholds: [used])

  struct Sequence: Sendable, Equatable {
    let label: String
    let schema: String
    let minimum: Int64
    let maximum: Int64
    let isAscending: Bool
    let cycles: Bool
    /// Whether the role may see the last value.
    let isVisible: Bool
    /// nil where it was never used.
    let last: Int64?
    /// The narrowest column that it fills.
    let table: String?
    let column: String?
    let type: String?

    /// The last number that fits into the column and the sequence.
    var limit: Int64 {
      let column: ClosedRange<Int64> =
        switch type {
        case "smallint": Int64(Int16.min)...Int64(Int16.max)
        case "integer": Int64(Int32.min)...Int64(Int32.max)
        default: Int64.min...Int64.max
        }
      return isAscending ? min(maximum, column.upperBound) : max(minimum, column.lowerBound)
    }

    /// In percent, of the numbers from where it begins.
    var used: Double {
      guard let last else { return 0 }
      let (start, end) = (Double(isAscending ? minimum : maximum), Double(limit))
      guard start != end else { return 100 }
      return min(100, max(0, (Double(last) - start) / (end - start) * 100))
    }

    /// Begins again by itself, within what the column holds.
    var isEndless: Bool { cycles && limit == (isAscending ? maximum : minimum) }
  }

  static func facts(_ context: HealthContext, on connection: borrowing Connection) throws -> [Sequence] {
    // serial and identity columns own their sequence; a default that was written by hand refers to it.
    let result = try connection.query(
      """
      with fills as (
        select d.objid as sequence, d.refobjid as relation, d.refobjsubid as number from pg_depend as d
        where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i')
          and d.refobjsubid > 0
        union
        select d.refobjid, a.adrelid, a.adnum from pg_depend as d join pg_attrdef as a on a.oid = d.objid
        where d.classid = 'pg_attrdef'::regclass and d.refclassid = 'pg_class'::regclass
      )
      select format('%I.%I', n.nspname, c.relname), quote_ident(n.nspname), s.seqmin, s.seqmax, s.seqincrement > 0,
        s.seqcycle, p.visible, case when p.visible then pg_sequence_last_value(c.oid) end, f.tab, f.col, f.type
      from pg_sequence as s join pg_class as c on c.oid = s.seqrelid join pg_namespace as n on n.oid = c.relnamespace
      cross join lateral (select has_sequence_privilege(c.oid, 'select, usage') as visible) as p
      left join lateral (
        select a.attrelid::regclass::text as tab, quote_ident(a.attname) as col, format_type(a.atttypid, null) as type
        from fills as f join pg_attribute as a on a.attrelid = f.relation and a.attnum = f.number and not a.attisdropped
        where f.sequence = c.oid
        order by array_position(array[21, 23, 20]::oid[], a.atttypid) nulls last, a.attrelid limit 1) as f on true
      where c.relpersistence = 'p' or (c.relpersistence = 'u' and not pg_is_in_recovery())
      order by 1
      """)
    return (0..<result.rowCount).map {
      Sequence(
        label: result.text($0, 0), schema: result.text($0, 1), minimum: Int64(result.text($0, 2)) ?? 1,
        maximum: Int64(result.text($0, 3)) ?? .max, isAscending: result.isTrue($0, 4),
        cycles: result.isTrue($0, 5),
        isVisible: result.isTrue($0, 6), last: result[$0, 7].flatMap { Int64($0) }, table: result[$0, 8],
        column: result[$0, 9], type: result[$0, 10])
    }
  }

  static func verdict(_ sequences: [Sequence], _ context: HealthContext) -> HealthFinding {
    let limit = context.limit(used)
    var problems = sequences.filter(\.isVisible).compactMap { problem($0, limit) }
    let hidden = Dictionary(grouping: sequences.filter { !$0.isVisible }, by: \.schema)
    for (schema, sequences) in hidden.sorted(by: { $0.key < $1.key }) {
      let labels = sequences.prefix(5).map(\.label).joined(separator: ", ")
      problems.append(
        HealthProblem(
          .unknown,
          "\(HealthText.count(Int64(sequences.count), "sequence", "sequences")) of schema \(schema) may not be read by this role",
          detail: "\(labels)\(sequences.count > 5 ? " and \(sequences.count - 5) more" : "").",
          remedy: "grant select on all sequences in schema \(schema) to \(context.grantee);"))
    }
    let fullest = sequences.filter { $0.isVisible && !$0.isEndless }.map(\.used).max()
    return HealthFinding(
      name, problems: problems, several: "sequences near their end",
      fine: HealthText.count(Int64(sequences.count), "sequence", "sequences")
        + (fullest.map { ", the fullest \(Int($0)) % used" } ?? ""),
      performance: [limit.performance(hidden.isEmpty ? fullest ?? 0 : nil)])
  }

  private static func problem(_ sequence: Sequence, _ limit: HealthThreshold) -> HealthProblem? {
    let status = limit.status(of: sequence.used)
    guard !sequence.isEndless, status != .ok else { return nil }
    var remedies: [String] = []
    var subject = "sequence \(sequence.label)"
    if let table = sequence.table, let column = sequence.column, let type = sequence.type {
      subject += " for \(table).\(column) (\(type))"
      if type == "integer" || type == "smallint" {
        remedies.append("alter table \(table) alter column \(column) type bigint;")
      }
    }
    if sequence.limit == (sequence.isAscending ? sequence.maximum : sequence.minimum) {
      remedies.insert("alter sequence \(sequence.label) as bigint;", at: 0)
    }
    return HealthProblem(
      status, "\(subject) is \(Int(sequence.used)) % used",
      detail: "Last value \(sequence.last ?? 0) of \(sequence.limit)."
        + (remedies.count(where: { $0.hasPrefix("alter table") }) > 0
          ? " Changing the type rewrites the table." : ""),
      remedy: remedies.joined(separator: " "))
  }
}
