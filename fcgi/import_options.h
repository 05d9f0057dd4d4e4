/* What upbeat-import is asked for on its command line. */
#ifndef UPBEAT_FCGI_IMPORT_OPTIONS_H
#define UPBEAT_FCGI_IMPORT_OPTIONS_H

#include "base/validate.h"

#include <stdbool.h>
#include <stdint.h>

enum { IMPORT_SAMPLE_MAX = 100000 }; /* rows of a sample */

struct import_options {
    char host[HOST_MAX_BYTES + 1];
    int32_t row_limit; /* rows of a full list */
    bool replaces;     /* other data that are there */
};

/* Reads the command line, and says on stderr what is wrong with it. -1: go on; else the status to end with,
 * and *options_r is untouched. */
int import_options_read(int argc, char **argv, struct import_options *options_r);

#endif
