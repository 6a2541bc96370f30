import Archive
import Compression

/// What is read from which table, in which pieces; a pure value.
struct DataPlan: Sendable, Equatable {
  /// A table's data entry and how it is read.
  struct Table: Sendable, Equatable {
    var relation: BackupRelation
    /// The id of its TABLE DATA entry.
    var dumpID: Int32
    /// The ranges, in the table's order; empty when it is read as one stream.
    var ranges: [DataStatement.PageRange]
    /// Whether there is anything to read: a table without a page has no row.
    var isEmpty: Bool { relation.pages == 0 && relation.isHeap }

    /// The data file's name as the archive holds it, without the suffix of its compression.
    var entryFile: String { "\(dumpID).dat" }

    /// The data file's name in the directory.
    func fileName(_ compression: DataCompression) -> String {
      compression == .none ? entryFile : entryFile + ".gz"
    }
  }

  /// Largest first.
  var tables: [Table]

  /// The ranges of a table; empty when it is to be read as one stream.
  ///
  /// Ranges of pages need a heap and a server from 14 on, which has the range scan over ctid. Their
  /// number follows the size with TOAST, where most of a wide table is.
  static func ranges(
    of relation: BackupRelation, serverVersion: Int, pieceSize: Int64 = BackupOptions.defaultPieceSize
  ) -> [DataStatement.PageRange] {
    guard relation.isHeap, serverVersion >= 140_000, relation.configurationCondition == nil else {
      return []
    }
    let wanted = (relation.size + pieceSize / 2) / pieceSize
    let count = min(wanted, relation.pages)
    guard count > 1 else { return [] }
    return (0..<count).map { index in
      DataStatement.PageRange(
        from: index * relation.pages / count,
        to: index == count - 1 ? nil : (index + 1) * relation.pages / count)
    }
  }
}
