import Archive
import Compression
import Digests
import TestSupport

/// Damages of a backup, sampled: every kind at every file in turn, at places by chance.
struct DamageSampler {
  enum Kind: String, CaseIterable {
    case flip, cut, appendZeros, appendGarbage, appendMember, appendTail, zero, empty, remove, swap
    case exchangeBlocks, beside, anotherFile, symbolicLink, hardLink, directory
    case exchangePieces, removePiece, flipAndSeal
  }

  let files: BackupFiles
  private let rules: RestoreRules
  private let kinds: [Kind]
  private var generator: SeededGenerator
  private var round: [(Kind, String)] = []

  init(_ files: BackupFiles, _ generator: SeededGenerator, kinds: [Kind] = Kind.allCases) {
    self.files = files
    self.kinds = kinds
    self.generator = generator
    rules = RestoreRules(files: files)
  }

  /// The next damages. In each round every kind comes once at every file, in an order by chance; flips come
  /// more often, for they have the most places.
  mutating func next(_ count: Int) -> [BackupDamage] {
    var damages: [BackupDamage] = []
    while damages.count < count {
      if round.isEmpty {
        round = files.names.flatMap { name in
          kinds.flatMap { kind in [(Kind, String)](repeating: (kind, name), count: kind == .flip ? 4 : 1) }
        }
        round.shuffle(using: &generator)
      }
      let (kind, name) = round.removeLast()
      if let damage = damage(kind, name) { damages.append(damage) }
    }
    return damages
  }

  /// - Returns: nil where the kind is not possible, or would change nothing.
  mutating func damage(_ kind: Kind, _ name: String) -> BackupDamage? {
    let bytes = files.bytes[name] ?? []
    switch kind {
    case .flip: return flip(name, bytes).flatMap { changed("bit flipped", name, $0) }
    case .cut:
      guard bytes.count > 1 else { return nil }
      return changed("cut", name, Array(bytes[..<place(in: name, 1..<bytes.count)]))
    case .appendZeros:
      return changed("zeros appended", name, bytes + [UInt8](repeating: 0, count: length(5000)))
    case .appendGarbage: return changed("garbage appended", name, bytes + garbage(length(5000)))
    case .appendMember:
      return changed("another file appended", name, bytes + (files.bytes[other(name)] ?? [1]))
    case .appendTail: return changed("tail repeated", name, bytes + bytes.suffix(length(5000)))
    case .zero: return zeroed(bytes).flatMap { changed("zeroed", name, $0) }
    case .empty: return changed("emptied", name, [])
    case .remove: return lost("removed", name, .missing)
    case .swap: return swapped(name, other(name))
    case .exchangeBlocks: return exchanged(bytes).flatMap { changed("blocks exchanged", name, $0) }
    case .beside: return beside(name)
    case .anotherFile:
      return added(generator.pick(["core", ".hidden", "99999.dat", "99999.dat.gz", "a b", "config/x"]))
    case .symbolicLink:
      return BackupDamage(
        name: "\(name): a symbolic link", changes: [name: .symbolicLink], found: [name],
        notice: rules.noticeOfLink(name))
    case .hardLink:
      return BackupDamage(
        name: "\(name): a hard link", changes: [name: .hardLink], found: [],
        notice: .cannot("it is the same file"))
    case .directory: return lost("a directory", name, .directory)
    case .exchangePieces: return PieceDamage(files, name)?.exchange(&generator)
    case .removePiece: return PieceDamage(files, name)?.remove(&generator)
    case .flipAndSeal:
      guard let table = files.table(name), let flipped = flip(name, bytes),
        !Self.hasSameRows(name, bytes, flipped)
      else { return nil }
      return PieceDamage.sealed("bit flipped", files, table, flipped, rules.notice(name, flipped))
    }
  }

  /// Whether the change is in bits that mean nothing, such as gzip's time of the file or the padding before a block
  /// of deflate that is stored: only a digest tells, and here that is made to fit.
  private static func hasSameRows(_ name: String, _ bytes: [UInt8], _ changed: [UInt8]) -> Bool {
    guard name.hasSuffix(".gz"), let rows = decoded(changed) else { return false }
    return rows == decoded(bytes)
  }

  private static func decoded(_ bytes: [UInt8]) -> [UInt8]? {
    guard let decoder = try? StreamDecoder(.gzip) else { return nil }
    var rows: [UInt8] = []
    do {
      try bytes.withUnsafeBytes { input in try decoder.decode(input) { rows += $0 } }
      try decoder.finish()
      return rows
    } catch {
      return nil
    }
  }

  // MARK: - Contents

