import FoundationEssentials

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The share of the processors that this process claims, and those it starts.
public enum ProcessPriority {
  /// Lets others go first; a niceness that is already higher stays.
  ///
  /// A process without privileges cannot take it back (setpriority(2)).
  /// - Parameter niceness: from 0 to 19.
  public static func lower(to niceness: Int) {
    for thread in threads {
      errno = 0
      let current = getpriority(which, thread)
      if errno == 0, current < niceness { _ = setpriority(which, thread, Int32(clamping: niceness)) }
    }
  }

  #if canImport(Glibc)
    private static let which = __priority_which_t(PRIO_PROCESS.rawValue)
  #else
    private static let which = PRIO_PROCESS
  #endif

  /// On Linux the value belongs to each thread; new ones inherit it from the one that starts them.
  private static var threads: [id_t] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")) ?? []
    let found = names.compactMap { id_t($0) }
    return found.isEmpty ? [0] : found
  }
}
