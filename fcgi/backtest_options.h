/* What upbeat-backtest is told on its command line. */
#ifndef UPBEAT_FCGI_BACKTEST_OPTIONS_H
#define UPBEAT_FCGI_BACKTEST_OPTIONS_H

#include "pages/trend_model.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    BACKTEST_EXIT_USAGE = 2,
    BACKTEST_SAMPLE_MAX = 100000, /* rows of one sample */
};

struct backtest_options {
    int32_t limit; /* rows of a full list */
    int64_t window_ms, every_ms;
    struct trend_bounds bounds;
    bool json;
    const char *host; /* of --from-db, owned by argv; NULL: stdin */
    const char *site; /* whose pages lose their host: that of --from-db or --host; "": none */
};

/* Reads the command line; what it leaves out is as --help says. -1: go on; else the exit status: --help was
 * said, or on standard error what is wrong. */
int backtest_options_read(int argc, char **argv, struct backtest_options *options_r);

#endif
