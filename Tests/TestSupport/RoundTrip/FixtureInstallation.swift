import Foundation
import Synchronization

/// Copies of server installations that offer the extension `tsdb_fixture` as well.
///
/// No extension that comes with PostgreSQL has configuration tables. A server finds its extensions
/// relative to its own binary, so a copy of the binaries beside links to everything else is enough, and
/// the machine's installation stays as it is.
public enum FixtureInstallation {
  private static let clusterTask = Task {
    try await PostgresCluster.create(
      PostgresCluster.Options(binaries: try await binaries(like: PostgresCluster.defaultBinaries())))
  }
  private static let copies = Mutex<[String: Task<String, any Error>]>([:])

  /// A server of the default version with the extension, shared by all tests of the process.
  public static var cluster: PostgresCluster {
    get async throws { try await clusterTask.value }
  }

  /// The directory of binaries of a copy of the installation that `original` belongs to; made once.
  ///
  /// - Throws: where `original` has no `pg_config`.
  public static func binaries(like original: String) async throws -> String {
    let task = copies.withLock { copies in
      if let task = copies[original] { return task }
      let task = Task { try await copy(original) }
      copies[original] = task
      return task
    }
    return try await task.value
  }

  private static func copy(_ original: String) async throws -> String {
    let program = original + "/pg_config"
    let answer = try await ToolRun(
      executable: program, ["--bindir", "--sharedir"], environment: ["PATH": "/usr/bin:/bin"]
    ).finish()
    let paths = answer.standardOutput.split(separator: "\n").map(String.init)
    guard answer.exitStatus == 0, paths.count == 2 else { throw TestSupportError("\(program): \(answer)") }
    let (binaries, shared) = (paths[0], paths[1])
    // Two levels more, for installations that look for their libraries beside themselves.
    let prefix = commonDirectory(binaries, shared).split(separator: "/").dropLast(2).map { "/" + $0 }.joined()
    let root = try TestRoot.shared.makeDirectory()
    let files = FileManager.default
    let newBinaries = root + binaries.dropFirst(prefix.count)
    let parent = (newBinaries as NSString).deletingLastPathComponent
    try files.createDirectory(atPath: parent, withIntermediateDirectories: true)
    try files.copyItem(atPath: binaries, toPath: newBinaries)
    try files.createSymbolicLink(
      atPath: parent + "/lib",
      withDestinationPath: (binaries as NSString).deletingLastPathComponent + "/lib")
    for name in try files.contentsOfDirectory(atPath: prefix + "/") where name.hasSuffix(".libs") {
      try files.createSymbolicLink(atPath: root + "/" + name, withDestinationPath: prefix + "/" + name)
    }
    let newShared = root + shared.dropFirst(prefix.count)
    try link(contentsOf: shared, into: newShared, except: "extension")
    try link(contentsOf: shared + "/extension", into: newShared + "/extension", except: nil)
    try control.write(
      toFile: newShared + "/extension/tsdb_fixture.control", atomically: false, encoding: .utf8)
    try script.write(
      toFile: newShared + "/extension/tsdb_fixture--1.0.sql", atomically: false, encoding: .utf8)
    return newBinaries
  }

  /// The longest path, without a closing slash, that both lie below.
  private static func commonDirectory(_ one: String, _ other: String) -> String {
    let parts = zip(one.split(separator: "/"), other.split(separator: "/")).prefix { $0 == $1 }
    return parts.map { "/" + $0.0 }.joined()
  }

  private static func link(contentsOf original: String, into copy: String, except: String?) throws {
    try FileManager.default.createDirectory(atPath: copy, withIntermediateDirectories: true)
    for name in try FileManager.default.contentsOfDirectory(atPath: original) where name != except {
      try FileManager.default.createSymbolicLink(
        atPath: copy + "/" + name, withDestinationPath: original + "/" + name)
    }
  }

  private static let control = """
    comment = 'configuration tables, for tests'
    default_version = '1.0'
    relocatable = false

    """

  /// One configuration table of which only the user's rows are dumped, one dumped whole, a sequence, and
  /// a table that is none.
  private static let script = """
    create table @extschema@.settings (name text primary key, value text, is_own boolean not null default false);
    insert into @extschema@.settings values ('of the extension', 'default', false);
    create table @extschema@.whole (id integer generated always as identity, value text);
    create sequence @extschema@.counter;
    create table @extschema@.hidden (value text);
    insert into @extschema@.hidden values ('from the script');
    create function @extschema@.answer() returns integer language sql as 'select 42';
    select pg_catalog.pg_extension_config_dump('@extschema@.settings', 'where is_own');
    select pg_catalog.pg_extension_config_dump('@extschema@.whole', '');
    select pg_catalog.pg_extension_config_dump('@extschema@.whole_id_seq', '');
    select pg_catalog.pg_extension_config_dump('@extschema@.counter', '');

    """
}