  private mutating func flip(_ name: String, _ bytes: [UInt8]) -> [UInt8]? {
    guard !bytes.isEmpty else { return nil }
    var bytes = bytes
    bytes[place(in: name, 0..<bytes.count)] ^= 1 << UInt8.random(in: 0...7, using: &generator)
    return bytes
  }

  private mutating func zeroed(_ bytes: [UInt8]) -> [UInt8]? {
    guard !bytes.isEmpty else { return nil }
    let start = Int.random(in: bytes.indices, using: &generator)
    let end = min(bytes.count, start + length(4096))
    return bytes[..<start] + [UInt8](repeating: 0, count: end - start) + bytes[end...]
  }

  private mutating func exchanged(_ bytes: [UInt8]) -> [UInt8]? {
    let size = min(generator.pick([1, 16, 512, 4096]), bytes.count / 2)
    guard size > 0 else { return nil }
    let first = Int.random(in: 0...(bytes.count - 2 * size), using: &generator)
    let second = Int.random(in: (first + size)...(bytes.count - size), using: &generator)
    var result = bytes
    result.replaceSubrange(first..<(first + size), with: bytes[second..<(second + size)])
    result.replaceSubrange(second..<(second + size), with: bytes[first..<(first + size)])
    return result
  }

  /// By chance anywhere, at an end, or where a piece begins.
  private mutating func place(in name: String, _ range: Range<Int>) -> Int {
    switch Int.random(in: 0..<6, using: &generator) {
    case 0: return min(range.upperBound - 1, range.lowerBound + Int.random(in: 0..<32, using: &generator))
    case 1: return max(range.lowerBound, range.upperBound - Int.random(in: 1...32, using: &generator))
    case 2:
      guard let piece = files.table(name)?.pieces.randomElement(using: &generator) else { break }
      let place = Int(piece.offset + piece.length) + Int.random(in: -6...6, using: &generator)
      if range.contains(place) { return place }
    default: break
    }
    return Int.random(in: range, using: &generator)
  }

  /// Small numbers as often as large ones.
  private mutating func length(_ limit: Int) -> Int {
    Int.random(in: 1...(generator.oneIn(2) ? 16 : limit), using: &generator)
  }

  private mutating func garbage(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
  }

  private mutating func other(_ name: String) -> String {
    generator.pick(files.names.filter { $0 != name })
  }

  // MARK: - Damages

  private func changed(_ what: String, _ name: String, _ bytes: [UInt8]) -> BackupDamage? {
    guard let original = files.bytes[name], bytes != original else { return nil }
    let place =
      zip(original, bytes).enumerated().first { $1.0 != $1.1 }?.offset ?? min(original.count, bytes.count)
    return BackupDamage(
      name: "\(name): \(what) at \(place) of \(original.count), now \(bytes.count) bytes",
      changes: [name: .bytes(bytes)], found: [name], notice: rules.notice(name, bytes))
  }

  private func lost(_ what: String, _ name: String, _ content: BackupDamage.Content) -> BackupDamage {
    BackupDamage(
      name: "\(name): \(what)", changes: [name: content], found: [name], notice: rules.noticeOfLoss(name))
  }

  private func swapped(_ one: String, _ two: String) -> BackupDamage? {
    guard let first = files.bytes[one], let second = files.bytes[two], first != second else { return nil }
    // Without its manifest nothing else can be looked at.
    let found = [one, two].contains("manifest.json") ? ["manifest.json"] : [one, two]
    let isNoticed =
      [one, two].contains("toc.dat")
      || [(one, second), (two, first)].contains { $0.hasPrefix("blobs") && rules.notice($0, $1) == .fails }
    return BackupDamage(
      name: "\(one) and \(two) swapped", changes: [one: .bytes(second), two: .bytes(first)],
      found: Set(found),
      notice: isNoticed ? .fails : .cannot("only a server can tell another table's rows from its own"))
  }

  private mutating func beside(_ name: String) -> BackupDamage {
    if name.hasSuffix(".gz") { return added(String(name.dropLast(3))) }
    return added(name + generator.pick([".gz", ".lz4", ".zst", "~"]))
  }

  private mutating func added(_ name: String) -> BackupDamage {
    let content: BackupDamage.Content = generator.oneIn(8) ? .directory : .bytes(garbage(length(100) - 1))
    return BackupDamage(
      name: "\(name) added", changes: [name: content], found: [name],
      notice: .cannot("pg_restore takes the first name that it finds"))
  }
}

/// Damages that keep a table's file well formed.
struct PieceDamage {
  private let files: BackupFiles
  private let table: BackupManifest.Table
  private let bytes: [UInt8]
  private let isCompressed: Bool

