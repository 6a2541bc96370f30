#ifndef TSDB_CZSTD_SHIM_H
#define TSDB_CZSTD_SHIM_H

#include <zstd.h>

#endif
