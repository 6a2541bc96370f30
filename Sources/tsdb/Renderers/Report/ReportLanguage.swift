import ArgumentParser

/// The languages of a report.
enum ReportLanguage: String, CaseIterable, ExpressibleByArgument {
  case en, es

  /// By `LC_ALL`, else `LC_MESSAGES`, else `LANG`; English where they say neither.
  init(environment: [String: String]) {
    let value =
      ["LC_ALL", "LC_MESSAGES", "LANG"].lazy.compactMap { environment[$0] }.first { !$0.isEmpty } ?? ""
    self = value.lowercased().hasPrefix("es") ? .es : .en
  }
}
