import Digests

/// A manifest that is accepted is one that can be written and read again. The input is taken as the
/// whole document, and as one without its digest, which the fuzzer could not guess.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzManifest(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: data, count: count))
  check(bytes)
  let covered = bytes + Array(",\n".utf8)
  check(covered + Array("\"manifest_sha256\":\"\(SHA256Digest.digest(of: covered))\"}\n".utf8))
  return 0
}

private func check(_ bytes: [UInt8]) {
  guard let manifest = try? BackupManifest(reading: bytes) else { return }
  guard let written = try? manifest.bytes(), let again = try? BackupManifest(reading: written) else {
    preconditionFailure("an accepted manifest cannot be written")
  }
  precondition(again == manifest)
}
