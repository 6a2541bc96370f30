#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// An array of C strings for the length of one call.
struct CStrings {
  private let strings: [String?]
  private let isTerminated: Bool

  /// - Parameter terminated: whether a null pointer ends the array, as libpq's keyword lists need.
  init(_ strings: [String?], terminated: Bool = false) {
    self.strings = strings
    self.isTerminated = terminated
  }

  func withPointers<Result>(_ body: (UnsafePointer<UnsafePointer<CChar>?>?) -> Result) -> Result {
    let copies: [UnsafeMutablePointer<CChar>?] = strings.map { $0.flatMap { strdup($0) } }
    defer { copies.forEach { free($0) } }
    let pointers: [UnsafePointer<CChar>?] = copies.map { UnsafePointer($0) } + (isTerminated ? [nil] : [])
    return pointers.withUnsafeBufferPointer { body($0.baseAddress) }
  }
}
