import Catalog
import Foundation
import Postgres
import TestSupport
import Testing

extension TestDatabase {
  func snapshot(excluding schemas: [String] = []) async throws -> CatalogSnapshot {
    try await connect().run { try CatalogSnapshot.read(on: $0, excludingSchemas: schemas) }
  }

  /// Makes ``NastySchema`` as far as this server can.
  func makeNastySchema() async throws {
    let hasExtensions =
      try await value("select count(*) from pg_available_extensions where name = 'hstore'") == "1"
    let version = Int(try await value("show server_version_num") ?? "") ?? 0
    try await execute(NastySchema.statements(serverVersion: version, hasExtensions: hasExtensions))
  }
}

@Suite struct `The catalogue` {
  @Test func `scratch`() async throws {
    try await withDatabase { database in
      try await database.makeNastySchema()
      let snapshot = try await database.snapshot()
      for object in snapshot.objects { print("\(object.name) => \(object.definition.debugDescription)") }
      print(snapshot.fingerprint)
    }
  }
}
