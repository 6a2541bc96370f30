/// All texts of a report, in both languages: a word that lacks one does not compile.
///
/// `{0}` and `{1}` stand for what is put in, `{0:job|jobs}` for the form that goes with it.
enum ReportWord: CaseIterable {
  case title, kicker, skip, contents, summary, generated, timesIn
  case server, role, version, size, started, standby, database
  case good, attention, critical, unknown
  case verdictGood, verdictAttention, verdictCritical, verdictUnknown
  case nextSteps, nothingToDo, moreSteps, similar
  case deployment, checklist, migrations, backups, jobs, health, notJudged
  case deploymentLead, checklistLead, migrationsLead, backupsLead, jobsLead, viewsLead, retentionLead,
    tablesLead
  case sequencesLead, indexesLead, wraparoundLead, healthLead
  case views, retention, tables, sequences, indexes, wraparound
  case noDeployment, noChecklist, noMigrations, noBackups, noJobs, noViews, noRetention, noTables, noSequences
  case notSeen, wouldHelp, more, omittedRuns
  case proved, failed, attested, notApplicable, unknownItem, unbound
  case phasePre, phaseDeploy, phaseVerify, phasePost, phaseRollback, phaseFirstHour, phaseFirstDay,
    phaseFirstWeek
  case phase, share, ofItems, item, seen, state, others, attestedBy, evidenceIs, otherDatabase, itemsCaption,
    ladderCaption
  case migration, applied, appliedBy, duration, log, logCaption, when, action, name, actor, reason,
    migrationsCaption
  case backup, kind, rows, proofs, verified, proven, label, timeline, timelineDescription, timelineOlder,
    backupsCaption
  case newestBackup, neverProven, lastProof, repositoryAway, foreignBackups, axisBackups, axisProofs, today
  case markBackup, markVerified, markDamaged, markRemoved, markProof, markFailedProof
  case job, schedule, lastRun, outcome, next, days, calendarCaption, dayNone, dayDone, dayOther, missingTitle,
    missingCaption, slot
  case missingNone, failuresTitle, failuresCaption, judgedSince, neverRecorded, legendDone, legendMissing,
    legendFailed, legendNone
  case legendPartial, never, disabled, dayMissing, dayFailed, daySkipped, byHand
  case view, refreshed, age, due, populated, notPopulated, viewsCaption, noJob
  case table, keep, overdueRows, oldest, retentionCaption, nothingOverdue, moreThan
  case indexSize, tablesCaption, partitions, ofAll
  case sequence, column, used, last, endless, sequencesCaption, left
  case index, invalidTitle, duplicateTitle, unusedTitle, noInvalid, noDuplicate, noUnused, sameAs,
    countedSince
  case invalidCaption, duplicateCaption, unusedCaption, shortWindow
  case transactions, multixacts, wraparoundCaption, limits, oldestRelation
  case check, problem, remedy, checksCaption, noProblems, englishNote, footer
  case jobsMissing, checksFine, checksBad, appliedCount, newestAgo, provedAgo, damagedCount, noUsable,
    lastDeployment, ended, running
  case noMissing, stepsTitle, stepsCaption, step, result, skippedBecause, slotTo, dueNow, waiting, times,
    drifted
  case provedCount, failedCount, attestedCount, notApplicableCount, unknownCount, unboundCount

  /// - Parameter values: in place of `{0}`, `{1}` and so on.
  func text(_ language: ReportLanguage, _ values: [String] = []) -> String {
    let (english, spanish) = texts
    return Self.filled(language == .es ? spanish : english, values)
  }

  private static func filled(_ template: String, _ values: [String]) -> String {
    guard template.contains("{") else { return template }
    var result = ""
    var rest = template[...]
    while let start = rest.firstIndex(of: "{"), let end = rest[start...].firstIndex(of: "}") {
      result += rest[..<start]
      let parts = rest[rest.index(after: start)..<end].split(separator: ":", maxSplits: 1)
      let value =
        parts.first.flatMap { Int($0) }.flatMap { values.indices.contains($0) ? values[$0] : nil } ?? ""
      if parts.count == 2 {
        let forms = parts[1].split(separator: "|")
        result += (value == "1" ? forms.first : forms.last) ?? ""
      } else {
        result += value
      }
      rest = rest[rest.index(after: end)...]
    }
    return result + rest
  }

