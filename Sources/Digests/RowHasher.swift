import CXXHash

/// Makes a ``ContentFingerprint`` of rows that may come in parts, however long a row is.
///
/// Not for use by several threads at a time: each reads its rows with a hasher of its own.
public final class RowHasher {
  public private(set) var fingerprint = ContentFingerprint()
  private var state: OpaquePointer?
  private var isInsideRow = false

  public init() {}

  deinit { XXH3_freeState(state) }

  /// Adds bytes of a row.
  ///
  /// - Parameter endsRow: whether they are the row's last; the newline at its end belongs to it.
  @inline(__always)
  public func add(_ bytes: UnsafeRawBufferPointer, endsRow: Bool) {
    if endsRow, !isInsideRow {
      fingerprint.add(row: bytes)
    } else {
      addPart(bytes, endsRow: endsRow)
    }
  }

  /// Whether a row has begun and not ended.
  public var isRowOpen: Bool { isInsideRow }

  /// Forgets everything.
  public func reset() {
    fingerprint = ContentFingerprint()
    isInsideRow = false
  }

  private func addPart(_ bytes: UnsafeRawBufferPointer, endsRow: Bool) {
    if !isInsideRow {
      if state == nil { state = XXH3_createState() }
      XXH3_128bits_reset(state)
      isInsideRow = true
    }
    tsdb_xxh3_128bits_update(state, bytes.baseAddress, bytes.count)
    if endsRow {
      fingerprint.add(XXH3_128bits_digest(state))
      isInsideRow = false
    }
  }
}
