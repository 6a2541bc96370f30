/// The server's configuration file, written anew at every start so that a newer tsdb brings its
/// settings along. `ALTER SYSTEM` still overrides it, because the server reads
/// `postgresql.auto.conf` last.
enum ServerSettings {
  /// - Parameter socketDirectory: plain enough to stand in single quotes; see
  ///   ``ServerLayout/isUsableForSocket(_:)``.
  static func text(socketDirectory: String, isThrowaway: Bool = false) -> String {
    isThrowaway ? text(socketDirectory) + throwaway : text(socketDirectory)
  }

  /// Later lines win.
  private static let throwaway = """

    # Its data is thrown away: nothing is written twice, or waited for.
    fsync = off
    synchronous_commit = off
    full_page_writes = off
    wal_level = minimal
    max_wal_senders = 0
    max_wal_size = 2GB
    checkpoint_timeout = 1h
    autovacuum = off
    cluster_name = 'tsdb proof'

    """

  private static func text(_ socketDirectory: String) -> String {
    """
    # Written by tsdb at every start. Change settings with ALTER SYSTEM.
    include 'data/postgresql.conf'

    # Reachable through the socket only, and only by the owner of its directory and by root.
    listen_addresses = ''
    port = \(ServerLayout.port)
    unix_socket_directories = '\(socketDirectory)'
    unix_socket_permissions = 0700

    # Modest: this server shares a machine with what is being developed on it.
    max_connections = 100
    fsync = on
    full_page_writes = on
    cluster_name = 'tsdb'

    # One log file for each day of the week, emptied when its day comes round again.
    logging_collector = on
    log_directory = '../log'
    log_filename = 'server-%a.log'
    log_file_mode = 0600
    log_rotation_age = 1d
    log_rotation_size = 0
    log_truncate_on_rotation = on
    log_line_prefix = '%m [%p] %q%u@%d '
    log_connections = off
    log_disconnections = off
    lc_messages = 'C'
    log_timezone = 'UTC'
    timezone = 'UTC'

    """
  }
}
