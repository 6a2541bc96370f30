// posix_spawn cannot change the user, Swift forbids fork, and only async-signal-safe calls are
// allowed between fork and exec in a process with threads: hence these lines of C.
#define _GNU_SOURCE
#include "CSpawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

#ifndef NSIG
#define NSIG 65
#endif

struct failure {
  int step;
  int code;
};

static void close_range_of(int first, int last) {
  if (first > last) return;
#ifdef SYS_close_range
  if (syscall(SYS_close_range, (unsigned)first, (unsigned)last, 0) == 0) return;
#endif
  long limit = sysconf(_SC_OPEN_MAX);
  if (limit < 0 || limit > 65536) limit = 65536;
  for (int fd = first; fd <= last && fd < limit; fd++) close(fd);
}

static _Noreturn void give_up(int report, int step) {
  struct failure failure = {step, errno};
  ssize_t ignored = write(report, &failure, sizeof failure);
  (void)ignored;
  _exit(127);
}

static _Noreturn void child(const struct cspawn_request *request, int report, pid_t parent) {
  for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);

  // All sources move above the targets first, so that no dup2 overwrites a later source.
  int moved_report = fcntl(report, F_DUPFD_CLOEXEC, 10);
  if (moved_report < 0) give_up(report, CSPAWN_DESCRIPTORS);
  report = moved_report;
  int input = fcntl(request->input, F_DUPFD, 10);
  int output = fcntl(request->output, F_DUPFD, 10);
  int inherited = request->inherited < 0 ? -1 : fcntl(request->inherited, F_DUPFD, 10);
  if (input < 0 || output < 0 || (request->inherited >= 0 && inherited < 0))
    give_up(report, CSPAWN_DESCRIPTORS);
  if (dup2(input, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0)
    give_up(report, CSPAWN_DESCRIPTORS);
  if (inherited >= 0 && dup2(inherited, 3) < 0) give_up(report, CSPAWN_DESCRIPTORS);
  close_range_of(inherited >= 0 ? 4 : 3, report - 1);
  close_range_of(report + 1, 0x7fffffff);

  if (request->new_session && setsid() < 0) give_up(report, CSPAWN_SESSION);
  if (chdir(request->directory ? request->directory : "/") != 0) give_up(report, CSPAWN_SESSION);
  if (request->change_account) {
    if (setgroups(0, NULL) != 0 || setgid(request->gid) != 0 || setuid(request->uid) != 0)
      give_up(report, CSPAWN_ACCOUNT);
  }
#ifdef __linux__
  // Behind the change of account, which resets it. Who ended before this line sends no signal.
  if (request->dies_with_thread) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(127);
  }
#else
  (void)parent;
#endif
  execve(request->executable, request->arguments, request->environment);
  give_up(report, CSPAWN_EXEC);
}

int cspawn_start(const struct cspawn_request *request, pid_t *pid, int *failed_step) {
  int report[2];
  *failed_step = CSPAWN_FORK;
#ifdef __linux__
  if (pipe2(report, O_CLOEXEC) != 0) return errno;
#else
  if (pipe(report) != 0) return errno;
  fcntl(report[0], F_SETFD, FD_CLOEXEC);
  fcntl(report[1], F_SETFD, FD_CLOEXEC);
#endif

  // A signal arriving in the child must not run one of the caller's handlers.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pid_t parent = getpid();
  pid_t started = fork();
  if (started == 0) child(request, report[1], parent);
  int fork_error = errno;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  close(report[1]);
  if (started < 0) {
    close(report[0]);
    return fork_error;
  }

  struct failure failure;
  ssize_t count;
  do {
    count = read(report[0], &failure, sizeof failure);
  } while (count < 0 && errno == EINTR);
  close(report[0]);
  if (count == (ssize_t)sizeof failure) {
    while (waitpid(started, NULL, 0) < 0 && errno == EINTR) {
    }
    *failed_step = failure.step;
    return failure.code;
  }
  *pid = started;
  return 0;
}

int cspawn_exit_status(int wait_status) {
  if (WIFEXITED(wait_status)) return WEXITSTATUS(wait_status);
  return 128 + WTERMSIG(wait_status);
}
