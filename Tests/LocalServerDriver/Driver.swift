import LocalServer
import SystemPackage

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// `LocalServerDriver start|stop|status|destroy DIRECTORY`: one call of the library in a process of
/// its own, for the tests that need another account, a race, or something to kill.
@main struct Driver {
  static func main() {
    guard CommandLine.arguments.count == 3 else { exit(64) }
    do {
      print(try run(CommandLine.arguments[1], FilePath(CommandLine.arguments[2])))
    } catch {
      print("\(error.code.rawValue): \(error)")
      exit(1)
    }
  }

  static func run(_ command: String, _ directory: FilePath) throws(LocalServerError) -> String {
    let server = try LocalServer(directory: directory)
    switch command {
    case "start":
      let clock = ContinuousClock()
      let begin = clock.now
      let result = try server.start()
      return "\(result.outcome.rawValue) \(result.connection.url) \(clock.now - begin)"
    case "stop": return try server.stop().rawValue
    case "status": return try server.status().state.rawValue
    case "destroy": return String(try server.destroy())
    default: return "unknown command"
    }
  }
}
