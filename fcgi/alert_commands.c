#include "alert_commands.h"

#include "base/settings.h"
#include "program.h"
#include "store/roles.h"

int alert_usage(const char *why)
{
    fprintf(stderr, "upbeat-alert: %s; see --help\n", why);
    return EXIT_SETTINGS;
}

int alert_fail(const char *why)
{
    fprintf(stderr, "upbeat-alert: %s\n", why);
    return EXIT_FAILURE;
}

int alert_fail_with(enum status status, const char *nothing)
{
    switch (status) {
    case STATUS_INVALID:
        return alert_fail(nothing);
    case STATUS_UNREACHABLE:
    case STATUS_TIMEOUT:
        return alert_fail("the database can't be reached");
    case STATUS_NO_MEMORY:
        return alert_fail("out of memory");
    default:
        return alert_fail("the database refused it");
    }
}

int alert_list(struct database *database, alert_rows *ask, const struct table_column *columns, size_t count)
{
    struct database_rows *rows = NULL;
    enum status status = ask(database, deadline_in(ALERT_DATABASE_MS), &rows);
    if (status != STATUS_OK)
        return alert_fail_with(status, "");
    table_print(rows, columns, count);
    database_rows_free(rows);
    return EXIT_SUCCESS;
}

static int run(char **words, int count, const struct alert_options *options)
{
    struct database *database = NULL;
    int status = EXIT_SETTINGS;
    if (database_new(&database, settings_database(), ROLE_ALERT, true) != STATUS_OK)
        return alert_fail("out of memory");
    database_be_patient(database);
    if (strcmp(words[0], "channel") == 0)
        status = alert_channel(database, words + 1, count - 1, options);
    else if (strcmp(words[0], "rule") == 0)
        status = alert_rule(database, words + 1, count - 1, options);
    else if (strcmp(words[0], "silence") == 0)
        status = alert_silence(database, words + 1, count - 1, options);
    else
        status = alert_usage(
            "the commands are channel, rule and silence; without one it takes --loop, --once or --dry-run");
    database_free(database);
    return status;
}

int alert_commands_run(int argc, char **argv)
{
    static struct alert_options options;
    char fault[FAULT_BYTES];
    int first = 0;
    bool wants_help = false;
    program_forbid_cores();
    if (alert_options_read(argc, argv, &options, &first, &wants_help, fault) != STATUS_OK)
        return alert_usage(fault);
    if (wants_help) {
        fputs(ALERT_COMMANDS_HELP, stdout);
        return EXIT_SUCCESS;
    }
    if (first == argc)
        return alert_usage("needs a command");
    return run(argv + first, argc - first, &options);
}
