/* The command line of upbeat-token. */
#ifndef UPBEAT_FCGI_TOKEN_OPTIONS_H
#define UPBEAT_FCGI_TOKEN_OPTIONS_H

#include "base/validate.h"
#include "store/tokens.h"

#include <stdint.h>

enum {
    TOKEN_OPTIONS_HOSTS_MAX = 100,
    TOKEN_OPTIONS_HOSTS_MAX_BYTES = TOKEN_OPTIONS_HOSTS_MAX * (HOST_MAX_BYTES + 1),
};

struct token_options {
    struct token_grant grant; /* its hosts are `hosts`; argv owns the other texts; NULL: not given */
    char hosts[TOKEN_OPTIONS_HOSTS_MAX_BYTES];
    int64_t overlap_ms; /* of rotate; 0: not given */
};

/* Reads the options into *options_r, which is zero and lives as long as argv; the command is left in argv
 * from optind on. Returns -1: go on. Else the status to end with, after the help, or after one line on
 * stderr. */
int token_options_read(int argc, char **argv, struct token_options *options_r);

/* A whole number from 1 to `most`. Returns NULL; or what is wrong, and *number_r is untouched. */
const char *token_options_number(const char *text, int most, int *number_r);

/* Says on stderr what is wrong with the command line. Returns the status to end with. */
int token_options_usage(const char *why);

#endif
