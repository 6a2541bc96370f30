import FoundationEssentials
import Migrations

/// A project's directory and what it configures.
public struct Project: Sendable {
  /// Absolute, without a slash at the end.
  public let root: String
  public let configuration: ProjectConfiguration
  /// Whether there is a `tsdb.yaml`.
  public let hasConfigurationFile: Bool

  public static let configurationFileName = "tsdb.yaml"

  public init(root: String, configuration: ProjectConfiguration, hasConfigurationFile: Bool = false) {
    self.root = root
    self.configuration = configuration
    self.hasConfigurationFile = hasConfigurationFile
  }

  /// The project that `directory` lies in.
  ///
  /// The root is the nearest directory upwards that holds `tsdb.yaml`, else the nearest that holds
  /// `migrations`, else `directory` itself.
  /// - Throws: ``ConfigurationError`` for a directory that does not exist and for a configuration
  ///   that cannot be used.
  public init(containing directory: String, environment: [String: String]) throws(ConfigurationError) {
    var isDirectory = false
    guard FileManager.default.fileExists(atPath: directory, isDirectory: &isDirectory), isDirectory else {
      throw ConfigurationError("the directory \"\(directory)\" does not exist", hint: "check --project")
    }
    let start = Self.absolute(directory)
    let root =
      Self.nearest(Self.configurationFileName, from: start) ?? Self.nearest("migrations", from: start)
      ?? start
    let path = root + "/" + Self.configurationFileName
    var configuration = ProjectConfiguration()
    let hasFile = FileManager.default.fileExists(atPath: path)
    if hasFile {
      guard let bytes = try? SQLFiles.read(Self.configurationFileName, root: root) else {
        throw ConfigurationError("\(path) cannot be read", hint: "check its permissions")
      }
      guard let text = String(validating: bytes, as: UTF8.self) else {
        throw ConfigurationError("\(path) is not valid UTF-8", hint: "convert it to UTF-8")
      }
      configuration = try ConfigurationFile.parse(text, path: Self.configurationFileName)
    }
    self.init(
      root: root, configuration: try configuration.applying(environment: environment),
      hasConfigurationFile: hasFile)
  }

  /// The files of the migration directories.
  public func migrations() throws(MigrationError) -> MigrationDirectory {
    try MigrationDirectory(reading: configuration.migrationDirectories, root: root)
  }

  /// Looks for the migration directories without reading any file.
  ///
  /// - Throws: ``MigrationError`` for one that is missing or not readable.
  public func requireMigrationDirectories() throws(MigrationError) {
    for directory in configuration.migrationDirectories {
      _ = try SQLFiles.paths(below: directory, root: root)
    }
  }

  /// Where the private local server is described.
  public var serverDirectory: String { root + "/.tsdb/server" }

  /// `path` as it is meant in the configuration: relative to the project's root.
  public func path(_ path: String) -> String {
    path.hasPrefix("/") ? path : root + "/" + path
  }

  /// `path` as it is meant on a command line: relative to the current directory.
  public static func absolute(_ path: String) -> String {
    let current = FileManager.default.currentDirectoryPath
    let joined = path.hasPrefix("/") ? path : current + "/" + path
    var components: [Substring] = []
    for component in joined.split(separator: "/") where component != "." {
      if component == ".." { _ = components.popLast() } else { components.append(component) }
    }
    return "/" + components.joined(separator: "/")
  }

  private static func nearest(_ name: String, from start: String) -> String? {
    var directory = start
    while true {
      if FileManager.default.fileExists(atPath: directory + "/" + name) { return directory }
      guard let slash = directory.lastIndex(of: "/"), directory.count > 1 else { return nil }
      directory = slash == directory.startIndex ? "/" : String(directory[..<slash])
    }
  }
}