  private var texts: (String, String) {
    switch self {
    case .title: ("Database report: {0}", "Informe de la base de datos: {0}")
    case .kicker: ("Database report", "Informe de la base de datos")
    case .skip: ("Skip to the verdict", "Ir al veredicto")
    case .contents: ("Contents", "Contenido")
    case .summary: ("Summary by area", "Resumen por área")
    case .generated: ("Read", "Leído")
    case .timesIn: ("Times are in {0}.", "Las horas están en {0}.")
    case .server: ("Server", "Servidor")
    case .role: ("Role", "Rol")
    case .version: ("Version", "Versión")
    case .size: ("Size", "Tamaño")
    case .started: ("Started", "Inicio")
    case .standby: ("standby", "réplica en espera")
    case .database: ("Database", "Base de datos")
    case .good: ("Good", "En orden")
    case .attention: ("Attention", "Atención")
    case .critical: ("Critical", "Crítico")
    case .unknown: ("Unknown", "Desconocido")
    case .verdictGood: ("Everything that was looked at is in order", "Todo lo revisado está en orden")
    case .verdictAttention: ("Something needs attention", "Algo requiere atención")
    case .verdictCritical: ("Something needs action now", "Algo requiere actuar ahora")
    case .verdictUnknown: ("Not everything could be seen", "No se pudo ver todo")
    case .nextSteps: ("What to do next", "Qué hacer ahora")
    case .nothingToDo: ("There is nothing to do.", "No hay nada que hacer.")
    case .moreSteps:
      (
        "{0} more {0:is|are} in the sections below.", "Hay {0} más en las secciones de abajo."
      )
    case .similar: ("and {0} more of the kind", "y {0} más del mismo tipo")
    case .deployment: ("Deployments", "Despliegues")
    case .checklist: ("Deployment checklist", "Lista de despliegue")
    case .migrations: ("Migrations", "Migraciones")
    case .backups: ("Backups and proofs", "Copias de seguridad y pruebas")
    case .jobs: ("Maintenance jobs", "Tareas de mantenimiento")
    case .health: ("Health checks", "Comprobaciones de salud")
    case .notJudged: ("not judged", "sin juicio")
    case .deploymentLead:
      (
        "The latest deployments, as the database records them.",
        "Los últimos despliegues, según los registra la base de datos."
      )
    case .checklistLead:
      (
        "Each box is ticked by evidence; only proved is proved.",
        "Cada casilla se marca con evidencia; solo lo probado está probado."
      )
    case .migrationsLead:
      (
        "What is applied, what is pending, and what was changed since.",
        "Qué está aplicado, qué está pendiente y qué cambió desde entonces."
      )
    case .backupsLead:
      (
        "A backup counts once it was restored on trial with equal contents.",
        "Una copia cuenta cuando se restauró a prueba con contenido igual."
      )
    case .jobsLead:
      (
        "What ran, and what should have run by its schedule and did not.",
        "Qué se ejecutó, y qué debió ejecutarse según su horario y no lo hizo."
      )
    case .viewsLead:
      (
        "How old each view is, beside how often it is due.",
        "Qué antigüedad tiene cada vista, junto a su frecuencia prevista."
      )
    case .retentionLead:
      (
        "Rows that the rules of retention should have deleted by now.",
        "Filas que las reglas de retención ya deberían haber borrado."
      )
    case .tablesLead:
      (
        "The largest tables, with their indexes; partitions count with their table.",
        "Las tablas más grandes, con sus índices; las particiones cuentan con su tabla."
      )
    case .sequencesLead:
      (
        "How much of its numbers each sequence has given out, by the type of its column.",
        "Cuántos de sus números ha entregado cada secuencia, según el tipo de su columna."
      )
    case .indexesLead:
      (
        "Indexes that no query can use, that repeat another, or that nothing reads.",
        "Índices que ninguna consulta puede usar, que repiten a otro o que nada lee."
      )
    case .wraparoundLead:
      (
        "How far transaction ids are from where the server stops taking writes.",
        "A qué distancia están los identificadores de transacción de donde el servidor deja de aceptar escrituras."
      )
    case .healthLead:
      (
        "What tsdb check says, the worst first.", "Lo que dice tsdb check, lo peor primero."
      )
    case .views: ("Materialized views", "Vistas materializadas")
    case .retention: ("Retention backlog", "Retraso de la retención")
    case .tables: ("Table sizes", "Tamaño de las tablas")
    case .sequences: ("Sequences", "Secuencias")
    case .indexes: ("Indexes", "Índices")
    case .wraparound: ("Wraparound", "Agotamiento de transacciones (wraparound)")
    case .noDeployment: ("No deployment is recorded.", "No hay ningún despliegue registrado.")
    case .noChecklist:
      (
        "There is no evidence of a checklist; --evidence names a file of it.",
        "No hay evidencia de una lista; --evidence nombra un archivo de evidencia."
      )
    case .noMigrations: ("There are no migrations.", "No hay migraciones.")
    case .noBackups:
      (
        "There is no backup: no repository, and no record of one.",
        "No hay ninguna copia: ni repositorio ni registro de alguna."
      )
    case .noJobs: ("No job is configured.", "No hay tareas configuradas.")
    case .noViews: ("There are no materialized views.", "No hay vistas materializadas.")
    case .noRetention: ("No retention is configured.", "No hay retención configurada.")
    case .noTables: ("There are no tables.", "No hay tablas.")
    case .noSequences: ("There are no sequences.", "No hay secuencias.")
    case .notSeen: ("This could not be seen", "Esto no se pudo ver")
    case .wouldHelp: ("What would help:", "Qué lo permitiría:")
    case .more: ("{0} more {0:is|are} left out here.", "Aquí se omiten {0} más.")
    case .omittedRuns:
      (
        "{0} older {0:run was|runs were} not read; days before are not judged.",
        "No se {0:leyó|leyeron} {0} {0:ejecución anterior|ejecuciones anteriores}; los días previos no se juzgan."
      )
    case .proved: ("proved", "probado")
    case .failed: ("failed", "fallido")
    case .attested: ("attested", "atestiguado")
    case .notApplicable: ("not applicable", "no aplica")
    case .unknownItem: ("unknown", "desconocido")
    case .unbound: ("unbound", "sin vincular")
    case .phasePre: ("Before the deployment", "Antes del despliegue")
    case .phaseDeploy: ("Deployment", "Despliegue")
    case .phaseVerify: ("Verification", "Verificación")
    case .phasePost: ("After the deployment", "Después del despliegue")
    case .phaseRollback: ("Rollback", "Reversión")
    case .phaseFirstHour: ("First hour", "Primera hora")
    case .phaseFirstDay: ("First day", "Primer día")
    case .phaseFirstWeek: ("First week", "Primera semana")
    case .phase: ("Phase", "Fase")
    case .share: ("Share", "Proporción")
    case .ofItems: ("Proved", "Probado")
    case .item: ("Item", "Punto")
    case .seen: ("Seen", "Observado")
    case .state: ("State", "Estado")
    case .others: ("Other states", "Otros estados")
    case .attestedBy: ("attested by {0}", "atestiguado por {0}")
    case .evidenceIs:
      (
        "From \u{201C}{0}\u{201D}, run {1}. SHA-256 of its last line: {2}",
        "De «{0}», ejecutada {1}. SHA-256 de su última línea: {2}"
      )
    case .otherDatabase:
      (
        "This evidence is of another database or another server.",
        "Esta evidencia es de otra base de datos o de otro servidor."
      )
    case .itemsCaption: ("Every item, by phase", "Todos los puntos, por fase")
    case .ladderCaption: ("Items proved in each phase", "Puntos probados en cada fase")
    case .migration: ("Migration", "Migración")
    case .applied: ("Applied", "Aplicada")
    case .appliedBy: ("By", "Por")
    case .duration: ("Took", "Duró")
    case .log: ("History", "Historial")
    case .logCaption:
      (
        "What was applied, undone, accepted and seeded; the newest first",
        "Lo aplicado, deshecho, aceptado y sembrado; lo más reciente primero"
      )
    case .when: ("When", "Cuándo")
    case .action: ("Action", "Acción")
    case .name: ("Name", "Nombre")
    case .actor: ("By", "Por")
    case .reason: ("Reason", "Motivo")
    case .migrationsCaption: ("Migrations in the order of application", "Migraciones en orden de aplicación")
    case .backup: ("Backup", "Copia")
    case .kind: ("Kind", "Tipo")
    case .rows: ("Rows", "Filas")
    case .proofs: ("Proofs", "Pruebas")
    case .verified: ("Every byte read", "Leída por completo")
    case .proven: ("Restored on trial", "Restaurada a prueba")
    case .label: ("Label", "Etiqueta")
    case .timeline: ("Backups and proofs over time", "Copias y pruebas en el tiempo")
    case .timelineDescription:
      (
        "{0} {0:backup|backups} and {1} {1:trial|trials} of restoring, from {2} to {3}. The table below has the newest.",
        "{0} {0:copia|copias} y {1} {1:restauración|restauraciones} a prueba, del {2} al {3}. La tabla de abajo tiene las más recientes."
      )
    case .timelineOlder:
      (
        "{0} older {0:backup is|backups are} left out of the picture.",
        "{0} {0:copia más antigua no aparece|copias más antiguas no aparecen} en la figura."
      )
    case .backupsCaption: ("The newest backups", "Las copias más recientes")
    case .newestBackup: ("Newest backup", "Copia más reciente")
    case .neverProven:
      (
        "No backup was ever restored on trial.", "Ninguna copia se ha restaurado nunca a prueba."
      )
    case .lastProof: ("Last proof", "Última prueba")
    case .repositoryAway:
      (
        "The repository is not on this machine; what follows is from the database's records.",
        "El repositorio no está en esta máquina; lo que sigue proviene de los registros de la base de datos."
      )
    case .foreignBackups:
      (
        "{0} {0:backup|backups} of a database of this name on another server {0:is|are} left out.",
        "Se {0:omite|omiten} {0} {0:copia|copias} de una base de datos de este nombre en otro servidor."
      )
    case .axisBackups: ("Backups", "Copias")
    case .axisProofs: ("Proofs", "Pruebas")
    case .today: ("now", "ahora")
    case .markBackup: ("written", "escrita")
    case .markVerified: ("verified or proven", "verificada o probada")
    case .markDamaged: ("damaged, or a trial that failed", "dañada, o una prueba fallida")
    case .markRemoved: ("removed since", "retirada después")
    case .markProof: ("restored on trial", "restaurada a prueba")
    case .markFailedProof: ("failed", "fallida")
    case .job: ("Job", "Tarea")
    case .schedule: ("Schedule", "Horario")
    case .lastRun: ("Last run", "Última ejecución")
    case .outcome: ("Outcome", "Resultado")
    case .next: ("Next", "Próxima")
    case .days: ("Days", "Días")
    case .calendarCaption:
      (
        "Runs of each job on each of the last {0} days",
        "Ejecuciones de cada tarea en cada uno de los últimos {0} días"
      )
    case .dayNone: ("nothing due", "nada previsto")
    case .dayDone: ("{0} of {1} done", "{0} de {1} hechas")
    case .dayOther: ("partial", "parcial")
    case .missingTitle: ("Missing runs", "Ejecuciones que faltan")
    case .missingCaption:
      (
        "Times at which a job was due and nothing ran; the newest first",
        "Momentos en que tocaba una tarea y no se ejecutó nada; lo más reciente primero"
      )
    case .slot: ("Was due", "Tocaba")
    case .missingNone: ("No run is missing.", "No falta ninguna ejecución.")
    case .failuresTitle:
      ("Runs that failed, were skipped or stayed partial", "Ejecuciones fallidas, omitidas o parciales")
    case .failuresCaption: ("The newest first", "Lo más reciente primero")
    case .judgedSince: ("Runs are known since {0}.", "Se conocen ejecuciones desde {0}.")
    case .neverRecorded: ("No run was ever recorded.", "Nunca se registró ninguna ejecución.")
    case .legendDone: ("all runs done", "todas hechas")
    case .legendMissing: ("so many runs missing", "tantas ejecuciones faltan")
    case .legendFailed: ("so many runs failed", "tantas ejecuciones fallaron")
    case .legendNone: ("nothing due, or not known", "nada previsto, o no se sabe")
    case .legendPartial: ("partial or skipped", "parcial u omitida")
    case .never: ("never", "nunca")
    case .disabled: ("disabled", "desactivada")
    case .dayMissing: ("{0} missing", "{0:falta|faltan} {0}")
    case .dayFailed: ("{0} failed", "{0} {0:fallida|fallidas}")
    case .daySkipped: ("{0} skipped", "{0} {0:omitida|omitidas}")
    case .byHand: ("{0} by hand", "{0} a mano")
    case .view: ("View", "Vista")
    case .refreshed: ("Refreshed", "Refrescada")
    case .age: ("Age", "Antigüedad")
    case .due: ("Due every", "Toca cada")
    case .populated: ("populated", "con datos")
    case .notPopulated: ("not populated: every query of it fails", "sin datos: toda consulta falla")
    case .viewsCaption:
      ("Materialized views, the oldest first", "Vistas materializadas, la más antigua primero")
    case .noJob: ("no job", "ninguna tarea")
    case .table: ("Table", "Tabla")
    case .keep: ("Kept", "Se conserva")
    case .overdueRows: ("Overdue rows", "Filas vencidas")
    case .oldest: ("The oldest", "La más antigua")
    case .retentionCaption: ("Rules of retention", "Reglas de retención")
    case .nothingOverdue: ("none", "ninguna")
    case .moreThan: ("more than {0}", "más de {0}")
    case .indexSize: ("Of that indexes", "De ello, índices")
    case .tablesCaption:
      (
        "The {0} largest of {1} {1:table|tables}",
        "{0:La|Las} {0} más {0:grande|grandes} de {1} {1:tabla|tablas}"
      )
    case .partitions: ("{0} {0:partition|partitions}", "{0} {0:partición|particiones}")
    case .ofAll: ("All tables: {0}", "Todas las tablas: {0}")
    case .sequence: ("Sequence", "Secuencia")
    case .column: ("Column", "Columna")
    case .used: ("Used", "Usado")
    case .last: ("Last value", "Último valor")
    case .endless: ("begins again by itself", "vuelve a empezar sola")
    case .sequencesCaption: ("The fullest sequences", "Las secuencias más llenas")
    case .left: ("Left", "Quedan")
    case .index: ("Index", "Índice")
    case .invalidTitle: ("Invalid", "No válidos")
    case .duplicateTitle: ("Duplicate", "Duplicados")
    case .unusedTitle: ("Not read", "Sin lecturas")
    case .noInvalid: ("No index is invalid.", "Ningún índice es no válido.")
    case .noDuplicate: ("No index repeats another.", "Ningún índice repite a otro.")
    case .noUnused: ("Every index was read.", "Todos los índices se han leído.")
    case .sameAs: ("The same as", "Igual que")
    case .countedSince:
      (
        "Reads are counted since {0}, for {1}.", "Las lecturas se cuentan desde {0}, durante {1}."
      )
    case .invalidCaption:
      (
        "Indexes that a failed build left", "Índices que dejó una construcción fallida"
      )
    case .duplicateCaption: ("Indexes that repeat another", "Índices que repiten a otro")
    case .unusedCaption:
      (
        "The largest indexes of no constraint that nothing has read",
        "Los índices más grandes, sin restricción, que nada ha leído"
      )
    case .shortWindow:
      (
        "That is too short to tell; look again after a month.",
        "Es poco tiempo para saberlo; vuelva a mirar dentro de un mes."
      )
    case .transactions: ("Transactions", "Transacciones")
    case .multixacts: ("Multixacts", "Multixacts")
    case .wraparoundCaption: ("Age of each database", "Edad de cada base de datos")
    case .limits:
      (
        "Autovacuum freezes from {0} transactions on; the bar ends at {1}, where VACUUM drops all courtesy.",
        "Autovacuum congela a partir de {0} transacciones; la barra termina en {1}, donde VACUUM abandona toda cortesía."
      )
    case .oldestRelation: ("The oldest relation is {0}.", "La relación más antigua es {0}.")
    case .check: ("Check", "Comprobación")
    case .problem: ("Finding", "Hallazgo")
    case .remedy: ("What would help", "Qué ayudaría")
    case .checksCaption: ("All checks", "Todas las comprobaciones")
    case .noProblems: ("nothing found", "sin hallazgos")
    case .englishNote:
      (
        "Messages of the tool and of the server are shown as they are.",
        "Los mensajes de la herramienta y del servidor se muestran tal cual, en inglés."
      )
    case .footer:
      (
        "Made by {0} at {1}. This page loads nothing and holds no script.",
        "Hecho por {0} el {1}. Esta página no carga nada ni contiene scripts."
      )
    case .jobsMissing:
      (
        "{0} {0:job|jobs}; {1} {1:run|runs} missing in {2} days",
        "{0} {0:tarea|tareas}; {1:falta|faltan} {1} {1:ejecución|ejecuciones} en {2} días"
      )
    case .noMissing:
      (
        "{0} {0:job|jobs}; no run missing in {1} days",
        "{0} {0:tarea|tareas}; no falta ninguna ejecución en {1} días"
      )
    case .checksFine:
      (
        "{0} {0:check|checks}, all in order",
        "{0} {0:comprobación, en orden|comprobaciones, todas en orden}"
      )
    case .checksBad:
      ("{0} of {1} checks found something", "{0} de {1} comprobaciones {0:halló|hallaron} algo")
    case .appliedCount: ("{0} applied", "{0} {0:aplicada|aplicadas}")
    case .newestAgo: ("newest {0}", "la más reciente, {0}")
    case .provedAgo: ("proved to restore {0}", "restauración probada {0}")
    case .damagedCount: ("{0} damaged", "{0} {0:dañada|dañadas}")
    case .noUsable: ("none that can be used", "ninguna utilizable")
    case .lastDeployment: ("last: {0}, {1}", "el último: {0}, {1}")
    case .ended: ("Ended", "Fin")
    case .running: ("running", "en curso")
    case .slotTo: ("Until", "Hasta")
    case .stepsTitle: ("Steps of the last deployment", "Pasos del último despliegue")
    case .stepsCaption: ("In their order", "En su orden")
    case .step: ("Step", "Paso")
    case .result: ("What was done", "Qué se hizo")
    case .skippedBecause: ("because: {0}", "porque: {0}")
    case .dueNow: ("due now", "toca ya")
    case .waiting: ("waiting", "en espera")
    case .times: ("Times", "Veces")
    case .drifted: ("{0} {0:object|objects} drifted", "{0} {0:objeto desviado|objetos desviados}")
    case .provedCount: ("{0} proved", "{0} {0:probado|probados}")
    case .failedCount: ("{0} failed", "{0} {0:fallido|fallidos}")
    case .attestedCount: ("{0} attested", "{0} {0:atestiguado|atestiguados}")
    case .notApplicableCount: ("{0} not applicable", "{0} no {0:aplica|aplican}")
    case .unknownCount: ("{0} unknown", "{0} {0:desconocido|desconocidos}")
    case .unboundCount: ("{0} unbound", "{0} sin vincular")
    }
  }
}

