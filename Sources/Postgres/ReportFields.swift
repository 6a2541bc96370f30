/// The fields of an ErrorResponse or NoticeResponse, read without libpq.
///
/// Source: PostgreSQL manual, "Error and Notice Message Fields".
struct ReportFields: Equatable {
  private var fields: [UInt8: String] = [:]

  /// - Parameter payload: the message without type and length. Of one that was cut off, the fields that
  ///   are left; invalid UTF-8 becomes U+FFFD.
  init(_ payload: some Collection<UInt8>) {
    var rest = payload[...]
    while let code = rest.first, code != 0 {
      rest = rest.dropFirst()
      let value = rest.prefix { $0 != 0 }
      fields[code] = String(decoding: value, as: UTF8.self)
      rest = rest[value.endIndex...].dropFirst()
    }
  }

  private func text(_ code: Unicode.Scalar) -> String? { fields[UInt8(ascii: code)] }

  /// Never translated.
  var severity: String? { text("V") ?? text("S") }

  var notice: Notice {
    Notice(
      severity: severity ?? "NOTICE", sqlState: text("C") ?? "", message: text("M") ?? "",
      detail: text("D"), hint: text("H"))
  }

  func error(isConnectionLost: Bool) -> PostgresError {
    PostgresError(
      origin: isConnectionLost ? .connectionLost : .server,
      sqlState: text("C") ?? "", severity: severity ?? "ERROR", message: text("M") ?? "",
      detail: text("D"), hint: text("H"), position: text("P").flatMap { Int($0) },
      internalQuery: text("q"), internalPosition: text("p").flatMap { Int($0) }, context: text("W"),
      constraint: text("n"))
  }
}
