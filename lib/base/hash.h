/* FNV-1a in 64 bits (Fowler, Noll and Vo; draft-eastlake-fnv): short keys, and ETags that tell two texts
 * apart. It is not a cryptographic hash: whoever chooses the bytes can choose the hash. */
#ifndef UPBEAT_BASE_HASH_H
#define UPBEAT_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* The hash of no bytes, to begin with. */
#define HASH_START UINT64_C(14695981039346656037)

/* The hash of what `hash` stands for, followed by these bytes. `bytes` may be NULL if len_bytes is 0. */
uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t len_bytes);

/* The same for a string, without its NUL. */
uint64_t hash_text(uint64_t hash, const char *text);

#endif
