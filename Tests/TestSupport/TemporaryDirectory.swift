import Foundation
import Synchronization

/// A directory of its own for one test; removed with everything in it when it goes out of use, and
/// at the latest when the test process ends, however it ends.
public final class TemporaryDirectory: Sendable {
  public let path: String

  public init() throws {
    path = try TestRoot.shared.makeDirectory()
  }

  deinit {
    try? FileManager.default.removeItem(atPath: path)
  }

  /// The path of `name` in this directory.
  public func path(_ name: String) -> String { path + "/" + name }

  /// Writes a file, making the directories above it, and returns its path.
  @discardableResult
  public func write(_ name: String, _ contents: String) throws -> String {
    try write(name, bytes: Array(contents.utf8))
  }

  @discardableResult
  public func write(_ name: String, bytes: [UInt8]) throws -> String {
    let path = path(name)
    try FileManager.default.createDirectory(
      atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    return path
  }

  public func read(_ name: String) throws -> String {
    String(decoding: try Data(contentsOf: URL(fileURLWithPath: path(name))), as: UTF8.self)
  }
}

/// The directory of this test process: clusters, poolers and temporary files.
///
/// A small shell outlives the process by a moment. It reads a pipe whose writing end only this
/// process holds, so it learns of any death, stops the servers left behind and removes everything.
final class TestRoot: Sendable {
  static let shared = TestRoot()

  private let root: Result<String, TestSupportError>
  private let count = Mutex(0)

  private init() {
    // Short, because the name of a socket is limited to about 107 bytes.
    var template = Array("/tmp/tsdbXXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      root = .failure(TestSupportError("no temporary directory: \(String(cString: strerror(errno)))"))
      return
    }
    let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    chmod(path, 0o755)
    root = Result { () throws(TestSupportError) in
      try Self.startGuardian(of: path)
      return path
    }
  }

  /// A new empty directory with a short path, open to every account for reading.
  func makeDirectory() throws -> String {
    let number = count.withLock { count in
      count += 1
      return count
    }
    let path = try root.get() + "/\(number)"
    try FileManager.default.createDirectory(
      atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o755])
    return path
  }

  private static func startGuardian(of path: String) throws(TestSupportError) {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw TestSupportError("no pipe") }
    // No child may hold the writing end, or the guardian would wait for that child as well.
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    _ = try spawn(
      "/bin/sh", ["-c", guardianScript, "tsdb-test-guardian", path],
      environment: ["PATH": "/usr/bin:/bin"],
      files: .init(input: ends[0], output: nil, error: nil), isOwnSession: true)
    close(ends[0])
  }

  /// Stops what has left a pid file, immediately: nothing here is worth a checkpoint.
  private static let guardianScript = """
    trap '' INT TERM HUP
    read -r line
    for attempt in 1 2 3 4 5 6 7 8 9 10; do
      found=
      for file in "$1"/*/data/postmaster.pid "$1"/*/pgbouncer.pid; do
        pid=$(head -n 1 "$file" 2>/dev/null) && kill -QUIT "$pid" 2>/dev/null && found=1
      done
      [ -n "$found" ] || break
      sleep 0.2
    done
    for mount in "$1"/*/disk "$1"/*/view; do umount -l "$mount" 2>/dev/null; done
    rm -rf "$1" || { sleep 1; rm -rf "$1"; }
    """
}

/// Why a fixture could not do what a test asked of it.
public struct TestSupportError: Error, CustomStringConvertible {
  public let description: String

  public init(_ description: String) { self.description = description }
}
