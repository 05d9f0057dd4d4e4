/* lib/openapi.json, the description of all endpoints, as it is sent; compiled in, so that it is always that
 * of the program. */
#ifndef UPBEAT_API_OPENAPI_H
#define UPBEAT_API_OPENAPI_H

#include <stddef.h>

extern const char openapi_text[];
extern const size_t openapi_bytes;

#endif
