import Testing

@testable import Maintenance

@Suite struct CronExpressionTests {
  @Test(arguments: [
    ("0 * * * *", [0], 0...23), ("*/20 1-3 * * *", [0, 20, 40], 1...3),
    ("5,1,5 22-23 * * *", [1, 5], 22...23),
    ("1-9/4 0 * * *", [1, 5, 9], 0...0), ("00 07 * * *", [0], 7...7), ("59\t23  * * *", [59], 23...23),
    ("@hourly", [0], 0...23), ("@Daily", [0], 0...0),
  ])
  func `minutes and hours`(text: String, minutes: [Int], hours: ClosedRange<Int>) throws {
    let expression = try CronExpression(text)
    #expect(expression.minutes.values == minutes && expression.hours.values == Array(hours))
    #expect(expression.text == text)
  }

  @Test(arguments: [
    ("* * * * 7", [0]), ("* * * * 0", [0]), ("* * * * sun", [0]), ("* * * * Mon-FRI", [1, 2, 3, 4, 5]),
    ("* * * * 5-7", [0, 5, 6]), ("* * * * 0-7", [0, 1, 2, 3, 4, 5, 6]), ("* * * * */2", [0, 2, 4, 6]),
    ("* * * * tue,4", [2, 4]), ("@weekly", [0]),
  ])
  func `days of the week`(text: String, days: [Int]) throws {
    #expect(try CronExpression(text).weekdays.values == days)
  }

  @Test func `months by name and number`() throws {
    #expect(try CronExpression("0 0 1 jan,MAR,5-7/2,Dec *").months.values == [1, 3, 5, 7, 12])
    #expect(try CronExpression("@yearly").months.values == [1])
    #expect(try CronExpression("@monthly").days.values == [1])
  }

  /// Source: crontab(5) of Vixie's cron, and its source: a field counts as restricted unless it begins with `*`.
  @Test(arguments: [
    ("0 0 13 * 5", 13, 1, true), ("0 0 13 * 5", 14, 5, true), ("0 0 13 * 5", 14, 4, false),
    ("0 0 * * 5", 14, 5, true), ("0 0 * * 5", 13, 4, false), ("0 0 13 * *", 13, 1, true),
    ("0 0 */2 * 1", 3, 1, true), ("0 0 */2 * 1", 3, 2, false), ("0 0 */2 * 1", 4, 1, false),
    ("0 0 1-31 * 1", 4, 3, true),
  ])
  func `two restricted fields of days mean either`(text: String, day: Int, weekday: Int, matches: Bool) throws
  {
    #expect(try CronExpression(text).matches(month: 6, day: day, weekday: weekday) == matches)
  }

  @Test(arguments: [
    ("60 * * * *", "the minute 60 is not from 0 to 59"), ("0 24 * * *", "the hour 24 is not from 0 to 23"),
    ("0 0 0 * *", "the day of the month 0 is not from 1 to 31"),
    ("0 0 1 13 *", "the month 13 is not from 1 to 12"),
    ("0 0 * * 8", "the day of the week 8 is not from 0 to 7"),
    ("0 0 * foo *", "the month \"foo\" is not a number from 1 to 12 or one of jan, feb,"),
    ("0 x * * *", "the hour \"x\" is not a number from 0 to 23"),
    ("-1 * * * *", "the minute \"-1\""), ("1,,2 * * * *", "the minute \"1,,2\""),
    (", * * * *", "the minute \",\""),
    ("*/0 * * * *", "the step of the minute \"*/0\" is \"0\", not a number from 1 to 59"),
    ("*/60 * * * *", "the step of the minute \"*/60\""),
    ("*/ * * * *", "the step of the minute \"*/\" is \"\""),
    ("1/2/3 * * * *", "the minute \"1/2/3\""), ("1-5/2/3 * * * *", "the minute \"1-5/2/3\""),
    ("5/10 * * * *", "the minute \"5/10\" has a step without a range"),
    ("0 22-2 * * *", "the hour \"22-2\" is a range that ends before it begins"),
    ("0 0 1-2-3 * *", "the day of the month \"1-2-3\""), ("*-5 * * * *", "the minute \"*\""),
    ("*5 * * * *", "the minute \"*5\""),
    ("99999999999999999999 * * * *", "the minute 99999999999999999999 is not"),
    ("٣ * * * *", "the minute \"٣\""), ("", "not 0"), ("* * * *", "not 4"), ("* * * * * *", "not 6"),
    ("@reboot", "\"@reboot\" is not known"), ("10 seconds", "not 2"),
    ("0 0 $ * *", "the day of the month \"$\""),
    ("0 0 31 2 *", "the day of the month 31 never comes in the month 2"), ("0 0 30 feb *", "never comes"),
    ("0 0 31 4,6,9,nov *", "the day of the month 31 never comes in the month 4,6,9,nov"),
    ("0 0 30-31 2 */2", "never comes"),
  ])
  func `a fault names the field, the value and its range`(text: String, message: String) throws {
    let fault = try #require(throws: CronExpression.Fault.self) { try CronExpression(text) }
    #expect(fault.message.contains(message), "\(fault.message)")
    #expect(!fault.hint.isEmpty && !fault.message.contains("\n"))
  }

  @Test(arguments: ["0 0 29 2 *", "0 0 31 2 1", "0 0 31 1,2 *", "0 0 29 2 */7"])
  func `what fires seldom is taken`(text: String) throws {
    #expect(throws: Never.self) { try CronExpression(text) }
  }
}
