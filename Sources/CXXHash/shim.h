#ifndef TSDB_CXXHASH_SHIM_H
#define TSDB_CXXHASH_SHIM_H

#include <xxhash.h>

#endif
