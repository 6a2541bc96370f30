import Archive
import Deployments
import Foundation

/// Writes the record of a deployment that failed, as `tsdb deploy` leaves it.
public enum FailedDeployment {
  /// - Parameters:
  ///   - project: the project's directory.
  ///   - backup: the path of the backup that it took; nil where it took none.
  ///   - step: the one that failed; those before are done.
  /// - Returns: the record as it was written.
  @discardableResult
  public static func record(
    id: String = "20260101T000000Z-app", in project: TemporaryDirectory, of database: String, backup: String?,
    failedAt step: DeploymentStep = .migrate
  ) throws -> DeploymentRecord {
    var record = DeploymentRecord(
      id: id, database: database, systemIdentifier: nil, host: "test", tool: "tsdb test",
      started: "2026-01-01T00:00:00Z")
    for other in DeploymentStep.allCases where other < step {
      record.begin(other, at: "2026-01-01T00:00:00Z")
      record.end(other, .done, at: "2026-01-01T00:00:01Z", summary: nil)
    }
    record.begin(step, at: "2026-01-01T00:00:02Z")
    record.end(step, .failed, at: "2026-01-01T00:00:03Z", summary: "it failed on purpose")
    if let backup {
      let manifest = try manifest(at: backup)
      record.backup = .init(
        id: manifest.id, path: backup, snapshotTime: manifest.snapshot.time, isProven: true)
      record.headBefore = manifest.migrations?.head
    }
    try write(record, in: project)
    return record
  }

  public static func write(_ record: DeploymentRecord, in project: TemporaryDirectory) throws {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    try project.write(
      ".tsdb/deployments/\(record.id)/record.json",
      String(decoding: try encoder.encode(record), as: UTF8.self))
  }

  public static func read(_ id: String, in project: TemporaryDirectory) throws -> DeploymentRecord {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(
      DeploymentRecord.self, from: Data(try project.read(".tsdb/deployments/\(id)/record.json").utf8))
  }

  public static func manifest(at backup: String) throws -> BackupManifest {
    try BackupManifest(
      reading: Array(try Data(contentsOf: URL(fileURLWithPath: backup + "/manifest.json"))))
  }
}
