#ifndef TSDB_CXXHASH_SHIM_H
#define TSDB_CXXHASH_SHIM_H

#include <xxhash.h>

// The library's plain functions are built for the oldest processor: on rows of 500 bytes they do 5 GB/s where
// those that ask the processor what it has do 29. The values are the same.
#if defined(__linux__) && defined(__x86_64__) && __has_include(<xxh_x86dispatch.h>)
#define XXH_DISPATCH_DISABLE_REPLACE 1
#include <xxh_x86dispatch.h>
#define TSDB_XXH3_128BITS XXH3_128bits_dispatch
#define TSDB_XXH3_128BITS_UPDATE XXH3_128bits_update_dispatch
#else
#define TSDB_XXH3_128BITS XXH3_128bits
#define TSDB_XXH3_128BITS_UPDATE XXH3_128bits_update
#endif

static inline XXH128_hash_t tsdb_xxh3_128bits(const void *bytes, size_t count) {
  return TSDB_XXH3_128BITS(bytes, count);
}

static inline void tsdb_xxh3_128bits_update(XXH3_state_t *state, const void *bytes, size_t count) {
  (void)TSDB_XXH3_128BITS_UPDATE(state, bytes, count);
}

#endif
