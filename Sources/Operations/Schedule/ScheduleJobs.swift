import Maintenance
import Timekeeping

extension Project {
  /// The jobs of `tsdb.yaml`, and the zone of their schedules.
  func maintenanceJobs() throws -> ([JobDefinition], TimeZoneRules) {
    (configuration.maintenance.jobs, try configuration.maintenance.zone())
  }
}
