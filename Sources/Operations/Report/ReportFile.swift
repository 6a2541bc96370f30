import Maintenance
import SystemPackage

/// A page on disk.
public enum ReportFile {
  /// Replaces the file as a whole; a reader sees the old page or the new.
  ///
  /// - Parameters:
  ///   - path: as it is meant on a command line.
  ///   - isPrivate: whether it is for its owner alone; else as the umask says.
  /// - Throws: `MaintenanceError` that names the file; the old page stays.
  public static func write(_ page: String, to path: String, isPrivate: Bool = false) throws {
    try ReplacedFile(FilePath(Project.absolute(path)), mode: isPrivate ? 0o600 : nil).write(page)
  }
}
