/* Finds events in the snapshots that were stored, keeps the log of them, and delivers alerts: in one process
 * and one thread. Between two looks, and after each host of a look, the outbox has its turn. */
#include "alert/deliver.h"
#include "alert_commands.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/validate.h"
#include "program.h"
#include "store/deliveries.h"
#include "store/event_log.h"
#include "store/roles.h"
#include "watch.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum {
    PAUSE_MS = 1000,
    BACK_OFF_MAX_MS = 10000, /* while the database is away */
    HOSTS_MS = 10000,
    KEEP_HOSTS_MS = 5000,
    FORGET_MS = 3600000,
    WATCHES_MAX = 4096, /* hosts that are kept in memory; others are made anew at each look */
    BESIDE_OTHERS = 5,  /* nice */
    STOP_MS = 5500,     /* for what is under way */
    LEAVE_MS = 60000,   /* a host that can't be looked at */
    LEFT_MAX = 64,      /* such hosts; of more the first ones are tried again sooner */
    BACK_MS = 2000,     /* for a new connection after a statement's time-out */
};

enum mode { MODE_ONCE, MODE_LOOP, MODE_DRY_RUN };

/* A host that could not be looked at. */
struct left {
    char host[HOST_MAX_BYTES + 1];
    struct deadline until;
};

struct alert {
    struct database *database;
    struct watch *watches[WATCHES_MAX];
    size_t count;
    struct left left[LEFT_MAX];
    size_t left_count;           /* so far; the place of the next one, modulo LEFT_MAX */
    struct deliverer *deliverer; /* NULL: nothing is delivered */
    int every_ms;                /* between samples of a host with a rule */
    int64_t hosts_ms, forgot_ms;
};

static int say_help(void)
{
    return program_say_help(
        "upbeat-alert " UPBEAT_VERSION
        ", finds what happens on the sites in the snapshots that were stored, keeps the log of\n"
        "it (the table events), and delivers alerts. Without --loop it does what is to be done now and "
        "ends:\n"
        "status 0; 1 when it could not; 2 for a bad setting or option.\n\n"
        "  --loop       keep going until TERM or INT\n"
        "  --once       what is new, as without an option\n"
        "  --dry-run    the same, but print the events, store nothing, and deliver nothing\n"
        "  --help\n\n"
        "Channels, rules and silences are kept by these commands:\n\n" ALERT_COMMANDS_HELP
        "Settings, from the environment:\n");
}

