-- tsdb: requires support_troubleshooting_advanced_schema
--
-- Configuración inicial. Solo se insertan las claves que faltan: un valor que
-- ya existe, lo haya puesto quien lo haya puesto, no se toca.

insert into public.support_troubleshooting_config (config_key, config_value, config_type, description)
select s.config_key, s.config_value, s.config_type, s.description
from (
  values
    ('auto_escalate_after_failures', '2', 'number', 'Pasos fallidos antes de recomendar el escalado'),
    ('default_timeout_minutes', '30', 'number', 'Minutos de espera de una sesión'),
    ('enable_llm_enhancement', 'true', 'boolean', 'Permitir mejoras con un modelo de lenguaje'),
    ('feedback_collection_enabled', 'true', 'boolean', 'Pedir la opinión del cliente'),
    ('notification_channels', '["email"]', 'json', 'Canales de notificación activos'),
    ('max_session_duration_hours', '24', 'number', 'Horas que puede durar una sesión')
) as s (config_key, config_value, config_type, description)
-- Sin este filtro, cada ejecución gastaría valores de la secuencia del id.
where not exists (
  select
  from public.support_troubleshooting_config as c
  where c.config_key = s.config_key
)
on conflict (config_key) do nothing;
