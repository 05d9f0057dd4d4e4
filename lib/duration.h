/* Spans of time as people write them. */
#ifndef UPBEAT_DURATION_H
#define UPBEAT_DURATION_H

#include "result.h"
#include <stdint.h>

/* "90s", "30m", "24h", "2d": digits and one unit; into milliseconds. UP_INVALID: not of this form, or over a
 * hundred days; *span_ms_r is untouched. */
enum up_result duration_parse(const char *text, int64_t *span_ms_r) MUST_CHECK;

#endif
