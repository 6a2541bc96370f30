#ifndef CSPAWN_H
#define CSPAWN_H

#include <stdbool.h>
#include <sys/types.h>

/// What a child process gets. Every other file descriptor of the caller is closed in it, all
/// signals are back to their defaults and unblocked.
struct cspawn_request {
  const char *executable;    ///< absolute path; PATH is not searched
  char *const *arguments;    ///< argv, ended by NULL
  char *const *environment;  ///< envp, ended by NULL
  int input;                 ///< becomes 0
  int output;                ///< becomes 1 and 2
  int inherited;             ///< becomes 3; -1 for none
  const char *directory;     ///< its working directory; NULL for "/"
  bool dies_with_thread;     ///< gets SIGTERM when the thread that started it ends; on Linux
  bool new_session;          ///< setsid: away from the caller's terminal and process group
  bool change_account;       ///< drop to uid and gid, with no supplementary group
  uid_t uid;
  gid_t gid;
};

/// The step that failed in the child, for the error message.
enum cspawn_step {
  CSPAWN_FORK = 0,
  CSPAWN_DESCRIPTORS = 1,
  CSPAWN_SESSION = 2,
  CSPAWN_ACCOUNT = 3,
  CSPAWN_EXEC = 4,
};

/// Starts a program and returns 0 with its pid once exec has succeeded; otherwise returns the
/// errno and the step, and no child is left behind.
int cspawn_start(const struct cspawn_request *request, pid_t *pid, int *failed_step);

/// WIFEXITED and WEXITSTATUS, which are macros: the exit status, or 128 plus the signal.
int cspawn_exit_status(int wait_status);

#endif
