#include "alert_options.h"

#include "base/duration.h"
#include "base/timestamp.h"
#include "base/utf8.h"
#include "pages/event_rules.h"

#include <getopt.h>
#include <math.h>

enum {
    ITEMS_MAX = 100,
    LIST_MAX_BYTES = 4000,
    ITEM_NAME_BYTES = 32,
    AT_MOST_MAX = 1000,
    MAIL_MAX_BYTES = 254,
    SHOWN_BYTES = 80,
};

/* Checks one item of a list. */
typedef bool is_item(const char *text, size_t len_bytes);

static bool is_among(const char *text, size_t len_bytes, const char *(*name_of)(int), int count)
{
    for (int i = 0; i < count; i++) {
        if (strlen(name_of(i)) == len_bytes && memcmp(name_of(i), text, len_bytes) == 0)
            return true;
    }
    return false;
}

static const char *kind_name(int number)
{
    return event_kind_name((enum event_kind)number);
}

static const char *source_name(int number)
{
    return event_source_name((enum page_source)number);
}

static bool is_kind(const char *text, size_t len_bytes)
{
    return is_among(text, len_bytes, kind_name, EVENT_KINDS);
}

static bool is_source(const char *text, size_t len_bytes)
{
    return is_among(text, len_bytes, source_name, PAGE_SOURCES);
}

static bool is_section(const char *text, size_t len_bytes)
{
    return len_bytes > 0 && utf8_valid(text, len_bytes);
}

static bool is_path(const char *text, size_t len_bytes)
{
    for (size_t i = 0; i < len_bytes; i++) {
        if (text[i] <= ' ' || text[i] >= 0x7f)
            return false;
    }
    return len_bytes > 0;
}

static bool is_list(const char *text, is_item *check)
{
    int count = 0;
    for (const char *at = text; strlen(text) <= LIST_MAX_BYTES; at++) {
        size_t len = strcspn(at, ",");
        if (++count > ITEMS_MAX || !check(at, len))
            return false;
        at += len;
        if (!*at)
            return true;
    }
    return false;
}

static bool read_decimal(const char *text, double least, double most, double *number_r)
{
    char *end = NULL;
    double number = strtod(text, &end);
    if (*text < '0' || *text > '9' || *end || !(number >= least && number <= most))
        return false;
    *number_r = number;
    return true;
}

bool alert_read_number(const char *text, int most, int *number_r)
{
    char *end = NULL;
    long number = strtol(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || number < 1 || number > most)
        return false;
    *number_r = (int)number;
    return true;
}

/* "22:00", the first five bytes. */
static bool is_time_of_day(const char *text)
{
    if (strspn(text, "0123456789:") < 5 || text[2] != ':')
        return false;
    for (int i = 0; i < 5; i++) {
        if (i != 2 && text[i] == ':')
            return false;
    }
    return (text[0] - '0') * 10 + text[1] - '0' <= 23 && text[3] <= '5';
}

static bool read_quiet(const char *text, struct alert_options *options)
{
    if (strlen(text) != 11 || text[5] != '-' || !is_time_of_day(text) || !is_time_of_day(text + 6) ||
        memcmp(text, text + 6, 5) == 0)
        return false;
    snprintf(options->quiet_from, sizeof options->quiet_from, "%.5s", text);
    snprintf(options->quiet_until, sizeof options->quiet_until, "%.5s", text + 6);
    options->rule.quiet_from = options->quiet_from;
    options->rule.quiet_until = options->quiet_until;
    return true;
}

static bool read_at_most(const char *text, int *number_r)
{
    char number[8] = "";
    const char *slash = strchr(text, '/');
    if (!slash || strcmp(slash, "/hour") != 0 || slash - text > 4)
        return false;
    snprintf(number, sizeof number, "%.*s", (int)(slash - text), text);
    return alert_read_number(number, AT_MOST_MAX, number_r);
}

static bool read_until(const char *text, time_us *until_r)
{
    struct timestamp until = {0};
    const char *why = NULL;
    if (timestamp_parse(text, &until, &why) != STATUS_OK || until.at <= clock_wall_ms() * 1000)
        return false;
    *until_r = until.at;
    return true;
}

static bool is_time_zone_name(const char *text)
{
    return *text && strlen(text) <= 64 &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_/+-") == strlen(text);
}

enum command_option {
    OPTION_HOST,
    OPTION_KINDS,
    OPTION_MIN_VISITORS,
    OPTION_MIN_RATIO,
    OPTION_SECTIONS,
    OPTION_PATHS,
    OPTION_SOURCES,
    OPTION_QUIET,
    OPTION_TZ,
    OPTION_AT_MOST,
    OPTION_DRY_RUN,
    OPTION_PATH,
    OPTION_UNTIL,
    OPTION_OVERLAP,
    OPTION_HELP,
    OPTIONS
};

