/* The commands of upbeat-alert, by which people make channels, rules and silences: channel, rule, silence.
 * Each checks what it is told, and says what it did and what follows from it. */
#ifndef UPBEAT_FCGI_ALERT_COMMANDS_H
#define UPBEAT_FCGI_ALERT_COMMANDS_H

#include "alert_options.h"
#include "db/database.h"
#include "table.h"

/* Runs the command that these words are, argv[0] being the program. Returns the exit status: 0; EXIT_FAILURE,
 * EXIT_SETTINGS after a line on standard error. */
int alert_commands_run(int argc, char **argv);

/* What --help says of the commands. */
#define ALERT_COMMANDS_HELP                                                                                  \
    "  upbeat-alert channel add NAME webhook|slack|mail ADDRESS|-   - reads it from standard input;\n"       \
    "                                   of a webhook the signing secret is printed, once\n"                  \
    "  upbeat-alert channel list\n"                                                                          \
    "  upbeat-alert channel test NAME   sends a message, and says what became of it\n"                       \
    "  upbeat-alert channel enable NAME after the receiver has turned it off\n"                              \
    "  upbeat-alert channel rotate NAME [--overlap 24h]   another signing secret; for so long both sign\n"   \
    "  upbeat-alert channel remove NAME\n"                                                                   \
    "  upbeat-alert rule add CHANNEL [options]    which events it is told of; --dry-run: how many of the "   \
    "last 24 h\n"                                                                                            \
    "      --host H  --kinds rise,takeoff (so by itself)  --min-visitors N  --min-ratio X\n"                 \
    "      --sections A,B  --paths /a/,/b/  --sources social,search\n"                                       \
    "      --quiet 22:00-07:00  --tz Europe/Berlin  --at-most 6/hour\n"                                      \
    "  upbeat-alert rule list | rule remove ID\n"                                                            \
    "  upbeat-alert silence --host H [--path P] --until TIME      | silence list\n"                          \
    "  upbeat-alert silence remove --host H [--path P]\n\n"

/* Each runs `words`, of which there are count, after the word channel, rule or silence. */
int alert_channel(struct database *database, char **words, int count, const struct alert_options *options);
int alert_rule(struct database *database, char **words, int count, const struct alert_options *options);
int alert_silence(struct database *database, char **words, int count, const struct alert_options *options);

/* For these: one line on standard error, and the exit status for it. */
int alert_usage(const char *why);
int alert_fail(const char *why);

/* The same for what a call of store/alerts.h gave; `nothing` says what STATUS_INVALID stands for. */
int alert_fail_with(enum status status, const char *nothing);

/* Prints the rows that a call of store/alerts.h gives as a table. Returns the exit status. */
typedef enum status alert_rows(struct database *database, struct deadline deadline,
                               struct database_rows **rows_r);
int alert_list(struct database *database, alert_rows *ask, const struct table_column *columns, size_t count);

enum { ALERT_DATABASE_MS = 10000 };

#endif
