#ifndef TSDB_CZLIB_SHIM_H
#define TSDB_CZLIB_SHIM_H

#include <zlib.h>

#endif