  /// - Returns: nil for a file that is not in several pieces.
  init?(_ files: BackupFiles, _ name: String) {
    guard let table = files.table(name), table.pieces.count > 1, let bytes = files.bytes[name] else {
      return nil
    }
    self.files = files
    self.table = table
    self.bytes = bytes
    isCompressed = name.hasSuffix(".gz")
  }

  /// How far the damage was made to fit.
  enum Fit: CaseIterable {
    case pieces, trailer, manifest
  }

  func exchange(_ generator: inout SeededGenerator) -> BackupDamage? {
    let fit = generator.pick(Fit.allCases)
    var pieces = table.pieces
    let first = Int.random(in: 0..<(pieces.count - 1), using: &generator)
    pieces.swapAt(first, Int.random(in: (first + 1)..<pieces.count, using: &generator))
    let damaged = file(pieces, fit)
    guard damaged != bytes else { return nil }
    let what = "pieces exchanged, \(fit) fit"
    if fit == .manifest { return Self.sealed(what, files, table, damaged, notice(fit)) }
    return damage(what, damaged, notice(fit))
  }

  func remove(_ generator: inout SeededGenerator) -> BackupDamage? {
    let fit = generator.pick(Fit.allCases)
    var pieces = table.pieces
    pieces.remove(at: Int.random(in: pieces.indices, using: &generator))
    let damaged = file(pieces, fit)
    guard damaged != bytes else { return nil }
    let what = "a piece removed, \(fit) fit"
    guard fit == .manifest else { return damage(what, damaged, notice(fit)) }
    var table = table
    var offset = table.pieces[0].offset
    table.pieces = pieces.map { piece in
      var piece = piece
      piece.offset = offset
      offset += piece.length
      return piece
    }
    table.rows = pieces.reduce(0) { $0 + $1.rows }
    table.bytes = pieces.reduce(0) { $0 + $1.bytes }
    table.fingerprint =
      table.fingerprint.split(separator: ":").dropLast().joined(separator: ":") + ":\(table.rows)"
    return Self.sealed(what, files, table, damaged, notice(fit))
  }

  private func notice(_ fit: Fit) -> RestoreNotice {
    guard isCompressed else { return .cannot("text without compression has no checksum") }
    return fit == .pieces ? .fails : .cannot("the checksum at the end was made to fit")
  }

  private func damage(_ what: String, _ damaged: [UInt8], _ notice: RestoreNotice) -> BackupDamage {
    BackupDamage(
      name: "\(table.file): \(what)", changes: [table.file: .bytes(damaged)], found: [table.file],
      notice: notice)
  }

  /// The file with these pieces, which are of the original.
  private func file(_ pieces: [BackupManifest.Piece], _ fit: Fit) -> [UInt8] {
    let start = Int(table.pieces[0].offset)
    let end = table.pieces.last.map { Int($0.offset + $0.length) } ?? start
    var tail = Array(bytes[end...])
    if fit != .pieces, isCompressed {
      let marker = Array("\\.\n\n\n".utf8)
      var crc = pieces.reduce(UInt32(0)) { CRC32.combine($0, $1.crc, secondLength: $1.bytes) }
      crc = CRC32.combine(crc, CRC32.checksum(marker), secondLength: Int64(marker.count))
      let length = pieces.reduce(0) { $0 + $1.bytes } + Int64(marker.count)
      tail = tail.dropLast(GzipFrame.trailerLength) + GzipFrame.trailer(crc: crc, length: length)
    }
    return bytes[..<start] + pieces.flatMap { bytes[Int($0.offset)..<Int($0.offset + $0.length)] } + tail
  }

  /// A manifest that gives the damaged file's digest, and is right about itself.
  static func sealed(
    _ what: String, _ files: BackupFiles, _ table: BackupManifest.Table, _ damaged: [UInt8],
    _ notice: RestoreNotice
  ) -> BackupDamage? {
    var manifest = files.manifest
    for index in manifest.tables.indices where manifest.tables[index].file == table.file {
      manifest.tables[index] = table
    }
    for index in manifest.files.indices where manifest.files[index].path == table.file {
      manifest.files[index].size = Int64(damaged.count)
      manifest.files[index].sha256 = SHA256Digest.digest(of: damaged)
    }
    guard let bytes = try? manifest.bytes() else { return nil }
    return BackupDamage(
      name: "\(table.file): \(what), and the manifest sealed again",
      changes: [table.file: .bytes(damaged), "manifest.json": .bytes(bytes)], found: [table.file],
      notice: notice, isForged: true)
  }
}
