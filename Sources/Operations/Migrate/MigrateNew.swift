import FoundationEssentials
import Migrations
import SystemPackage

/// Writes a new migration from a template.
public struct MigrateNew: Sendable {
  public let template: MigrationTemplate

  public init(template: MigrationTemplate) {
    self.template = template
  }

  public struct Result: Sendable, Encodable {
    /// Relative to the project's directory.
    public let files: [String]
  }

  /// - Throws: ``MigrationError`` of kind `invalidInput` for a name that cannot be one, a name that is
  ///   taken, a requirement that does not exist, or a directory that cannot be written.
  public func run(_ project: Project) throws -> Result {
    if let refusal = MigrationTemplate.refusal(ofName: template.name) {
      throw MigrationError(
        .invalidInput, "\"\(template.name)\" cannot be used: \(refusal)",
        hint: "tsdb migrate new add_ticket_priority")
    }
    let directory = project.configuration.migrationDirectories[0]
    let absolute = directory.hasPrefix("/") ? directory : project.root + "/" + directory
    if !FileManager.default.fileExists(atPath: absolute) {
      do {
        try FileManager.default.createDirectory(atPath: absolute, withIntermediateDirectories: true)
      } catch {
        throw MigrationError(
          .invalidInput, "the directory \"\(directory)\" cannot be created",
          hint: "check the permissions of \(project.root)")
      }
    }
    let names = try project.migrations().files.map(\.name)
    if let taken = names.first(where: { $0.lowercased() == template.name.lowercased() }) {
      throw MigrationError(
        .invalidInput, "there is a migration \"\(taken)\" already", hint: "choose another name")
    }
    for requirement in template.requirements where !names.contains(requirement) {
      throw MigrationPlan.unknownMigration(requirement, known: names)
    }
    var written: [String] = []
    for (name, content) in template.files {
      try write(content, to: absolute + "/" + name, shown: directory + "/" + name)
      written.append(directory + "/" + name)
    }
    return Result(files: written)
  }

  private func write(_ content: String, to path: String, shown: String) throws(MigrationError) {
    do {
      let descriptor = try FileDescriptor.open(
        FilePath(path), .writeOnly, options: [.create, .exclusiveCreate],
        permissions: [.ownerReadWrite, .groupRead, .otherRead])
      try descriptor.closeAfter { _ = try descriptor.writeAll(content.utf8) }
    } catch {
      throw MigrationError(
        .invalidInput, "\(shown) cannot be written: \(error)", hint: "check its permissions")
    }
  }
}
