/// Which of a plan's nodes runs next.
///
/// Data goes before post-data and larger before smaller, so that the longest work does not come last.
/// The parts of one table are handed out in order. Two nodes that lock the same table do not run at once.
public struct RestoreSchedule: Sendable {
  /// A part of a node, given to one connection.
  public struct Assignment: Sendable, Equatable {
    public let node: Int
    public let part: Int
  }

  private struct State: Sendable {
    var missing: Int
    var nextPart = 0
    var finishedParts = 0
  }

  private let nodes: [RestorePlan.Node]
  private var states: [State]
  private var dependents: [[Int]]
  /// Ready nodes, the best at the end.
  private var ready: [Int]
  /// Ready nodes that would lock what a running one locks.
  private var waiting: [Int] = []
  private var locks: [Int32: Int] = [:]
  private var unfinished: Int

  public init(_ nodes: [RestorePlan.Node]) {
    self.nodes = nodes
    states = nodes.map { State(missing: $0.needs.count) }
    dependents = Array(repeating: [], count: nodes.count)
    for (number, node) in nodes.enumerated() {
      for need in node.needs { dependents[need].append(number) }
    }
    unfinished = nodes.count
    ready = []
    ready = nodes.indices.filter { nodes[$0].needs.isEmpty }.sorted { isLater($0, than: $1) }
  }

  public var isFinished: Bool { unfinished == 0 }

  /// What to do next; nil when nothing can be done before something running has finished.
  public mutating func next() -> Assignment? {
    while let number = ready.last {
      if states[number].nextPart == 0 {
        guard nodes[number].locks.allSatisfy({ locks[$0] == nil }) else {
          waiting.append(number)
          ready.removeLast()
          continue
        }
        for lock in nodes[number].locks { locks[lock] = number }
      }
      let part = states[number].nextPart
      states[number].nextPart += 1
      if states[number].nextPart >= nodes[number].parts { ready.removeLast() }
      return Assignment(node: number, part: part)
    }
    return nil
  }

  public mutating func finish(_ assignment: Assignment) {
    let number = assignment.node
    states[number].finishedParts += 1
    guard states[number].finishedParts == nodes[number].parts else { return }
    unfinished -= 1
    if !nodes[number].locks.isEmpty {
      for lock in nodes[number].locks { locks[lock] = nil }
      let freed = waiting
      waiting = []
      freed.forEach { makeReady($0) }
    }
    for dependent in dependents[number] {
      states[dependent].missing -= 1
      if states[dependent].missing == 0 { makeReady(dependent) }
    }
  }

  private mutating func makeReady(_ number: Int) {
    var (low, high) = (0, ready.count)
    while low < high {
      let middle = (low + high) / 2
      if isLater(ready[middle], than: number) { low = middle + 1 } else { high = middle }
    }
    ready.insert(number, at: low)
  }

  private func isLater(_ a: Int, than b: Int) -> Bool {
    let (first, second) = (nodes[a], nodes[b])
    if first.isData != second.isData { return second.isData }
    if first.weight != second.weight { return first.weight < second.weight }
    return a > b
  }
}
