extension TableOfContents {
  /// A circle of dependencies, each entry needing the next and the last the first; nil when there is
  /// none, as in everything that pg_dump writes.
  ///
  /// An entry that depends on itself is a circle of one. Takes time in proportion to entries and
  /// dependencies together, and no stack.
  public func dependencyCycle() -> [Int32]? {
    var places: [Int32: Int] = [:]
    for (place, entry) in entries.enumerated() { places[entry.dumpID] = place }
    var states = [VisitState](repeating: .new, count: entries.count)
    for start in entries.indices where states[start] == .new {
      states[start] = .open
      var path = [(place: start, nextDependency: 0)]
      while let step = path.last {
        guard step.nextDependency < entries[step.place].dependencies.count else {
          states[step.place] = .done
          path.removeLast()
          continue
        }
        path[path.count - 1].nextDependency += 1
        guard let place = places[entries[step.place].dependencies[step.nextDependency]] else { continue }
        if states[place] == .open {
          return path.drop { $0.place != place }.map { entries[$0.place].dumpID }
        }
        guard states[place] == .new else { continue }
        states[place] = .open
        path.append((place: place, nextDependency: 0))
      }
    }
    return nil
  }

  private enum VisitState {
    case new
    case open
    case done
  }
}
