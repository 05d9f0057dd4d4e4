/* The upkeep of what was stored: minute means, roll-ups, partitions, and pages that stand in nothing any
 * more. In steps that are short, so that no publish waits for one; all that is due once, or for ever. */
#include "base/log.h"
#include "base/metrics.h"
#include "program.h"
#include "store/maintenance.h"

#include <sys/resource.h>
#include <unistd.h>

enum {
    ONCE_MS = 60000,         /* --once begins nothing after */
    TURN_MS = 500,           /* nor does one turn of --loop */
    PAUSE_MS = 1000,         /* between two turns that left nothing to do */
    BACK_OFF_MAX_MS = 10000, /* while the database is away */
    STEP_MS = 60000,         /* of one roll-up, or one look after the partitions */
    FORGET_STEP_MS = 5000,
    HOURLY_MS = 3600000, /* how often partitions are looked after, and pages forgotten */
    BESIDE_OTHERS = 10,  /* nice */
};

struct upkeep {
    struct maintenance *maintenance;
    struct maintenance_periods periods;
    int64_t partitions_ms; /* when they were looked after; 0: not yet */
    int64_t forgot_ms;
};

static int say_help(void)
{
    return program_say_help(
        "upbeat-history " UPBEAT_VERSION
        ", the upkeep of what upbeat has stored: one-minute means, roll-ups of 15 minutes,\n"
        "partitions ahead of time, and what is over. Without --loop it does what is due, for a "
        "minute at most, and\n"
        "ends: status 0; 1 when it could not; 2 for a bad setting or option.\n\n"
        "  --loop       keep going until TERM or INT\n"
        "  --once       what is due, as without an option\n"
        "  --help\n\nSettings, from the environment:\n");
}

static bool is_due(int64_t last_ms)
{
    return last_ms == 0 || clock_monotonic_ms() - last_ms >= HOURLY_MS;
}

static enum status keep_partitions(struct upkeep *upkeep)
{
    int done = 0;
    if (!is_due(upkeep->partitions_ms))
        return STATUS_OK;
    enum status result =
        maintenance_maintain(upkeep->maintenance, &upkeep->periods, deadline_in(STEP_MS), &done);
    if (result == STATUS_OK)
        upkeep->partitions_ms = clock_monotonic_ms();
    if (result == STATUS_OK && done > 0)
        log_line(LEVEL_INFO, NULL, "%d partitions made or dropped", done);
    return result;
}

/* *more_r: there is more to roll up. */
static enum status roll_up(struct upkeep *upkeep, struct deadline until, bool *more_r)
{
    int done = 1;
    int rolled = 0;
    enum status result = STATUS_OK;
    while (result == STATUS_OK && done > 0 && deadline_left_ms(until) > 0 && !program_must_stop()) {
        program_say_alive();
        result = maintenance_roll_up(upkeep->maintenance, deadline_in(STEP_MS), &done);
        rolled += result == STATUS_OK ? done : 0;
    }
    if (rolled > 0)
        log_line(LEVEL_INFO, NULL, "%d quarters rolled up", rolled);
    *more_r = done > 0;
    return result;
}

/* When everything else is done; what fails is for the next hour. */
static void forget_pages(struct upkeep *upkeep, struct deadline until)
{
    enum status result = STATUS_OK;
    int done = 1;
    while (is_due(upkeep->forgot_ms) && deadline_left_ms(until) > 0 && !program_must_stop()) {
        result =
            maintenance_forget(upkeep->maintenance, &upkeep->periods, deadline_in(FORGET_STEP_MS), &done);
        if (result != STATUS_OK)
            log_line(LEVEL_WARNING, NULL, "pages could not be forgotten: %s", status_text(result));
        else if (done > 0)
            log_line(LEVEL_INFO, NULL, "%d pages forgotten", done);
        if (result != STATUS_OK || done == 0)
            upkeep->forgot_ms = clock_monotonic_ms();
    }
}

static enum status do_due(struct upkeep *upkeep, int for_ms, bool *more_r)
{
    struct deadline until = deadline_in(for_ms);
    program_say_alive();
    enum status result = keep_partitions(upkeep);
    if (result == STATUS_OK)
        result = roll_up(upkeep, until, more_r);
    if (result == STATUS_OK && !*more_r)
        forget_pages(upkeep, until);
    return result;
}

static int once(struct upkeep *upkeep)
{
    bool more = false;
    enum status result = do_due(upkeep, ONCE_MS, &more);
    if (result != STATUS_OK)
        log_line(LEVEL_ERROR, NULL, "could not go on: %s", status_text(result));
    return result == STATUS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int loop(struct upkeep *upkeep)
{
    int64_t pause_ms = PAUSE_MS;
    log_line(LEVEL_INFO, NULL, "keeping the history");
    program_say_ready();
    while (!program_must_stop()) {
        bool more = false;
        enum status result = do_due(upkeep, TURN_MS, &more);
        pause_ms = result == STATUS_OK              ? PAUSE_MS
                   : 2 * pause_ms < BACK_OFF_MAX_MS ? 2 * pause_ms
                                                    : BACK_OFF_MAX_MS;
        if (!program_must_stop() && !(result == STATUS_OK && more))
            deadline_sleep(deadline_in(pause_ms), pause_ms);
    }
    log_line(LEVEL_INFO, NULL, "stopped");
    return EXIT_SUCCESS;
}

static int run(const struct settings *settings, bool is_loop)
{
    struct upkeep upkeep = {
        .periods = {settings->keep_raw_hours, settings->keep_minute_days, settings->keep_quarter_months}};
    enum status result = maintenance_new(&upkeep.maintenance, settings->database, settings->prepare);
    if (result != STATUS_OK) {
        log_line(LEVEL_ERROR, NULL, "can't start: %s", status_text(result));
        return EXIT_FAILURE;
    }
    if (is_loop)
        metrics_open(settings->run_dir, PROGRAM_HISTORY);
    int status = is_loop ? loop(&upkeep) : once(&upkeep);
    metrics_close();
    maintenance_free(upkeep.maintenance);
    return status;
}

int main(int argc, char **argv)
{
    struct settings settings;
    bool is_loop = false;
    bool is_once = false; /* the default, so that nobody reads it */
    const struct program_flag flags[] = {{"loop", &is_loop}, {"once", &is_once}, {NULL, NULL}};
    int status = program_read_flags(argc, argv, flags, say_help);
    if (status >= 0)
        return status;
    program_forbid_cores();
    program_catch_stops();
    status = program_read_settings(&settings, NULL);
    if (status != EXIT_SUCCESS)
        return status;
    (void)setpriority(PRIO_PROCESS, 0, BESIDE_OTHERS);
    return run(&settings, is_loop);
}
