/* The options of the commands of upbeat-alert, checked. A fault names the option, its bound, and the value
 * that was given; an address of a channel is never in it. */
#ifndef UPBEAT_FCGI_ALERT_OPTIONS_H
#define UPBEAT_FCGI_ALERT_OPTIONS_H

#include "base/clock.h"
#include "store/alerts.h"

#include <stdbool.h>

enum { FAULT_BYTES = 400, TIME_OF_DAY_BYTES = 6 };

struct alert_options {
    struct alert_rule rule; /* its lists point into the words of the command */
    char host[HOST_MAX_BYTES + 1];
    char quiet_from[TIME_OF_DAY_BYTES], quiet_until[TIME_OF_DAY_BYTES];
    const char *path; /* of silence */
    time_us until;    /* 0: not given */
    int64_t overlap_ms;
    bool dry_run;
    unsigned seen; /* bits of enum alert_option_set */
};

/* Which command an option belongs to. */
enum alert_option_set { OPTION_OF_RULE = 1, OPTION_OF_SILENCE = 2, OPTION_OF_ROTATE = 4 };

/* Reads the options; the words that are none are moved behind them, and *first_r is the first of these.
 * STATUS_INVALID: fault_r says in words what is wrong. *wants_help_r: --help was among them. */
enum status alert_options_read(int argc, char **argv, struct alert_options *options_r, int *first_r,
                               bool *wants_help_r, char fault_r[FAULT_BYTES]) MUST_CHECK;

/* Whether the text can be the name of a channel: [a-z0-9][a-z0-9._-]*, at most CHANNEL_NAME_MAX_BYTES. */
bool alert_is_name(const char *text);

/* Whether the text is one mail address that a header and a mail program take as nothing else: printable ASCII
 * without spaces, quotes, brackets and commas, not starting with a hyphen. */
bool alert_is_mail_address(const char *text);

/* A whole number from 1 to most; false, *number_r is untouched. */
bool alert_read_number(const char *text, int most, int *number_r);

#endif
