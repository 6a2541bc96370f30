import Maintenance
import SystemPackage

/// A page on disk.
public enum ReportFile {
  /// Replaces the file as a whole; a reader sees the old page or the new.
  ///
  /// - Parameter path: as it is meant on a command line.
  /// - Throws: `MaintenanceError` that names the file; the old page stays.
  public static func write(_ page: String, to path: String) throws {
    try ReplacedFile(FilePath(Project.absolute(path))).write(page)
  }
}
