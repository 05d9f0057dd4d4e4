/* The command line of upbeat-backtest. */
#ifndef UPBEAT_FCGI_BACKTEST_OPTIONS_H
#define UPBEAT_FCGI_BACKTEST_OPTIONS_H

#include "pages/event_rules.h"
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
    bool events;
    struct event_bounds event_bounds; /* of --events */
    const char *host;                 /* of --from-db, owned by argv; NULL: stdin */
    const char *site;                 /* whose pages lose their host: that of --from-db or --host; "": none */
};

/* Reads the command line; options that it leaves out have the defaults that --help shows. Returns -1 if the
 * program is to go on. Otherwise it returns the exit status, after it has printed the help, or the error on
 * standard error. */
int backtest_options_read(int argc, char **argv, struct backtest_options *options_r);

#endif
