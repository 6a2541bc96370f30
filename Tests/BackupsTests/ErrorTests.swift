import Backups
import Testing

struct ErrorTests {
  @Test func `an error keeps its parts`() {
    let error = BackupError(.failed, "message", detail: "Detail.", hint: "hint")
    #expect(error.detail == "Detail." && error.hint == "hint" && error.sqlState == nil)
  }
}
