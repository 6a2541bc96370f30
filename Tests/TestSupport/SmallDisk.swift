import Foundation
import Synchronization

/// A file system of its own with room for little, in memory.
///
/// It goes with the test process at the latest.
public final class SmallDisk: Sendable {
  private let directory: TemporaryDirectory
  public var path: String { directory.path("disk") }

  /// Whether this account may mount one; says so once when it may not.
  public static let isPossible: Bool = {
    #if os(Linux)
      let isPossible = geteuid() == 0 && hasProbed()
    #else
      let isPossible = false
    #endif
    if !isPossible { print("full disks: not tested, because no tmpfs can be mounted here (needs root)") }
    return isPossible
  }()

  private static func hasProbed() -> Bool {
    guard let directory = try? TemporaryDirectory() else { return false }
    guard runMount(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", directory.path]) else { return false }
    return runMount(["umount", directory.path])
  }

  /// - Parameters:
  ///   - size: bytes, rounded up to whole pages.
  ///   - files: how many files and directories there may be, its own root included; nil for no limit.
  public init(size: Int, files: Int? = nil) throws {
    directory = try TemporaryDirectory()
    try FileManager.default.createDirectory(
      atPath: directory.path("disk"), withIntermediateDirectories: false)
    let options = "size=\(size),nr_inodes=\(files ?? 100_000)"
    guard runMount(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path]) else {
      throw TestSupportError("no small disk of \(options)")
    }
  }

  deinit { _ = runMount(["umount", "-l", path]) }

  /// Makes it larger, or smaller down to what is in use; without a limit on the number of files.
  public func resize(to size: Int) throws {
    guard runMount(["mount", "-o", "remount,size=\(size),nr_inodes=100000", path]) else {
      throw TestSupportError("the small disk does not become \(size) bytes large")
    }
  }

  /// Bytes and files that are in use.
  public var usage: (bytes: Int, files: Int) {
    var buffer = statvfs()
    guard statvfs(path, &buffer) == 0 else { return (0, 0) }
    return (
      Int(buffer.f_blocks - buffer.f_bfree) * Int(buffer.f_frsize), Int(buffer.f_files - buffer.f_ffree)
    )
  }
}

/// A directory as the same directory at another place, where nothing can be written.
public final class ReadOnlyView: Sendable {
  private let directory: TemporaryDirectory
  public var path: String { directory.path("view") }

  public init(of original: String) throws {
    directory = try TemporaryDirectory()
    try FileManager.default.createDirectory(
      atPath: directory.path("view"), withIntermediateDirectories: false)
    guard runMount(["mount", "--bind", original, path]),
      runMount(["mount", "-o", "remount,bind,ro", path])
    else { throw TestSupportError("no read-only view of \"\(original)\"") }
  }

  deinit { _ = runMount(["umount", "-l", path]) }
}

private func runMount(_ command: [String]) -> Bool {
  let files = ChildFiles(input: nil, output: nil, error: nil)
  guard
    let child = try? spawn(
      command[0], Array(command.dropFirst()), environment: ["PATH": "/usr/bin:/bin:/usr/sbin:/sbin"],
      files: files, isOwnSession: false)
  else { return false }
  var status: Int32 = 0
  while waitpid(child, &status, 0) == -1, errno == EINTR {}
  return status == 0
}
