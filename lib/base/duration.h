/* Spans of time as people write them. */
#ifndef UPBEAT_BASE_DURATION_H
#define UPBEAT_BASE_DURATION_H

#include "base/status.h"
#include <stdint.h>

/* "90s", "30m", "24h", "2d": digits and one unit; into milliseconds. STATUS_INVALID: not of this form, or
 * over a hundred days; *span_ms_r is untouched. */
enum status duration_parse(const char *text, int64_t *span_ms_r) MUST_CHECK;

#endif
