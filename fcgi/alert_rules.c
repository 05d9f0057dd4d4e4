#include "alert_commands.h"

#include "base/buffer.h"
#include "base/timestamp.h"

#include <limits.h>

static const char KINDS[] = "rise,takeoff"; /* where none are named */

/* --- Rules -------------------------------------------------------------------------------------------------
 */

static const char *no_rule(const struct alert_rule *rule)
{
    static char text[200];
    snprintf(text, sizeof text, "there is no channel %s; see upbeat-alert channel list", rule->channel);
    return text;
}

static int say_matches(const struct alert_rule *rule, int64_t matches, const char *would)
{
    printf("%s %s be told of %s at %s; of the last 24 hours it would have been told of %lld event%s\n",
           rule->channel, would, rule->kinds, rule->host ? rule->host : "all hosts", (long long)matches,
           matches == 1 ? "" : "s");
    return EXIT_SUCCESS;
}

static int fail_to_add(enum status status, const struct alert_rule *rule)
{
    char text[200];
    if (status != STATUS_FAILED || !rule->time_zone)
        return alert_fail_with(status, no_rule(rule));
    snprintf(text, sizeof text, "--tz %.64s: PostgreSQL knows no such time zone, or else refused the rule",
             rule->time_zone);
    return alert_fail(text);
}

static int add_rule(struct database *database, const char *channel, const struct alert_options *options)
{
    struct alert_rule rule = options->rule;
    int id = 0;
    int64_t matches = 0;
    if (!alert_is_name(channel))
        return alert_usage("rule add needs the name of a channel, as channel list shows it");
    rule.channel = channel;
    rule.kinds = rule.kinds ? rule.kinds : KINDS;
    enum status status = options->dry_run
                             ? alerts_try_rule(database, &rule, deadline_in(ALERT_DATABASE_MS), &matches)
                             : alerts_add_rule(database, &rule, deadline_in(ALERT_DATABASE_MS), &id);
    if (status == STATUS_OK && !options->dry_run)
        status = alerts_rule_matches(database, id, deadline_in(ALERT_DATABASE_MS), &matches);
    if (status != STATUS_OK)
        return fail_to_add(status, &rule);
    if (options->dry_run)
        return say_matches(&rule, matches, "would");
    printf("rule %d is made: ", id);
    return say_matches(&rule, matches, "will");
}

static int list_rules(struct database *database)
{
    static const struct table_column columns[] = {
        {RULES_ID, 5, "id"},
        {RULES_CHANNEL, 16, "channel"},
        {RULES_HOST, 20, "host"},
        {RULES_KINDS, 20, "kinds"},
        {RULES_MIN_VISITORS, 9, "visitors"},
        {RULES_MIN_RATIO, 6, "ratio"},
        {RULES_SECTIONS, 12, "sections"},
        {RULES_PATHS, 12, "paths"},
        {RULES_SOURCES, 14, "sources"},
        {RULES_QUIET, 12, "quiet"},
        {RULES_TIME_ZONE, 16, "tz"},
        {RULES_AT_MOST, 0, "an hour"},
    };
    return alert_list(database, alerts_rules, columns, sizeof columns / sizeof *columns);
}

static int remove_rule(struct database *database, const char *number)
{
    int id = 0;
    if (!alert_read_number(number, INT_MAX, &id))
        return alert_usage("rule remove needs the number of a rule, as rule list shows it");
    enum status status = alerts_remove_rule(database, id, deadline_in(ALERT_DATABASE_MS));
    if (status != STATUS_OK)
        return alert_fail_with(status, "there is no rule of this number; see upbeat-alert rule list");
    printf("rule %d is removed: what it alone has told of and is not in a message yet, is told to nobody\n",
           id);
    return EXIT_SUCCESS;
}

int alert_rule(struct database *database, char **words, int count, const struct alert_options *options)
{
    const char *word = count > 0 ? words[0] : "";
    if (strcmp(word, "add") == 0 && count == 2 && !options->path && !options->until && !options->overlap_ms)
        return add_rule(database, words[1], options);
    if (strcmp(word, "add") == 0)
        return alert_usage("rule add takes the name of a channel, and the options of a rule");
    if (options->seen)
        return alert_usage("options go with rule add alone");
    if (strcmp(word, "list") == 0 && count == 1)
        return list_rules(database);
    if (strcmp(word, "remove") == 0 && count == 2)
        return remove_rule(database, words[1]);
    return alert_usage("rule takes add CHANNEL, list, or remove ID");
}

/* --- Silences ----------------------------------------------------------------------------------------------
 */

static int list_silences(struct database *database)
{
    static const struct table_column columns[] = {
        {SILENCES_HOST, 30, "host"}, {SILENCES_UNTIL, 22, "until"}, {SILENCES_PATH, 0, "path"}};
    return alert_list(database, alerts_silences, columns, sizeof columns / sizeof *columns);
}

/* A silence that is over at once takes the place of one that is not. */
static int silence(struct database *database, const struct alert_options *options, bool is_end)
{
    char text[TIMESTAMP_BYTES];
    time_us until = is_end ? clock_wall_ms() * 1000 : options->until;
    enum status status =
        alerts_silence(database, options->host, options->path, until, deadline_in(ALERT_DATABASE_MS));
    if (status != STATUS_OK)
        return alert_fail_with(status, "the database refused it");
    timestamp_write(until, text);
    if (is_end)
        printf("%s%s%s is no longer silent\n", options->host, options->path ? " " : "",
               options->path ? options->path : "");
    else
        printf("nobody is told of what begins at %s%s%s until %.16sZ; the log of events has it, and ends of "
               "what was told are told\n",
               options->host, options->path ? " " : "", options->path ? options->path : "", text);
    return EXIT_SUCCESS;
}

int alert_silence(struct database *database, char **words, int count, const struct alert_options *options)
{
    bool is_end = count == 1 && strcmp(words[0], "remove") == 0;
    if (count == 1 && strcmp(words[0], "list") == 0 && !options->seen)
        return list_silences(database);
    if (count > 1 || (count == 1 && !is_end))
        return alert_usage(
            "silence takes --host H [--path P] --until TIME, or list, or remove --host H [--path P]");
    if (!options->rule.host)
        return alert_usage("silence needs --host");
    if (is_end == (options->until > 0))
        return alert_usage(is_end ? "silence remove takes no --until" : "silence needs --until");
    return silence(database, options, is_end);
}
