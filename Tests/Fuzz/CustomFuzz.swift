import Glibc

/// In memory, without a name.
private let descriptor: CInt = {
  let path = "/dev/shm/archive-fuzz-\(getpid())"
  let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
  precondition(descriptor >= 0 && unlink(path) == 0)
  return descriptor
}()

/// Reads all that is in an archive in custom format. Whatever the file is, that ends, and takes memory
/// of a fixed size.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzCustom(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  precondition(ftruncate(descriptor, 0) == 0 && pwrite(descriptor, data, count, 0) == count)
  guard let file = try? ArchiveFile(descriptor: dup(descriptor), openError: 0, name: "archive"),
    let source = try? ArchiveSource(file)
  else { return 0 }
  if let script = try? RestoreScript(source.contents) {
    var session = RestoreSession(script)
    for entry in script.entries { _ = try? session.statements(of: entry) }
  }
  // Few bytes of zstd make gigabytes; what they make is not under test.
  var rest = 16 << 20
  for entry in source.contents.entries where entry.hasData {
    _ = try? source.readData(of: entry) { try take($0.count, of: &rest) }
    _ = try? source.readLargeObjects(of: entry) { object in
      if object.oid % 3 > 0 { try object.read { try take($0.count, of: &rest) } }
    }
  }
  return 0
}

private func take(_ count: Int, of rest: inout Int) throws {
  rest -= count
  if rest < 0 { throw ArchiveError(.system, "enough") }
}
