#include "backtest_options.h"

#include "base/duration.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EVERY_MS = 60000 };

static int say_help(void)
{
    fputs("upbeat-backtest " UPBEAT_VERSION ", what would have been called rising, or told as an event\n\n"
          "  upbeat-backtest [options] < samples.tsv\n"
          "  upbeat-backtest [options] --from-db HOST     the database's history (UPBEAT_DATABASE)\n\n"
          "A header line names the columns t_ms, path and visitors, in any order, and may name sources\n"
          "(search,social,links,direct,internal: numbers), which give events their causes; others are passed "
          "over. "
          "Then a line\n"
          "for each page and sample, samples in order of time.\n\n"
          "  --host HOST          pages of this host and of www.HOST are known without it\n"
          "  --limit 100          rows of a full list\n"
          "  --window 30m         5m to 24h\n"
          "  --every 60s          how often to look\n"
          "  --direction up       up, down or both\n"
          "  --min-score 2.8      in sigmas\n"
          "  --min-visitors 10\n"
          "  --min-ratio 1        of visitors to expected, 1 to 10\n"
          "  --events             the events that would have been told (--min-score 6)\n"
          "  --json               JSON lines in place of TSV\n",
          stdout);
    return EXIT_SUCCESS;
}

static bool take_number(const char *text, double least, double most, double *number_r)
{
    char *end = NULL;
    double number = strtod(text, &end);
    if (end == text || *end != '\0' || !(number >= least && number <= most))
        return false;
    *number_r = number;
    return true;
}

static bool take_span(const char *text, int64_t least_ms, int64_t most_ms, int64_t *span_ms_r)
{
    int64_t span_ms = 0;
    if (duration_parse(text, &span_ms) != STATUS_OK || span_ms < least_ms || span_ms > most_ms)
        return false;
    *span_ms_r = span_ms;
    return true;
}

static bool take_direction(const char *text, enum trend_direction *direction_r)
{
    static const char *const names[] = {[TREND_UP] = "up", [TREND_DOWN] = "down", [TREND_BOTH] = "both"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(text, names[i]) == 0) {
            *direction_r = (enum trend_direction)i;
            return true;
        }
    }
    return false;
}

static const char *take_option(struct backtest_options *options, int option, const char *value)
{
    double number = 0;
    switch (option) {
    case 'l':
        if (!take_number(value, 1, BACKTEST_SAMPLE_MAX, &number))
            return "--limit must be 1 to 100000";
        options->limit = (int32_t)number;
        return NULL;
    case 'w':
        return take_span(value, TREND_WINDOW_MIN_S * INT64_C(1000), TREND_WINDOW_MAX_S * INT64_C(1000),
                         &options->window_ms)
                   ? NULL
                   : "--window must be 5m to 24h";
    case 'e':
        return take_span(value, 1000, TREND_WINDOW_MAX_S * INT64_C(1000), &options->every_ms)
                   ? NULL
                   : "--every must be 1s to 24h";
    case 'd':
        return take_direction(value, &options->bounds.direction) ? NULL
                                                                 : "--direction must be up, down or both";
    case 's':
        if (!take_number(value, 0, 1000, &options->bounds.min_score))
            return "--min-score must be 0 to 1000";
        options->event_bounds.min_score = options->bounds.min_score;
        return NULL;
    case 'r':
        if (!take_number(value, 1, 10, &options->bounds.min_ratio))
            return "--min-ratio must be 1 to 10";
        options->event_bounds.min_ratio = options->bounds.min_ratio;
        return NULL;
    default:
        if (!take_number(value, 0, 1e6, &options->bounds.min_visitors))
            return "--min-visitors must be 0 to 1000000";
        options->event_bounds.min_visitors = options->bounds.min_visitors;
        return NULL;
    }
}

int backtest_options_read(int argc, char **argv, struct backtest_options *options_r)
{
    static const struct option names[] = {
        {"limit", required_argument, NULL, 'l'},
        {"window", required_argument, NULL, 'w'},
        {"every", required_argument, NULL, 'e'},
        {"direction", required_argument, NULL, 'd'},
        {"min-score", required_argument, NULL, 's'},
        {"min-visitors", required_argument, NULL, 'v'},
        {"min-ratio", required_argument, NULL, 'r'},
        {"events", no_argument, NULL, 'n'},
        {"host", required_argument, NULL, 'H'},
        {"json", no_argument, NULL, 'j'},
        {"from-db", required_argument, NULL, 'f'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    *options_r = (struct backtest_options){
        .limit = 100,
        .window_ms = TREND_WINDOW_S * INT64_C(1000),
        .every_ms = EVERY_MS,
        .site = "",
        .bounds = {TREND_UP, TREND_MIN_SCORE, TREND_MIN_VISITORS, TREND_MIN_RATIO},
        .event_bounds = {.min_score = EVENT_MIN_SCORE},
    };
    int option = 0;
    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
        const char *why = NULL;
        if (option == 'h')
            return say_help();
        if (option == '?')
            return BACKTEST_EXIT_USAGE;
        if (option == 'j')
            options_r->json = true;
        else if (option == 'n')
            options_r->events = true;
        else if (option == 'f')
            options_r->host = options_r->site = optarg;
        else if (option == 'H')
            options_r->site = optarg;
        else
            why = take_option(options_r, option, optarg);
        if (why) {
            fprintf(stderr, "upbeat-backtest: %s\n", why);
            return BACKTEST_EXIT_USAGE;
        }
    }
    if (optind < argc) {
        fputs("upbeat-backtest: reads from stdin; see --help\n", stderr);
        return BACKTEST_EXIT_USAGE;
    }
    return -1;
}
