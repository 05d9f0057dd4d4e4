/* Lengths of time as people write them. */
#ifndef UPBEAT_BASE_DURATION_H
#define UPBEAT_BASE_DURATION_H

#include "base/status.h"
#include <stdint.h>

/* Reads digits and one unit ("90s", "30m", "24h", "2d") as milliseconds. STATUS_INVALID: the text has another
 * form, or means more than a hundred days; *span_ms_r is untouched. */
enum status duration_parse(const char *text, int64_t *span_ms_r) MUST_CHECK;

#endif
