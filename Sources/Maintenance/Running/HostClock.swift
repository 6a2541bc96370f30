import Postgres
import Timekeeping

/// This host's clock, from which it is counted what is old and what is due.
public enum HostClock {
  /// How far it may be from the server's. Less matters to no schedule of minutes and no retention of days.
  static let tolerance: Int64 = 900

  /// Refuses to work with a clock that the server's contradicts: one that is a year ahead would make retention and
  /// partitions delete a year too much, and mark the slots of a year as done.
  ///
  /// - Parameter now: by this host.
  /// - Throws: ``MaintenanceError``; `PostgresError`.
  public static func require(_ now: UTCTime, on connection: borrowing Connection) throws {
    let result = try connection.query(
      "select pg_catalog.date_part('epoch', pg_catalog.clock_timestamp())::bigint")
    guard let seconds = result[0, 0].flatMap({ Int64($0) }) else { return }
    try require(now, server: UTCTime(secondsSince1970: seconds))
  }

  static func require(_ now: UTCTime, server: UTCTime) throws(MaintenanceError) {
    guard abs(now - server) > tolerance else { return }
    throw MaintenanceError(
      .failed, "the clocks of this host and of the server differ by \(HealthText.span(abs(now - server)))",
      detail: "Here it is \(now), there \(server). No job is begun, for what is old cannot be told.",
      hint: "set the wrong clock right (timedatectl, NTP)")
  }
}
