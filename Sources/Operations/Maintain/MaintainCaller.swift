import Maintenance

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

extension JobCaller {
  /// This process.
  ///
  /// - Parameter environment: `TSDB_TRIGGER` says who started it; what `tsdb schedule` installs sets it.
  public static func this(environment: [String: String]) -> JobCaller {
    var name = [CChar](repeating: 0, count: 256)
    let hasName = gethostname(&name, name.count - 1) == 0
    let host = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let trigger = environment["TSDB_TRIGGER"] ?? ""
    let isWord =
      !trigger.isEmpty && trigger.utf8.count <= 40 && trigger.allSatisfy { $0.isLetter || $0 == "-" }
    return JobCaller(
      trigger: isWord ? trigger : "hand", host: hasName ? host : "", processID: Int(getpid()),
      toolVersion: Version.current)
  }
}
