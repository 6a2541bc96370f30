import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Where programs are.
public enum ProgramPath {
  /// The regular file that a name means and that may be run.
  ///
  /// - Parameters:
  ///   - name: with a slash it is relative to `directory`, without one it is looked up in `path`.
  ///   - path: as in `PATH`; what is not absolute in it is left out.
  public static func find(_ name: String, path: String?, directory: String = "/") -> FilePath? {
    guard !name.isEmpty else { return nil }
    let candidates: [String]
    if name.contains("/") {
      candidates = [name.hasPrefix("/") ? name : directory + "/" + name]
    } else {
      candidates = (path ?? "/usr/local/bin:/usr/bin:/bin").split(separator: ":")
        .filter { $0.hasPrefix("/") }.map { "\($0)/\(name)" }
    }
    return candidates.first { isProgram($0) }.map { FilePath($0) }
  }

  private static func isProgram(_ path: String) -> Bool {
    var facts = stat()
    return stat(path, &facts) == 0 && facts.st_mode & S_IFMT == S_IFREG && access(path, X_OK) == 0
  }
}
