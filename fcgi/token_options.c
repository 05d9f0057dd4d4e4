#include "token_options.h"

#include "base/clock.h"
#include "base/duration.h"
#include "base/timestamp.h"
#include "base/token.h"
#include "base/utf8.h"
#include "program.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NOTE_MAX_BYTES = 200,
    ROWS_MAX = 10000,
};

int token_options_usage(const char *why)
{
    fprintf(stderr, "upbeat-token: %s; see --help\n", why);
    return EXIT_SETTINGS;
}

static int say_help(void)
{
    fputs("upbeat-token " UPBEAT_VERSION ", view tokens in place of Chartbeat's API keys\n\n"
          "  upbeat-token add --host H[,H2...] --note TEXT [options]   makes a token and prints it, once\n"
          "  upbeat-token list\n"
          "  upbeat-token show ID\n"
          "  upbeat-token revoke ID                   takes it away; within 5 s it is refused\n"
          "  upbeat-token rotate ID [--overlap 24h]   makes another one in its place; it expires after the "
          "overlap\n"
          "  upbeat-token key add HOST < FILE         gives a host its API key, once Chartbeat has accepted "
          "it\n"
          "  upbeat-token key remove HOST             takes the keys of a host away\n\n"
          "Options of add:\n"
          "  --may list         list: /increasingconcurrents and /pages; board: what the board asks for;\n"
          "                     box: the list for readers, without numbers; all\n"
          "  --limit N          pages, or events, of an answer at most\n"
          "  --fields i,path    fields of a row: i, path, visitors, change; with --may list\n"
          "  --origins https://news.example[,...]   pages that browsers let read the answers\n"
          "  --until 2027-06-30 expires at the beginning of that day, UTC, or at a time as "
          "2027-06-30T12:00Z\n\n"
          "UPBEAT_DATABASE names the database. key add reads the other settings, too, to find the fetcher.\n",
          stdout);
    return EXIT_SUCCESS;
}
/* NULL, or what is wrong. The names are written to options->hosts in lower case. */
static const char *read_hosts(const char *text, struct token_options *options)
{
    char *end = options->hosts;
    int count = 0;
    for (const char *at = text;; at++) {
        size_t len = strcspn(at, ",");
        const char *why = "is no host name";
        if (++count > TOKEN_OPTIONS_HOSTS_MAX)
            return "--host takes 100 hosts at most";
        if (validate_host(at, len, end, &why) != STATUS_OK)
            return "--host must be host names with commas between them";
        at += len;
        end += len;
        if (!*at)
            return NULL;
        *end++ = ',';
    }
}

/* As a browser writes it: scheme, host in lower case, maybe a port, and nothing more. */
static bool is_origin(const char *text, size_t len_bytes)
{
    char host[HOST_MAX_BYTES + 1];
    const char *why = NULL;
    size_t scheme = strncmp(text, "https://", 8) == 0 ? 8 : strncmp(text, "http://", 7) == 0 ? 7 : 0;
    const char *name = text + scheme;
    size_t name_bytes = len_bytes - scheme;
    const char *port = name_bytes > 0 ? memchr(name, ':', name_bytes) : NULL;
    size_t host_bytes = port ? (size_t)(port - name) : name_bytes;
    size_t digits = port ? strspn(port + 1, "0123456789") : 1;
    if (scheme == 0 || len_bytes <= scheme || memchr(name, '@', name_bytes) ||
        validate_host(name, host_bytes, host, &why) != STATUS_OK || memcmp(host, name, host_bytes) != 0)
        return false;
    return digits >= 1 && digits <= 5 && (!port || host_bytes + 1 + digits == name_bytes);
}

static const char *check_origins(const char *text)
{
    for (const char *at = text;; at++) {
        size_t len = strcspn(at, ",");
        if (!is_origin(at, len))
            return "--origins must be as https://news.example or http://127.0.0.1:8080, with commas between "
                   "them";
        at += len;
        if (!*at)
            return NULL;
    }
}

const char *token_options_number(const char *text, int most, int *number_r)
{
    char *end = NULL;
    long number = strtol(text, &end, 10);
    if (end == text || *end || number < 1 || number > most)
        return "must be a whole number from 1";
    *number_r = (int)number;
    return NULL;
}

static const char *read_until(const char *text, time_us *until_r)
{
    struct timestamp until = {0};
    const char *why = NULL;
    if (timestamp_parse(text, &until, &why) != STATUS_OK)
        return "--until must be a date as 2027-06-30, or a time as 2027-06-30T12:00Z";
    if (until.at <= clock_wall_ms() * 1000)
        return "--until is in the past";
    *until_r = until.at;
    return NULL;
}

/* NULL, or what is wrong. */
static const char *read_option(int option, const char *value, struct token_options *options)
{
    struct token_grant *grant = &options->grant;
    enum token_may may = TOKEN_MAYS;
    unsigned fields = 0;
    switch (option) {
    case 'h':
        grant->hosts = options->hosts;
        return read_hosts(value, options);
    case 'm':
        grant->may = value;
        return token_may_parse(value, &may) == STATUS_OK ? NULL : "--may must be list, board, box or all";
    case 'n':
        grant->note = value;
        return *value && strlen(value) <= NOTE_MAX_BYTES && utf8_valid(value, strlen(value))
                   ? NULL
                   : "--note must be 1 to 200 bytes of text";
    case 'l':
        return token_options_number(value, ROWS_MAX, &grant->row_limit) ? "--limit must be 1 to 10000" : NULL;
    case 'f':
        grant->fields = value;
        return token_fields_parse(value, &fields) == STATUS_OK
                   ? NULL
                   : "--fields must be some of i,path,visitors,change";
    case 'o':
        grant->origins = value;
        return check_origins(value);
    case 'u':
        return read_until(value, &grant->until);
    default:
        return duration_parse(value, &options->overlap_ms) == STATUS_OK
                   ? NULL
                   : "--overlap must be as 90s, 30m, 24h or 7d";
    }
}

int token_options_read(int argc, char **argv, struct token_options *options_r)
{
    static const struct option names[] = {
        {"host", required_argument, NULL, 'h'},   {"may", required_argument, NULL, 'm'},
        {"note", required_argument, NULL, 'n'},   {"limit", required_argument, NULL, 'l'},
        {"fields", required_argument, NULL, 'f'}, {"origins", required_argument, NULL, 'o'},
        {"until", required_argument, NULL, 'u'},  {"overlap", required_argument, NULL, 'v'},
        {"help", no_argument, NULL, '?' + 1},     {0}};
    int option = 0;
    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (option == '?' + 1)
            return say_help();
        if (option == '?')
            return EXIT_SETTINGS;
        const char *why = read_option(option, optarg, options_r);
        if (why)
            return token_options_usage(why);
    }
    return -1;
}