/* -1: go on; else the status to end with. */
static int read_options(int argc, char **argv, enum mode *mode_r)
{
    static const struct option names[] = {{"loop", no_argument, NULL, 'l'},
                                          {"once", no_argument, NULL, 'o'},
                                          {"dry-run", no_argument, NULL, 'd'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    *mode_r = MODE_ONCE;
    opterr = 0;
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (c == 'h')
            return say_help();
        if (c == '?') {
            fprintf(stderr, "upbeat-alert: %s: no such option; see --help\n", argv[optind - 1]);
            return EXIT_SETTINGS;
        }
        *mode_r = c == 'l' ? MODE_LOOP : c == 'd' ? MODE_DRY_RUN : MODE_ONCE;
    }
    if (optind == argc)
        return -1;
    fprintf(stderr, "upbeat-alert: %s: takes options only; see --help\n", argv[optind]);
    return EXIT_SETTINGS;
}

/* Where the host stands in the list, which is sorted, or would stand. */
static size_t find_place(const struct alert *alert, const char *host, bool *is_there_r)
{
    size_t low = 0;
    size_t high = alert->count;
    *is_there_r = false;
    while (low < high && !*is_there_r) {
        size_t middle = (low + high) / 2;
        int sign = strcmp(host, watch_host(alert->watches[middle]));
        *is_there_r = sign == 0;
        if (sign > 0)
            low = middle + 1;
        else
            high = middle;
    }
    return *is_there_r ? high : low;
}

static void drop(struct alert *alert, size_t place)
{
    watch_free(alert->watches[place]);
    alert->count--;
    memmove(&alert->watches[place], &alert->watches[place + 1],
            (alert->count - place) * sizeof(struct watch *));
}

static enum status look_at_host(struct alert *alert, const struct event_host *host, bool dry, bool *more_r)
{
    bool is_there = false;
    bool more = false;
    int found = 0;
    size_t place = find_place(alert, host->host, &is_there);
    if (!is_there) {
        struct watch *watch = watch_new(host->host);
        if (!watch)
            return STATUS_NO_MEMORY;
        if (alert->count == WATCHES_MAX) {
            drop(alert, place < alert->count ? place : place - 1);
            place = find_place(alert, host->host, &is_there);
        }
        memmove(&alert->watches[place + 1], &alert->watches[place],
                (alert->count - place) * sizeof(struct watch *));
        alert->watches[place] = watch;
        alert->count++;
    }
    enum status result = watch_look(alert->watches[place], alert->database, host, dry, &found, &more);
    if (result == STATUS_OK && found > 0) {
        log_line(LEVEL_INFO, host->host, "%d events began or ended", found);
        if (alert->deliverer)
            deliver_hurry(alert->deliverer);
    }
    if (result != STATUS_OK) {
        drop(alert, place);
        more = result == STATUS_REFUSED;
    }
    *more_r |= more;
    return result == STATUS_REFUSED ? STATUS_OK : result;
}

/* One turn of the outbox. That the database is away is told by the next look. */
static void deliver(struct alert *alert, int wait_ms)
{
    if (!alert->deliverer)
        deadline_sleep(deadline_in(wait_ms), wait_ms);
    else if (deliver_step(alert->deliverer, alert->database, wait_ms) != STATUS_OK)
        deadline_sleep(deadline_in(wait_ms), PAUSE_MS / 10);
}

/* What was delivered is stored before anything else is asked of a database that does not take it; for as long
 * as the lease runs. */
static void store_owed(struct alert *alert)
{
    while (alert->deliverer && deliver_owes(alert->deliverer) && !program_must_stop()) {
        program_say_alive();
        deliver(alert, PAUSE_MS);
    }
}

static bool is_left(const struct alert *alert, const char *host)
{
    for (size_t i = 0; i < LEFT_MAX; i++) {
        if (deadline_left_ms(alert->left[i].until) > 0 && strcmp(alert->left[i].host, host) == 0)
            return true;
    }
    return false;
}

/* Whether the database is there. Only a new connection tells a statement that took too long from a server
 * that hangs. */
static bool is_there(struct alert *alert)
{
    const struct deadline deadline = deadline_in(BACK_MS);
    while (database_is_away(alert->database) && deadline_left_ms(deadline) > 0 && !program_must_stop()) {
        deadline_sleep(deadline, database_tend_timeout_ms(alert->database, PAUSE_MS));
        database_tend(alert->database);
    }
    return !database_is_away(alert->database);
}

/* One host must not hold up the others: it is left for a while. STATUS_OK: go on with the next one. */
static enum status leave(struct alert *alert, const char *host, enum status result)
{
    if (result == STATUS_UNREACHABLE || program_must_stop() || !is_there(alert))
        return result;
    struct left *left = &alert->left[alert->left_count++ % LEFT_MAX];
    snprintf(left->host, sizeof left->host, "%s", host);
    left->until = deadline_in(LEAVE_MS);
    log_line(LEVEL_WARNING, host, "can't be looked at, and is left for a minute: %s", status_text(result));
    return STATUS_OK;
}

/* *more_r: there is more to look at. */
static enum status look(struct alert *alert, bool dry, bool *more_r)
{
    struct database_rows *rows = NULL;
    enum status result = event_log_hosts(alert->database, deadline_in(HOSTS_MS), &rows);
    if (result != STATUS_OK)
        return result;
    for (size_t i = 0; i < database_rows_count(rows) && result == STATUS_OK && !program_must_stop(); i++) {
        const struct event_host host = event_log_host(rows, i);
        program_say_alive();
        if (is_left(alert, host.host))
            continue;
        result = look_at_host(alert, &host, dry, more_r);
        if (result != STATUS_OK)
            result = leave(alert, host.host, result);
        if (alert->deliverer && !dry)
            deliver(alert, 0);
        store_owed(alert);
    }
    database_rows_free(rows);
    return result;
}

static void keep_house(struct alert *alert)
{
    int64_t now_ms = clock_monotonic_ms();
    enum status result = STATUS_OK;
    if (now_ms - alert->hosts_ms >= KEEP_HOSTS_MS) {
        alert->hosts_ms = now_ms;
        result = deliveries_keep_hosts(alert->database, alert->every_ms, deadline_in(HOSTS_MS));
    }
    if (result == STATUS_OK && now_ms - alert->forgot_ms >= FORGET_MS) {
        alert->forgot_ms = now_ms;
        result = deliveries_forget(alert->database, deadline_in(HOSTS_MS));
    }
    if (result != STATUS_OK)
        log_line(LEVEL_WARNING, NULL, "could not keep house: %s", status_text(result));
}

/* What can be delivered now; all of it is under way or done when no claim finds more. */
static enum status deliver_all(struct alert *alert)
{
    enum status result = STATUS_OK;
    while (alert->deliverer && result == STATUS_OK && !program_must_stop()) {
        deliver_hurry(alert->deliverer);
        result = deliver_step(alert->deliverer, alert->database, PAUSE_MS / 10);
        if (deliver_busy(alert->deliverer) == 0 && deliver_is_idle(alert->deliverer))
            break;
    }
    return result;
}

/* Until what is under way has ended, and that is stored: a request takes POST_MS at most. A mail that takes
 * longer is sent again. */
static void finish(struct alert *alert)
{
    const struct deadline deadline = deadline_in(STOP_MS);
    if (!alert->deliverer)
        return;
    deliver_close(alert->deliverer);
    while (deliver_busy(alert->deliverer) > 0 && deadline_left_ms(deadline) > 0)
        deliver(alert, PAUSE_MS / 10);
}

static int once(struct alert *alert, bool dry)
{
    bool more = true;
    enum status result = STATUS_OK;
    while (more && result == STATUS_OK && !program_must_stop()) {
        more = false;
        result = look(alert, dry, &more);
    }
    if (result == STATUS_OK && !dry)
        result = deliver_all(alert);
    finish(alert);
    if (result != STATUS_OK)
        log_line(LEVEL_ERROR, NULL, "could not go on: %s", status_text(result));
    return result == STATUS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int loop(struct alert *alert)
{
    int64_t pause_ms = PAUSE_MS;
    log_line(LEVEL_INFO, NULL,
             alert->deliverer ? "looking for events, and delivering alerts" : "looking for events");
    program_say_ready();
    while (!program_must_stop()) {
        bool more = false;
        program_say_alive();
        store_owed(alert);
        keep_house(alert);
        store_owed(alert);
        enum status result = look(alert, false, &more);
        if (program_must_stop())
            break;
        if (result != STATUS_OK)
            log_line(LEVEL_WARNING, NULL, "could not look: %s", status_text(result));
        pause_ms = result == STATUS_OK              ? PAUSE_MS
                   : 2 * pause_ms < BACK_OFF_MAX_MS ? 2 * pause_ms
                                                    : BACK_OFF_MAX_MS;
        const struct deadline next = deadline_in(result == STATUS_OK && more ? 0 : pause_ms);
        do
            deliver(alert, deadline_left_ms(next));
        while (deadline_left_ms(next) > 0 && !program_must_stop());
    }
    finish(alert);
    log_line(LEVEL_INFO, NULL, "stopped");
    return EXIT_SUCCESS;
}

/* Without the secret no address can be opened: then events are found, and alerts wait. */
static enum status begin_delivery(struct alert *alert, const struct settings *settings,
                                  struct secret_box *secret_box)
{
    const char *why = "";
    struct deliver_config config = {.secret_box = secret_box,
                                    .ca_file = settings->ca_file,
                                    .sendmail = settings->sendmail,
                                    .mail_from = settings->mail_from,
                                    .board_url = settings->board_url,
                                    .proxy = settings->alert_proxy};
    if (secret_box_init(secret_box, settings->secret_file, &why) != STATUS_OK) {
        log_line(LEVEL_ERROR, NULL, "no alert can be delivered: UPBEAT_SECRET_FILE=%s: %s",
                 settings->secret_file, why);
        return STATUS_OK;
    }
    enum status result = networks_read(settings->alert_allow, &config.allow);
    return result == STATUS_OK ? deliver_new(&alert->deliverer, &config) : result;
}

static int loop_counted(struct alert *alert, const struct settings *settings)
{
    metrics_open(settings->run_dir, PROGRAM_ALERT);
    int status = loop(alert);
    metrics_close();
    return status;
}

static int run(const struct settings *settings, enum mode mode)
{
    static struct alert alert;
    struct secret_box secret_box = {{0}};
    int status = EXIT_FAILURE;
    alert.every_ms = settings->alert_every_ms;
    enum status result = database_new(&alert.database, settings->database, ROLE_ALERT, settings->prepare);
    if (result == STATUS_OK)
        database_stop_when(alert.database, program_must_stop);
    if (result == STATUS_OK && mode != MODE_LOOP)
        database_be_patient(alert.database);
    if (result == STATUS_OK && mode != MODE_DRY_RUN)
        result = begin_delivery(&alert, settings, &secret_box);
    if (result != STATUS_OK)
        log_line(LEVEL_ERROR, NULL, "can't start: %s", status_text(result));
    else
        status = mode == MODE_LOOP ? loop_counted(&alert, settings) : once(&alert, mode == MODE_DRY_RUN);
    while (alert.count > 0)
        drop(&alert, alert.count - 1);
    deliver_free(alert.deliverer);
    database_free(alert.database);
    secret_box_release(&secret_box);
    return status;
}

int main(int argc, char **argv)
{
    struct settings settings;
    enum mode mode = MODE_ONCE;
    if (argc > 1 && *argv[1] != '-')
        return alert_commands_run(argc, argv);
    int status = read_options(argc, argv, &mode);
    if (status >= 0)
        return status;
    program_forbid_cores();
    program_catch_stops();
    status = program_read_settings(&settings, NULL);
    if (status != EXIT_SUCCESS)
        return status;
    (void)setpriority(PRIO_PROCESS, 0, BESIDE_OTHERS);
    return run(&settings, mode);
}