/// A check, or another reason for a step, as a person calls it and what there is to do about it.
struct ReportReason {
  let title: String
  let action: String

  private init(_ texts: Texts, _ language: ReportLanguage) {
    title = language == .es ? texts.title.1 : texts.title.0
    action = language == .es ? texts.action.1 : texts.action.0
  }

  /// Of a check that this table does not know, its name.
  init(_ name: String, _ language: ReportLanguage) {
    let unknown = Texts((name, name), ("Look into what was found", "Revise el hallazgo"))
    self.init(Self.table[name] ?? unknown, language)
  }

  private struct Texts: Sendable {
    let title: (String, String)
    let action: (String, String)

    init(_ title: (String, String), _ action: (String, String)) {
      self.title = title
      self.action = action
    }
  }

  static var names: Set<String> { Set(table.keys) }

  private static let table: [String: Texts] = [
    "server": Texts(
      ("Server", "Servidor"), ("See to the server", "Atienda el servidor")),
    "connection": Texts(
      ("Connection", "Conexión"), ("Make the server reachable", "Haga que el servidor responda")),
    "configuration": Texts(
      ("Configuration", "Configuración"), ("Correct the configuration", "Corrija la configuración")),
    "plpgsql": Texts(
      ("PL/pgSQL", "PL/pgSQL"), ("Put PL/pgSQL in order", "Ponga PL/pgSQL en orden")),
    "invalid-indexes": Texts(
      ("Invalid indexes", "Índices no válidos"),
      ("Rebuild the invalid indexes", "Reconstruya los índices no válidos")),
    "duplicate-indexes": Texts(
      ("Duplicate indexes", "Índices duplicados"),
      ("Drop the duplicate indexes", "Elimine los índices duplicados")),
    "stale-views": Texts(
      ("Stale views", "Vistas desactualizadas"),
      ("Refresh the materialized views", "Refresque las vistas materializadas")),
    "unrefreshable-views": Texts(
      ("Views that shut readers out", "Vistas que bloquean a sus lectores"),
      (
        "Give the views a unique index, so that they can be refreshed concurrently",
        "Dé a las vistas un índice único, para refrescarlas sin bloquear"
      )),
    "partitions": Texts(
      ("Partitions", "Particiones"), ("Put the partitions in order", "Ponga las particiones en orden")),
    "retention-backlog": Texts(
      ("Retention", "Retención"), ("Delete what is kept too long", "Borre lo que se conserva de más")),
    "wraparound": Texts(
      ("Wraparound", "Agotamiento de transacciones"),
      (
        "Freeze old rows before the server stops writes",
        "Congele las filas antiguas antes de que se detengan las escrituras"
      )
    ),
    "sequences": Texts(
      ("Sequences", "Secuencias"),
      ("Widen the columns whose numbers run out", "Amplíe las columnas cuyos números se agotan")),
    "long-transactions": Texts(
      ("Long transactions", "Transacciones largas"),
      ("End the transactions that hang", "Cierre las transacciones colgadas")),
    "replication-slots": Texts(
      ("Replication slots", "Ranuras de replicación"),
      (
        "See to the replication slots that hold WAL back",
        "Atienda las ranuras de replicación que retienen WAL"
      )),
    "statistics": Texts(
      ("Statistics", "Estadísticas"),
      ("Gather the lost statistics anew", "Recoja de nuevo las estadísticas perdidas")),
    "jobs": Texts(
      ("Jobs", "Tareas"), ("See to the maintenance jobs", "Atienda las tareas de mantenimiento")),
    "backups": Texts(
      ("Backups", "Copias de seguridad"),
      ("Take a backup, and prove that it restores", "Haga una copia y pruebe que se restaura")),
    "pending": Texts(
      ("Migrations", "Migraciones"), ("Bring the migrations in order", "Ponga las migraciones al día")),
    "drift": Texts(
      ("Drift", "Desviación"),
      ("Find out who changed the schema by hand", "Averigüe quién cambió el esquema a mano")),
    "missing-runs": Texts(
      ("Missing runs", "Ejecuciones que faltan"),
      ("See that something calls tsdb maintain", "Compruebe que algo ejecuta tsdb maintain")),
    "checklist": Texts(
      ("Checklist", "Lista"),
      (
        "Settle the items of the checklist that are not proved",
        "Resuelva los puntos de la lista que no están probados"
      )),
    "evidence": Texts(
      ("Evidence", "Evidencia"),
      (
        "Run the checklist again: its evidence does not count",
        "Ejecute la lista de nuevo: su evidencia no vale"
      )),
    "deployment": Texts(
      ("Deployment", "Despliegue"), ("Finish or roll back the deployment", "Termine o revierta el despliegue")
    ),
    "sight": Texts(
      ("Rights", "Permisos"), ("Let the role see what it could not", "Permita al rol ver lo que no pudo")),
  ]
}

/// States that the tool has words for; others are shown as they are.
enum ReportState {
  /// - Parameter isOfDeployment: Spanish has it in another gender.
  static func text(_ state: String, _ language: ReportLanguage, isOfDeployment: Bool = false) -> String {
    guard language == .es else { return state.replacing("-", with: " ") }
    return (isOfDeployment ? spanish["deployment \(state)"] : nil) ?? spanish[state] ?? state
  }

  private static let spanish: [String: String] = [
    "applied": "aplicada", "pending": "pendiente", "interrupted": "interrumpida",
    "changed-repeatable": "repetible cambiada",
    "cosmetic-edit": "retoque de forma", "edited": "editada", "missing": "falta el archivo",
    "complete": "completa", "verified": "verificada", "proven": "probada", "damaged": "dañada",
    "running": "en curso",
    "abandoned": "abandonada", "deleting": "retirándose", "removed": "retirada",
    "ok": "bien", "partial": "parcial", "skipped": "omitida", "failed": "fallida",
    "done": "hecho", "deployed": "desplegado", "rolled-back": "revertido", "rolling-back": "revirtiéndose",
    "deployment failed": "fallido", "deployment abandoned": "abandonado", "deployment skipped": "omitido",
  ]
}
