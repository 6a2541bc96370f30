extension ChecklistPhase {
  /// The phase that a heading begins, in Spanish or English; nil for any other heading.
  ///
  /// A number in front of it, and "Paso 4:" or "Step 4:", are no part of it.
  public init?(heading: String) {
    let words = heading.drop { !$0.isLetter }
    var phrases = [Phrase(words)]
    let numbered = ["paso", "step", "fase", "phase"]
    if let first = words.split(whereSeparator: { !$0.isLetter }).first, numbered.contains(first.lowercased()),
      let colon = words.firstIndex(where: { $0 == ":" || $0 == "-" || $0 == "–" || $0 == "." })
    {
      phrases.append(Phrase(words[words.index(after: colon)...]))
    }
    let found = Self.headings.first { _, names in
      names.contains { name in phrases.contains { $0.matches(name) } }
    }
    guard let found else { return nil }
    self = found.0
  }

  private static let headings: [(ChecklistPhase, [Phrase])] = names.map { phase, names in
    (phase, names.map { Phrase($0) })
  }

  private static let names: [(ChecklistPhase, [String])] = [
    (.pre, ["Pre-Deployment", "Predespliegue", "Antes del despliegue", "Before deployment", "Preflight"]),
    (.deploy, ["Deployment", "Despliegue", "Deploy"]),
    (.verify, ["Verificación", "Verification", "Verify"]),
    (
      .post,
      [
        "Post-Deployment", "Postdespliegue", "Después del despliegue", "After deployment",
        "Monitoreo Post-Deployment", "Post-Deployment Monitoring", "Monitoreo posterior al despliegue",
      ]
    ),
    (.rollback, ["Rollback Plan", "Plan de rollback", "Rollback", "Plan de reversión", "Reversión"]),
    (.firstHour, ["Primera Hora", "First Hour"]),
    (.firstDay, ["Primer Día", "First Day"]),
    (.firstWeek, ["Primera Semana", "First Week"]),
  ]
}
