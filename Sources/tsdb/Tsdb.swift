import ArgumentParser
import Operations
import SQLSyntax
import Postgres

@main struct Tsdb: ParsableCommand {
  func run() { print(probe("select 1; select 2"), version()) }
}
