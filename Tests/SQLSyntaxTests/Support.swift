import SQLSyntax
import Testing

/// `relation a.b` as text, so that tables of expectations stay readable.
func described(_ references: [ObjectReference], of kinds: Set<ObjectReference.Kind>) -> [String] {
  references.filter { kinds.contains($0.kind) }.map(\.description)
}

func analysed(_ text: String) throws -> SQLStatement {
  let statements = try script(text).statements
  try #require(statements.count == 1)
  try #require(statements[0].isAnalysed)
  return statements[0]
}

/// The texts of a script's statements.
func statements(_ text: String) throws -> [String] {
  try SQLScript.parse(SourceText(text)).statements.map(\.text)
}

func script(_ text: String) throws -> SQLScript {
  try SQLScript.parse(SourceText(text))
}
