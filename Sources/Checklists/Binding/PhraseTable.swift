extension PhraseRules {
  /// What is said, and the call that answers it.
  static let table: [(call: String, phrases: [String])] = [
    (
      "database.reachable",
      [
        "Base de datos PostgreSQL configurada y accesible",
        "PostgreSQL database configured and reachable",
        "PostgreSQL database configured and accessible",
      ]
    ),
    (
      "environment.connection",
      [
        "Variables de entorno configuradas",
        "Environment variables configured",
        "Environment variables set",
      ]
    ),
    ("network.reachable", ["Red y firewall configurados", "Network and firewall configured"]),
    (
      "connection.tls",
      [
        "SSL/TLS certificados instalados",
        "Certificados SSL/TLS instalados",
        "SSL/TLS certificates installed",
      ]
    ),
    (
      "backup.configured",
      [
        "Backup de base de datos configurado",
        "Copia de seguridad de la base de datos configurada",
        "Database backup configured",
      ]
    ),
    (
      "attest", ["Todos los tests pasando", "Todas las pruebas pasan", "All tests passing", "All tests pass"]
    ),
    ("attest", ["Linting sin errores", "Linting without errors"]),
    ("attest", ["Documentación actualizada", "Documentation updated"]),
    ("attest", ["Versión actualizada en código", "Version updated in code"]),
    ("attest", ["Changelog actualizado", "Changelog updated"]),
    (
      "attest",
      [
        "Secrets en variables de entorno (no en código)",
        "Secretos en variables de entorno (no en código)",
        "Secrets in environment variables (not in code)",
      ]
    ),
    (
      "security.rate-limit",
      [
        "Rate limiting configurado",
        "Límite de peticiones configurado",
        "Rate limiting configured",
      ]
    ),
    ("attest", ["Autenticación implementada", "Authentication implemented"]),
    (
      "security.input-validation",
      [
        "Validación de inputs implementada",
        "Validación de entradas implementada",
        "Input validation implemented",
      ]
    ),
    (
      "security.sensitive-logs",
      [
        "Logs no contienen información sensible",
        "Los logs no contienen información sensible",
        "Logs contain no sensitive information",
      ]
    ),
    (
      "migrations.applied",
      [
        "Esquemas SQL ejecutados en orden",
        "SQL schemas run in order",
        "SQL schemas executed in order",
      ]
    ),
    ("matview.exists", ["Vistas materializadas creadas", "Materialized views created"]),
    ("indexes.valid", ["Índices creados", "Indexes created"]),
    ("configuration.initial", ["Configuración inicial insertada", "Initial configuration inserted"]),
    ("maintenance.configured", ["Mantenimiento automático configurado", "Automatic maintenance configured"]),
    (
      "backup.proven",
      [
        "Backup completo de base de datos",
        "Copia de seguridad completa de la base de datos",
        "Complete database backup",
        "Full database backup",
      ]
    ),
    (
      "backup.configuration",
      [
        "Backup de configuración",
        "Copia de seguridad de la configuración",
        "Backup of the configuration",
        "Configuration backup",
      ]
    ),
    ("rollback.plan", ["Plan de rollback preparado", "Rollback plan prepared", "Rollback plan ready"]),
    (
      "webhooks.configured",
      [
        "Webhooks configurados (si aplica)",
        "Webhooks configurados",
        "Webhooks configured (if applicable)",
        "Webhooks configured",
      ]
    ),
    (
      "notifications.configured",
      [
        "Notificaciones configuradas (si aplica)",
        "Notificaciones configuradas",
        "Notifications configured (if applicable)",
        "Notifications configured",
      ]
    ),
    ("attest", ["Plantillas personalizadas cargadas", "Custom templates loaded"]),
    (
      "smoke.statements",
      [
        "Tests de smoke ejecutados",
        "Pruebas de humo ejecutadas",
        "Smoke tests run",
        "Smoke tests executed",
      ]
    ),
    ("smoke.api", ["API endpoints responden", "Los endpoints de la API responden", "API endpoints respond"]),
    ("database.reachable", ["Base de datos accesible", "Database reachable", "Database accessible"]),
    ("matview.fresh", ["Vistas materializadas refrescadas", "Materialized views refreshed"]),
    (
      "logs.critical",
      [
        "Logs sin errores críticos",
        "Logs without critical errors",
        "No critical errors in the logs",
      ]
    ),
    ("metrics.realtime", ["Métricas en tiempo real funcionando", "Real-time metrics working"]),
    ("attest", ["Alertas configuradas", "Alerts configured"]),
    ("logs.collected", ["Logs siendo recolectados", "Logs being collected"]),
    (
      "metrics.dashboard",
      [
        "Dashboard accesible",
        "Panel accesible",
        "Dashboard reachable",
        "Dashboard accessible",
      ]
    ),
    ("smoke.session", ["Crear sesión de prueba", "Create a test session", "Create test session"]),
    ("smoke.step", ["Completar paso de prueba", "Complete a test step", "Complete test step"]),
    (
      "smoke.feedback",
      [
        "Verificar feedback funciona",
        "Verificar que el feedback funciona",
        "Check that feedback works",
        "Verify feedback works",
      ]
    ),
    (
      "webhooks.fired",
      [
        "Verificar webhooks se disparan",
        "Verificar que los webhooks se disparan",
        "Check that webhooks fire",
        "Verify webhooks fire",
      ]
    ),
    (
      "notifications.sent",
      [
        "Verificar notificaciones se envían",
        "Verificar que las notificaciones se envían",
        "Check that notifications are sent",
        "Verify notifications are sent",
      ]
    ),
    ("attest", ["Runbook creado", "Runbook written", "Runbook created"]),
    ("attest", ["Contactos de soporte documentados", "Support contacts documented"]),
    ("attest", ["Procedimientos de escalación documentados", "Escalation procedures documented"]),
    ("rollback.stopped", ["Detener servicios nuevos", "Stop the new services", "Stop new services"]),
    (
      "rollback.restored",
      [
        "Restaurar base de datos desde backup",
        "Restore the database from the backup",
        "Restore database from backup",
      ]
    ),
    (
      "attest",
      [
        "Revertir código a versión anterior",
        "Revert the code to the previous version",
        "Revert code to previous version",
      ]
    ),
    (
      "rollback.services",
      [
        "Verificar servicios funcionan",
        "Verificar que los servicios funcionan",
        "Check that the services work",
        "Verify services work",
      ]
    ),
    (
      "attest",
      [
        "Documentar problema y solución",
        "Document the problem and its solution",
        "Document problem and solution",
      ]
    ),
    (
      "logs.watch",
      [
        "Revisar logs cada 15 minutos",
        "Review the logs every 15 minutes",
        "Review logs every 15 minutes",
      ]
    ),
    ("metrics.errors", ["Verificar métricas de error", "Check the error metrics", "Verify error metrics"]),
    (
      "sessions.created",
      [
        "Confirmar sesiones se crean correctamente",
        "Confirmar que las sesiones se crean correctamente",
        "Confirm that sessions are created correctly",
        "Confirm sessions are created correctly",
      ]
    ),
    (
      "webhooks.working",
      [
        "Verificar webhooks funcionan",
        "Verificar que los webhooks funcionan",
        "Check that webhooks work",
        "Verify webhooks work",
      ]
    ),
    (
      "performance.metrics",
      [
        "Revisar métricas de performance",
        "Revisar métricas de rendimiento",
        "Review the performance metrics",
        "Review performance metrics",
      ]
    ),
    (
      "resolution.rate",
      [
        "Verificar tasa de resolución",
        "Check the resolution rate",
        "Verify resolution rate",
      ]
    ),
    (
      "feedback.received",
      [
        "Revisar feedback recibido",
        "Review the feedback received",
        "Review feedback received",
      ]
    ),
    (
      "maintenance.working",
      [
        "Confirmar mantenimiento automático funciona",
        "Confirmar que el mantenimiento automático funciona",
        "Confirm that automatic maintenance works",
        "Confirm automatic maintenance works",
      ]
    ),
    (
      "metrics.weekly",
      [
        "Análisis de métricas semanales",
        "Analysis of the weekly metrics",
        "Analysis of weekly metrics",
        "Analyse weekly metrics",
      ]
    ),
    ("problems.common", ["Revisar problemas comunes", "Review common problems"]),
    (
      "optimise.data",
      [
        "Optimizar según datos reales",
        "Optimise by real data",
        "Optimise according to real data",
        "Optimize according to real data",
      ]
    ),
    (
      "configuration.adjusted",
      [
        "Ajustar configuración si es necesario",
        "Adjust the configuration if necessary",
        "Adjust configuration if necessary",
      ]
    ),
  ]
}
