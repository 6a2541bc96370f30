import Postgres
import SQLSyntax

extension MigrationRunner {
  /// The plan for `directory` as the database stands now; takes no lock and writes nothing.
  public func plan(
    for directory: MigrationDirectory, policy: OrderPolicy, on connection: borrowing Connection
  ) throws -> MigrationPlan {
    let order = try DependencyOrder(directory.files, policy: policy)
    return MigrationPlan(order: order, history: try history.read(on: connection)) { file in
      // A file that cannot be cut into tokens has certainly changed in substance.
      try? Checksum(ofTokens: SourceText(file.text)).description
    }
  }
}
