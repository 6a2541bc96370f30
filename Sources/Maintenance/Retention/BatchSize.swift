/// How many rows a batch has: it follows the time that batches take, within caps.
struct BatchSize: Sendable, Equatable {
  /// 1,000 rows take 2 to 20 ms on most tables: a start that disturbs nobody.
  private(set) var rows: Int
  let maxRows: Int
  let maxBytes: Int64
  let target: Duration

  init(_ rule: RetentionRule) {
    maxRows = max(1, rule.maxRows)
    maxBytes = rule.maxBytes
    target = rule.batchTime
    rows = min(1_000, maxRows)
  }

  /// A batch of `count` rows took `time`: the next is at most twice, at least half as large.
  mutating func took(_ time: Duration, for count: Int) {
    // A batch that was cut short by the cap on bytes, or by the end, tells nothing of larger ones.
    guard count > 0 else { return }
    let factor = min(2, max(0.5, target / max(time, .microseconds(1))))
    if factor < 1 || count >= rows {
      rows = min(maxRows, max(1, Int((Double(count) * factor).rounded(.up))))
    }
  }

  /// Somebody was in the way.
  mutating func shrink() { rows = max(1, rows / 2) }

  var isSmallest: Bool { rows == 1 }

  /// How many of `keys` make the next batch: of one table, and within the caps; one row at least.
  func count(of keys: ArraySlice<RowKey>) -> Int {
    var bytes: Int64 = 0
    var count = 0
    for key in keys.prefix(rows) {
      bytes += key.bytes
      if count > 0, bytes > maxBytes || key.relation != keys.first?.relation { break }
      count += 1
    }
    return count
  }
}
