#include "import_options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_USAGE = 2, IMPORT_ROW_LIMIT = 100 };

static int say_help(void)
{
    fputs(
        "upbeat-import " UPBEAT_VERSION ", recorded samples into the database\n\n"
        "  upbeat-import [options] HOST < samples.tsv\n\n"
        "A header line names the columns t_ms, path and visitors, and perhaps title, sections (names with | "
        "between them) and\n"
        "sources (search,social,links,direct,internal: numbers). Then a line for each page and sample, "
        "samples in order of time.\n"
        "What is older than a day is kept by quarters of an hour, the rest by the minute, too.\n\n"
        "  --limit 100    rows of a full list: a page that is not in one had at most its smallest count\n"
        "  --replace      put these data in the place of others\n"
        "  --help\n\n"
        "UPBEAT_DATABASE_OWNER (or UPBEAT_DATABASE) names the database, as the role that owns the tables.\n",
        stdout);
    return EXIT_SUCCESS;
}

static int usage(const char *why)
{
    fprintf(stderr, "upbeat-import: %s; see --help\n", why);
    return EXIT_USAGE;
}

int import_options_read(int argc, char **argv, struct import_options *options_r)
{
    static const struct option names[] = {{"limit", required_argument, NULL, 'l'},
                                          {"replace", no_argument, NULL, 'r'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    struct import_options options = {.row_limit = IMPORT_ROW_LIMIT};
    int option = 0;
    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
        char *end = NULL;
        long number = option == 'l' ? strtol(optarg, &end, 10) : 0;
        if (option == 'h')
            return say_help();
        if (option == '?')
            return EXIT_USAGE;
        if (option == 'l' && (end == optarg || *end || number < 1 || number > IMPORT_SAMPLE_MAX))
            return usage("--limit must be 1 to 100000");
        if (option == 'l')
            options.row_limit = (int32_t)number;
        else
            options.replaces = true;
    }
    const char *why = "needs a host, as Chartbeat names it";
    if (optind + 1 != argc ||
        validate_host(argv[optind], strlen(argv[optind]), options.host, &why) != STATUS_OK)
        return usage(why);
    *options_r = options;
    return -1;
}
