extension ConfigurationKey {
  static let deploy: [ConfigurationKey] = [
    ConfigurationKey(name: "deploy.checklist", expectation: "the path of a Markdown checklist") {
      guard $1.count == 1, !$1[0].isEmpty, !$1[0].utf8.contains(0) else { return false }
      $0.deploy.checklist = $1[0]
      return true
    },
    ConfigurationKey(name: "deploy.schedule", expectation: "cron, systemd, pg-cron or none") {
      guard $1.count == 1, let schedule = DeploySchedule(rawValue: $1[0]) else { return false }
      $0.deploy.schedule = schedule
      return true
    },
    ConfigurationKey(name: "deploy.prove", expectation: "true or false") {
      guard $1.count == 1, let proves = Bool($1[0]) else { return false }
      $0.deploy.proves = proves
      return true
    },
    ConfigurationKey(name: "deploy.report_language", expectation: "es or en") {
      guard $1.count == 1, ["es", "en"].contains($1[0]) else { return false }
      $0.deploy.reportLanguage = $1[0]
      return true
    },
  ]
}
