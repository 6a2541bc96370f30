// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

// Debian ships libpg_query both ways. The static one keeps tsdb a single binary and
// spares every start the relocation of a 2.7 MB shared object.
let pgQueryLibrary: [LinkerSetting] = [
  .linkedLibrary(":libpg_query.a", .when(platforms: [.linux])),
  .linkedLibrary("pg_query", .when(platforms: [.macOS])),
]

let package = Package(
  name: "tsdb",
  platforms: [.macOS(.v15)],
  products: [.executable(name: "tsdb", targets: ["tsdb"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ],
  targets: [
    // C libraries: a module map and a shim header each, one importer each.
    .systemLibrary(
      name: "CLibpq", pkgConfig: "libpq",
      providers: [.apt(["libpq-dev"]), .brew(["libpq"])]),
    .systemLibrary(
      name: "CPgQuery",
      providers: [.apt(["libpg-query-dev", "libprotobuf-c-dev"]), .brew(["libpg_query"])]),
    .systemLibrary(
      name: "CZlib", pkgConfig: "zlib",
      providers: [.apt(["zlib1g-dev"]), .brew(["zlib"])]),

    .systemLibrary(
      name: "CISAL", pkgConfig: "libisal",
      providers: [.apt(["libisal-dev"]), .brew(["isa-l"])]),
    .systemLibrary(
      name: "CZstd", pkgConfig: "libzstd",
      providers: [.apt(["libzstd-dev"]), .brew(["zstd"])]),
    .systemLibrary(
      name: "CLZ4", pkgConfig: "liblz4",
      providers: [.apt(["liblz4-dev"]), .brew(["lz4"])]),
    .systemLibrary(
      name: "CXXHash", pkgConfig: "libxxhash",
      providers: [.apt(["libxxhash-dev"]), .brew(["xxhash"])]),

    // Starting a child process under another account, which neither Swift nor posix_spawn offers.
    .target(name: "CSpawn"),

    // Wrappers: the only importers.
    .target(name: "Postgres", dependencies: ["CLibpq"], swiftSettings: strict),
    .target(
      name: "SQLSyntax", dependencies: ["CPgQuery"], swiftSettings: strict,
      linkerSettings: pgQueryLibrary),
    .target(
      name: "Compression", dependencies: ["CZlib", "CISAL", "CZstd", "CLZ4"], swiftSettings: strict),
    .target(
      name: "Digests", dependencies: ["CXXHash", .product(name: "Crypto", package: "swift-crypto")],
      swiftSettings: strict),
    .target(
      name: "Processes",
      dependencies: ["CSpawn", .product(name: "SystemPackage", package: "swift-system")],
      swiftSettings: strict),

    // Moments, spans and time zones.
    .target(name: "Timekeeping", swiftSettings: strict),

    // Shared by the domains.
    .target(
      name: "Catalog",
      dependencies: ["Postgres", .product(name: "Crypto", package: "swift-crypto")],
      swiftSettings: strict),

    // pg_dump's archives and what stands beside them; needs no server.
    .target(
      name: "Archive",
      dependencies: [
        "Compression", "Digests", .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: strict),

    // Domains: none imports another.
    .target(
      name: "LocalServer",
      dependencies: ["Processes", .product(name: "SystemPackage", package: "swift-system")],
      swiftSettings: strict),
    .target(
      name: "Backups",
      dependencies: [
        "Postgres", "Catalog", "Archive", "Compression", "Digests", "Processes", "Timekeeping",
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: strict),
    .target(
      name: "Maintenance",
      dependencies: [
        "Postgres", "Processes", "Timekeeping", .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: strict),
    .target(
      name: "Migrations",
      dependencies: [
        "Postgres", "SQLSyntax", "Catalog", "Compression",
        .product(name: "HeapModule", package: "swift-collections"),
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: strict),

    .target(
      name: "Checklists",
      dependencies: [
        "Postgres", "Digests", "Processes", "Timekeeping",
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: strict),

    .target(name: "Deployments", dependencies: ["Postgres"], swiftSettings: strict),

    // Use cases over the domains, and the command line over the use cases.
    .target(
      name: "Operations",
      dependencies: [
        "Postgres", "Catalog", "Digests", "LocalServer", "Migrations", "Backups", "Maintenance", "Checklists",
        "Deployments", "Archive",
        "Compression", "Processes", "Timekeeping",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "Yams", package: "Yams"),
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "tsdb",
      dependencies: [
        "Operations", "Timekeeping",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: strict),

    .testTarget(
      name: "CompressionTests",
      dependencies: ["Compression", "Digests", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "ArchiveTests",
      dependencies: [
        "Archive", "Compression", "Digests", "TestSupport",
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: strict),
    .testTarget(
      name: "BackupsTests",
      dependencies: [
        "Backups", "Archive", "Catalog", "Compression", "Postgres", "Timekeeping", "TestSupport",
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: strict),
    .testTarget(name: "SQLSyntaxTests", dependencies: ["SQLSyntax"], swiftSettings: strict),
    // The private local server's tests, and a command for what needs a process or an account
    // of its own.
    .executableTarget(
      name: "LocalServerDriver",
      dependencies: ["LocalServer", .product(name: "SystemPackage", package: "swift-system")],
      path: "Tests/LocalServerDriver", swiftSettings: strict),
    .testTarget(
      name: "LocalServerTests",
      dependencies: [
        "LocalServer", "LocalServerDriver", .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: strict),
    // Fixtures: a private server, one database per test, runs of the built executable.
    .systemLibrary(name: "CTestSpawn", path: "Tests/CTestSpawn"),
    .target(
      name: "TestSupport",
      dependencies: [
        "Postgres", "Archive", "Backups", "Compression", "Deployments", "Digests", "Timekeeping",
        "CTestSpawn",
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      path: "Tests/TestSupport", swiftSettings: strict),
    .testTarget(
      name: "TestSupportTests", dependencies: ["Postgres", "TestSupport"], swiftSettings: strict),
    .testTarget(name: "PostgresTests", dependencies: ["Postgres", "TestSupport"], swiftSettings: strict),
    // Commands that are killed at many moments; twenty at once; locks held by others.
    .testTarget(
      name: "FaultTests", dependencies: ["Deployments", "Postgres", "TestSupport"], swiftSettings: strict),
    // Pure values of the migrations and the operations.
    .testTarget(name: "MigrationsTests", dependencies: ["Migrations", "SQLSyntax"], swiftSettings: strict),
    .testTarget(
      name: "OperationsTests",
      dependencies: [
        "Operations", "Backups", "Deployments", "Maintenance", "Migrations", "Postgres", "Timekeeping",
        "TestSupport",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "MaintenanceTests",
      dependencies: [
        "Maintenance", "Postgres", "Processes", "Timekeeping", "TestSupport",
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: strict),
    .testTarget(
      name: "ChecklistsTests",
      dependencies: [
        "Checklists", "Postgres", "Timekeeping", "TestSupport",
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      exclude: ["Fixtures"],
      swiftSettings: strict),
    .testTarget(
      name: "DeploymentsTests",
      dependencies: ["Deployments", "Postgres", "TestSupport"],
      swiftSettings: strict),
    // The built command line from end to end, on real servers.
    .testTarget(
      name: "CommandTests",
      dependencies: [
        "Postgres", "Archive", "Backups", "Compression", "Deployments", "Digests", "Maintenance",
        "Operations", "TestSupport",
        "tsdb",
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      exclude: ["Golden"],
      swiftSettings: strict),
    // The application's five files and its initial configuration.
    .testTarget(
      name: "SchemaTests", dependencies: ["Catalog", "Postgres", "SQLSyntax", "TestSupport", "tsdb"],
      swiftSettings: strict),
    .testTarget(name: "CatalogTests", dependencies: ["Catalog", "TestSupport"], swiftSettings: strict),
  ],
  swiftLanguageModes: [.v6]
)
