import SystemPackage
import Testing

@testable import LocalServer

@Suite struct `Choosing an installation` {
  static func installation(_ major: Int, _ minor: Int = 1, _ preRelease: String = "") -> ServerInstallation {
    ServerInstallation(
      binaryDirectory: FilePath("/pg/\(major).\(minor)\(preRelease)/bin"),
      version: ServerVersion(major: major, minor: minor, preRelease: preRelease))
  }

  @Test func `a new cluster gets the newest release`() throws {
    let among = [
      Self.installation(15), Self.installation(18), Self.installation(19, 0, "beta1"), Self.installation(16),
    ]
    #expect(try ServerInstallation.choose(among: among, clusterMajor: nil).version.major == 18)
  }

  @Test func `a pre-release is used when there is nothing else`() throws {
    let among = [Self.installation(19, 0, "beta1")]
    #expect(try ServerInstallation.choose(among: among, clusterMajor: nil).version.preRelease == "beta1")
  }

  @Test func `an existing cluster keeps its major version and gets its newest minor`() throws {
    let among = [
      Self.installation(18), Self.installation(15, 4), Self.installation(15, 14), Self.installation(15, 9),
    ]
    let chosen = try ServerInstallation.choose(among: among, clusterMajor: 15)
    #expect(chosen.version == ServerVersion(major: 15, minor: 14))
  }

  @Test func `of two equal versions the preferred place wins`() throws {
    let version = ServerVersion(major: 17, minor: 2)
    let among = ["/first", "/second"].map { ServerInstallation(binaryDirectory: $0, version: version) }
    for major in [nil, 17] {
      #expect(try ServerInstallation.choose(among: among, clusterMajor: major).binaryDirectory == "/first")
    }
  }

  @Test func `a missing major version is named together with the installed ones`() {
    let error = #expect(throws: LocalServerError.self) {
      try ServerInstallation.choose(among: [Self.installation(18), Self.installation(16)], clusterMajor: 15)
    }
    #expect(error?.code == .clusterVersion)
    #expect(error?.message == "the cluster was made by PostgreSQL 15, which is not installed")
    #expect(error?.detail == "Installed is PostgreSQL 16, 18.")
  }

  @Test(arguments: [[], [Self.installation(13)]])
  func `nothing usable is an error that says what to install`(among: [ServerInstallation]) {
    let error = #expect(throws: LocalServerError.self) {
      try ServerInstallation.choose(among: among, clusterMajor: nil)
    }
    #expect(error?.code == .noInstallation)
    #expect(error?.hint?.contains("apt-get install postgresql") == true)
    #expect(error?.hint?.contains("TSDB_PG_BINDIR") == true)
  }
}

@Suite struct `A version` {
  @Test(arguments: [
    ("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n", ServerVersion(major: 15, minor: 14)),
    ("postgres (PostgreSQL) 18.0\n", ServerVersion(major: 18, minor: 0)),
    ("postgres (PostgreSQL) 9.6.24\n", ServerVersion(major: 9, minor: 6, preRelease: ".24")),
    ("postgres (PostgreSQL) 19beta2\n", ServerVersion(major: 19, minor: 0, preRelease: "beta2")),
    ("postgres (PostgreSQL) 19devel\n", ServerVersion(major: 19, minor: 0, preRelease: "devel")),
  ])
  func `is read from the program's output`(output: String, expected: ServerVersion) {
    #expect(ServerVersion(programOutput: output) == expected)
  }

  @Test(arguments: [
    "", "postgres", "postgres (PostgreSQL)", "postgres (PostgreSQL) x", "15.4", "(PostgreSQL) 15.",
  ])
  func `is not read from anything else`(output: String) {
    #expect(ServerVersion(programOutput: output) == nil)
  }
}

@Suite struct `Choosing an installation for data of a major version` {
  @Test(
    arguments: [
      (15, "15.9"), (16, "17.1"), (14, "14.2"), (10, "14.2"), (17, "17.1"), (18, nil),
    ] as [(Int, String?)])
  func `takes the same, else the nearest newer, newest minor first`(major: Int, expected: String?) {
    let versions = [(17, 1, ""), (15, 3, ""), (15, 9, ""), (16, 0, "beta1"), (14, 2, ""), (13, 7, "")]
    let installations = versions.map { major, minor, preRelease in
      ServerInstallation(
        binaryDirectory: FilePath("/pg/\(major).\(minor)"),
        version: ServerVersion(major: major, minor: minor, preRelease: preRelease))
    }
    let chosen = ServerInstallation.choose(among: installations, forDataOf: major)
    #expect(chosen.map { "\($0.version)" } == expected)
  }
}

@Suite struct `Looking for installations` {
  @Test func `PATH comes first and relative entries are ignored`() {
    let environment = ServerEnvironment(path: "/opt/pg/bin::bin:/usr/bin", home: "/home/ana")
    let found = InstallationSearch.candidates(environment: environment) { _ in [] }
    #expect(found.prefix(2) == ["/opt/pg/bin", "/usr/bin"])
    #expect(found.last == "/home/ana/.nix-profile/bin")
  }

  @Test(arguments: [
    ("/usr/lib/postgresql", "16", "/usr/lib/postgresql/16/bin"),
    ("/usr", "pgsql-17", "/usr/pgsql-17/bin"),
    ("/usr/libexec", "postgresql18", "/usr/libexec/postgresql18"),
    ("/opt/homebrew/opt", "postgresql@15", "/opt/homebrew/opt/postgresql@15/bin"),
  ])
  func `versioned directories of the packages are candidates`(parent: String, name: String, expected: String)
  {
    let found = InstallationSearch.candidates(environment: ServerEnvironment()) {
      $0 == FilePath(parent) ? [name, "unrelated-\(name)"] : []
    }
    #expect(found.contains(FilePath(expected)))
  }

  @Test(arguments: ["/nonexistent", "relative/bin", "/tmp"])
  func `an explicit directory without the binaries is an error`(directory: String) {
    let search = InstallationSearch(
      environment: ServerEnvironment(binaryDirectory: directory, path: "/usr/bin"))
    let error = #expect(throws: LocalServerError.self) { try search.installations() }
    #expect(error?.code == .invalidBinaryDirectory)
    #expect(error?.detail?.contains(directory) == true)
  }

  @Test func `an explicit directory is the only one`() throws {
    let one = try #require(TestServers.installations.first)
    let search = InstallationSearch(
      environment: ServerEnvironment(binaryDirectory: one.binaryDirectory.string, path: "/usr/bin"))
    #expect(try search.installations() == [one])
  }
}
