import Archive

/// Compares the table of contents with the manifest.
struct ContentsCheck {
  let manifest: BackupManifest
  let directory: HeldDirectory

  private static let name = "toc.dat"

  func run() -> [VerificationFinding] {
    let contents: TableOfContents
    do {
      contents = try TableOfContents(
        reading: try directory.read(Self.name, limit: Int(ArchiveDirectory.maximumContentsSize)))
    } catch let error as ArchiveError {
      return [finding([error.message, error.detail].compactMap { $0 }.joined(separator: ". "))]
    } catch {
      return [finding((error as? BackupError)?.message ?? "\(error)")]
    }
    return check(contents.header) + checkTables(contents) + checkFiles(contents)
  }

  private func check(_ header: ArchiveHeader) -> [VerificationFinding] {
    let version = "\(header.version.major).\(header.version.minor)"
    return version == manifest.archive.version
      ? [] : [finding("it has version \(version), the manifest says \(manifest.archive.version)")]
  }

  /// Each TABLE DATA entry has its table and the file's name, and the other way round.
  private func checkTables(_ contents: TableOfContents) -> [VerificationFinding] {
    var tables = Dictionary(manifest.tables.map { ($0.dumpID, $0) }) { first, _ in first }
    var findings: [VerificationFinding] = []
    for entry in contents.entries where entry.kind == "TABLE DATA" && entry.hasData {
      guard let table = tables.removeValue(forKey: entry.dumpID) else {
        findings.append(
          finding("entry \(entry.dumpID) is the data of a table that the manifest does not have"))
        continue
      }
      if fileName(entry) != plainName(table.file) {
        findings.append(
          finding(
            "entry \(entry.dumpID) names the file \"\(fileName(entry) ?? "")\", the manifest \"\(table.file)\""
          ))
      }
      // In another encoding the bytes differ from the manifest's UTF-8.
      if manifest.archive.encoding == "UTF8",
        entry.tag ?? [] != Array(table.name.utf8) || entry.namespace ?? [] != Array(table.schema.utf8)
      {
        findings.append(finding("entry \(entry.dumpID) is of another table than the manifest says"))
      }
    }
    for table in tables.values {
      findings.append(
        finding("it has no data entry \(table.dumpID) for the table \"\(table.schema).\(table.name)\""))
    }
    return findings
  }

  /// Each file that an entry names is one of the manifest.
  private func checkFiles(_ contents: TableOfContents) -> [VerificationFinding] {
    let files = Set(manifest.files.map { plainName($0.path) })
    return contents.entries.compactMap { entry in
      guard entry.hasData, entry.kind != "TABLE DATA", let name = fileName(entry), !name.isEmpty,
        !files.contains(name)
      else { return nil }
      return finding("entry \(entry.dumpID) names the file \"\(name)\", which the manifest does not have")
    }
  }

  private func fileName(_ entry: ArchiveEntry) -> String? {
    guard case .file(let name) = entry.place else { return nil }
    return String(decoding: name, as: UTF8.self)
  }

  /// The table of contents names files without what compression adds to the name.
  private func plainName(_ name: String) -> String {
    for suffix in DataFileSuffix.allCases where suffix != .plain && name.hasSuffix(suffix.rawValue) {
      return String(name.dropLast(suffix.rawValue.count))
    }
    return name
  }

  private func finding(_ problem: String) -> VerificationFinding {
    VerificationFinding(path: Self.name, problem: problem)
  }
}
