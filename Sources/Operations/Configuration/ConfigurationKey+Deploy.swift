import Maintenance
import Timekeeping

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
    ConfigurationKey(name: "deploy.schedule_every", expectation: "a span in minutes such as 5min, up to 1h") {
      guard $1.count == 1, let span = Duration(spanText: $1[0]), span.wholeSeconds % 60 == 0,
        (try? CallTimes(every: Int(span.wholeSeconds / 60), offset: 0)) != nil
      else { return false }
      $0.deploy.scheduleEvery = Int(span.wholeSeconds / 60)
      return true
    },
    ConfigurationKey(name: "deploy.schedule_wait", expectation: "a span such as 10min, or 0") {
      guard $1.count == 1, let span = Duration(spanText: $1[0]) else { return false }
      $0.deploy.scheduleWait = span
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
