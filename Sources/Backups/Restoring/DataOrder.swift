/// In which order tables are loaded that have foreign keys already.
struct DataOrder: Equatable {
  /// A foreign key between two of the tables, by their numbers.
  struct ForeignKey: Equatable {
    let name: String
    let from: Int
    let to: Int
    /// Whether it can wait for the end of the transaction.
    let isDeferrable: Bool
  }

  /// Tables, each after those that it refers to.
  let tables: [Int]
  /// Foreign keys that would be checked before what they refer to is there.
  let circle: [ForeignKey]

  /// - Parameter count: of the tables, numbered from 0.
  init(count: Int, _ keys: [ForeignKey]) {
    // One COPY loads a table, so a key to the table itself is checked when all its rows are there.
    let waiting = keys.filter { !$0.isDeferrable && $0.from != $0.to }
    var missing = Array(repeating: 0, count: count)
    var dependents = Array(repeating: [Int](), count: count)
    for key in waiting {
      missing[key.from] += 1
      dependents[key.to].append(key.from)
    }
    var order: [Int] = []
    var ready = Array((0..<count).filter { missing[$0] == 0 }.reversed())
    while let table = ready.popLast() {
      order.append(table)
      for dependent in dependents[table] {
        missing[dependent] -= 1
        if missing[dependent] == 0 { ready.append(dependent) }
      }
    }
    let left = Set(0..<count).subtracting(order)
    tables = order
    circle = waiting.filter { left.contains($0.from) && left.contains($0.to) }
  }
}
