#include "base/hash.h"

#include <string.h>

static const uint64_t FNV_PRIME = UINT64_C(1099511628211);

uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t len_bytes)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < len_bytes; i++)
        hash = (hash ^ at[i]) * FNV_PRIME;
    return hash;
}

uint64_t hash_text(uint64_t hash, const char *text)
{
    return hash_bytes(hash, text, strlen(text));
}
