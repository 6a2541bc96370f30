#ifndef TSDB_CSPAWN_SHIM_H
#define TSDB_CSPAWN_SHIM_H

#include <spawn.h>

// glibc declares these only under _GNU_SOURCE, which Swift's import of it does not define.
#ifdef __linux__
int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *actions, const char *path);
int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);
enum { TSDB_SPAWN_SETSID = 0x80 };
#endif

#endif
