import ArgumentParser

@main
struct Tsdb: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tsdb", abstract: "Migrate, back up, restore and maintain PostgreSQL databases.")
}