static const struct {
    unsigned set;
    const char *bound;
} OPTION_TABLE[OPTIONS] = {
    [OPTION_HOST] = {OPTION_OF_RULE | OPTION_OF_SILENCE, "a host name, as Chartbeat names it"},
    [OPTION_KINDS] = {OPTION_OF_RULE, "some of rise,takeoff,fall,record,site_high,site_low,headline,outage"},
    [OPTION_MIN_VISITORS] = {OPTION_OF_RULE, "a number from 0 to 1000000000"},
    [OPTION_MIN_RATIO] = {OPTION_OF_RULE, "a number from 1 to 1000"},
    [OPTION_SECTIONS] = {OPTION_OF_RULE, "1 to 100 names with commas between them"},
    [OPTION_PATHS] = {OPTION_OF_RULE, "1 to 100 beginnings of paths, as /sport/, with commas between them"},
    [OPTION_SOURCES] = {OPTION_OF_RULE, "some of search,social,links,direct,internal"},
    [OPTION_QUIET] = {OPTION_OF_RULE, "two different times of day as 22:00-07:00"},
    [OPTION_TZ] = {OPTION_OF_RULE, "a time zone as Europe/Berlin"},
    [OPTION_AT_MOST] = {OPTION_OF_RULE, "1/hour to 1000/hour"},
    [OPTION_DRY_RUN] = {OPTION_OF_RULE, ""},
    [OPTION_PATH] = {OPTION_OF_SILENCE, "the path of a page, as the board shows it"},
    [OPTION_UNTIL] = {OPTION_OF_SILENCE,
                      "a time to come, as 2027-06-30T12:00Z, or a date, whose midnight in UTC is meant"},
    [OPTION_OVERLAP] = {OPTION_OF_ROTATE, "a time as 90s, 30m, 24h or 7d"},
    [OPTION_HELP] = {~0u, ""},
};

/* Keeps the list where it is one. */
static bool take_list(const char *value, is_item *check, const char **list_r)
{
    *list_r = value;
    return is_list(value, check);
}

static bool take(enum command_option option, const char *value, struct alert_options *options)
{
    struct alert_rule *rule = &options->rule;
    const char *why = NULL;
    switch (option) {
    case OPTION_HOST:
        rule->host = options->host;
        return validate_host(value, strlen(value), options->host, &why) == STATUS_OK;
    case OPTION_KINDS:
        return take_list(value, is_kind, &rule->kinds);
    case OPTION_MIN_VISITORS:
        return read_decimal(value, 0, 1e9, &rule->min_visitors);
    case OPTION_MIN_RATIO:
        return read_decimal(value, 1, 1000, &rule->min_ratio);
    case OPTION_SECTIONS:
        return take_list(value, is_section, &rule->sections);
    case OPTION_PATHS:
        return take_list(value, is_path, &rule->paths);
    case OPTION_SOURCES:
        return take_list(value, is_source, &rule->sources);
    case OPTION_QUIET:
        return read_quiet(value, options);
    case OPTION_TZ:
        rule->time_zone = value;
        return is_time_zone_name(value);
    case OPTION_AT_MOST:
        return read_at_most(value, &rule->at_most_per_hour);
    case OPTION_PATH:
        options->path = value;
        return is_path(value, strlen(value));
    case OPTION_UNTIL:
        return read_until(value, &options->until);
    case OPTION_OVERLAP:
        return duration_parse(value, &options->overlap_ms) == STATUS_OK;
    default:
        options->dry_run = true;
        return true;
    }
}

enum status alert_options_read(int argc, char **argv, struct alert_options *options_r, int *first_r,
                               bool *wants_help_r, char fault_r[FAULT_BYTES])
{
    static const struct option names[] = {{"host", required_argument, NULL, OPTION_HOST},
                                          {"kinds", required_argument, NULL, OPTION_KINDS},
                                          {"min-visitors", required_argument, NULL, OPTION_MIN_VISITORS},
                                          {"min-ratio", required_argument, NULL, OPTION_MIN_RATIO},
                                          {"sections", required_argument, NULL, OPTION_SECTIONS},
                                          {"paths", required_argument, NULL, OPTION_PATHS},
                                          {"sources", required_argument, NULL, OPTION_SOURCES},
                                          {"quiet", required_argument, NULL, OPTION_QUIET},
                                          {"tz", required_argument, NULL, OPTION_TZ},
                                          {"at-most", required_argument, NULL, OPTION_AT_MOST},
                                          {"dry-run", no_argument, NULL, OPTION_DRY_RUN},
                                          {"path", required_argument, NULL, OPTION_PATH},
                                          {"until", required_argument, NULL, OPTION_UNTIL},
                                          {"overlap", required_argument, NULL, OPTION_OVERLAP},
                                          {"help", no_argument, NULL, OPTION_HELP},
                                          {NULL, 0, NULL, 0}};
    int index = 0;
    *options_r = (struct alert_options){.seen = 0};
    opterr = 0;
    for (int c; (c = getopt_long(argc, argv, ":", names, &index)) != -1;) {
        if (c == '?' || c == ':') {
            const char *given = argv[optind - 1];
            snprintf(fault_r, FAULT_BYTES, "%.*s: %s", (int)strcspn(given, "=") % SHOWN_BYTES, given,
                     c == ':' ? "needs a value" : "no such option");
            return STATUS_INVALID;
        }
        *wants_help_r |= c == OPTION_HELP;
        if (c == OPTION_HELP)
            continue;
        if (!take((enum command_option)c, optarg, options_r)) {
            snprintf(fault_r, FAULT_BYTES, "--%s %.*s: must be %s", names[index].name, SHOWN_BYTES, optarg,
                     OPTION_TABLE[c].bound);
            return STATUS_INVALID;
        }
        options_r->seen |= OPTION_TABLE[c].set;
    }
    *first_r = optind;
    return STATUS_OK;
}

bool alert_is_name(const char *text)
{
    static const char all[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t len = strlen(text);
    return len > 0 && len <= CHANNEL_NAME_MAX_BYTES && strspn(text, all) == len && !strchr("._-", *text);
}

bool alert_is_mail_address(const char *text)
{
    const char *at = strchr(text, '@');
    size_t len = strlen(text);
    if (*text == '-' || !at || at == text || !at[1] || strchr(at + 1, '@') || len > MAIL_MAX_BYTES)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] <= ' ' || text[i] >= 0x7f || strchr("\"(),:;<>[\\]", text[i]))
            return false;
    }
    return at[1] != '.' && at[1] != '-' &&
           strspn(at + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") ==
               strlen(at + 1);
}
