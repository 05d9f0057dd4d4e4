/* JSON (RFC 8259) that is only to be stepped over: most of what Chartbeat answers is histograms that nobody
 * here reads, and cJSON makes a node of each number. What is read is read by cJSON, see toppages.c. */
#ifndef UPBEAT_UPSTREAM_JSON_SCAN_H
#define UPBEAT_UPSTREAM_JSON_SCAN_H

#include "base/status.h"

enum { JSON_DEPTH_MAX = 500 };

/* The first byte from `at` on, before `end`, that is no space. */
const char *json_skip_space(const char *at, const char *end);

/* The end of the value that begins at `at`; NULL: there is none, or it is nested deeper than JSON_DEPTH_MAX.
 * Bytes beyond ASCII and controls are taken as they are in strings, and surrogates may stand alone. */
const char *json_skip_value(const char *at, const char *end) MUST_CHECK;

#endif
