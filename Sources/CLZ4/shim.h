#ifndef TSDB_CLZ4_SHIM_H
#define TSDB_CLZ4_SHIM_H

#include <lz4frame.h>

#endif
