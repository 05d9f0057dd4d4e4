/* The fetcher as a program: options, settings and secret, then one round of the hosts that are due, or for
 * ever. */
#include "base/escape.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/secret_box.h"
#include "fetcher.h"
#include "program.h"
#include "store/alerts.h"
#include "store/keys.h"
#include "store/roles.h"

#include <curl/curl.h>
#include <getopt.h>
#include <inttypes.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    DUE_MAX_BYTES = 64 * 1024 * 1024,
    BESIDE_WORKERS = 5, /* nice: nearly all answers need no refresh, and come first */
};

struct options {
    bool loop, once, dry_run, verbose, json, check;
    const char *old_secret_file; /* NULL: nothing is to be sealed anew */
    const char *host;            /* NULL: all */
    char host_room[HOST_MAX_BYTES + 1];
};

struct progress {
    const struct options *options;
    struct fetcher_totals so_far;
    size_t due;
    bool on_terminal;
};

static int say_help(void)
{
    return program_say_help(
        "upbeat-fetch " UPBEAT_VERSION ", the fetcher of upbeat: asks Chartbeat for the hosts that workers\n"
        "ask for and for those that are due. Without --loop it does one round of the hosts that are "
        "due and ends:\n"
        "status 0, even when some hosts failed; 1 when it could do nothing; 2 for a bad setting or "
        "option.\n\n"
        "  spawn-fcgi -n -s UPBEAT_FETCH_SOCKET -M 0600 -- multiwatch -r 1000000 -f 2 -- upbeat-fetch "
        "--loop\n\n"
        "  --loop       keep going until TERM or INT; serve workers, where descriptor 0 listens\n"
        "  --once       one round, as without an option\n"
        "  --dry-run    say which hosts are due, and do nothing\n"
        "  --host HOST  this host alone; not with --loop\n"
        "  -v           a line for each host, in place of those that failed only\n"
        "  --json       the same as JSON, a line for each host and one for the round\n"
        "  --check      check the settings and the secret, and end\n"
        "  --reseal OLD_SECRET_FILE\n"
        "               after a change of UPBEAT_SECRET_FILE: seal the stored API keys anew, and end\n"
        "  --help\n\nSettings, from the environment:\n");
}

/* -1: go on; else the status to end with. */
static int read_options(int argc, char **argv, struct options *options)
{
    static const struct option names[] = {
        {"loop", no_argument, NULL, 'l'},         {"once", no_argument, NULL, 'o'},
        {"dry-run", no_argument, NULL, 'd'},      {"host", required_argument, NULL, 'h'},
        {"json", no_argument, NULL, 'j'},         {"check", no_argument, NULL, 'c'},
        {"reseal", required_argument, NULL, 'r'}, {"verbose", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, '?'},         {NULL, 0, NULL, 0}};
    const char *why = "";
    opterr = 0;
    for (int c; (c = getopt_long(argc, argv, "v", names, NULL)) != -1;) {
        options->loop |= c == 'l';
        options->once |= c == 'o';
        options->dry_run |= c == 'd';
        options->json |= c == 'j';
        options->check |= c == 'c';
        if (c == 'r')
            options->old_secret_file = optarg;
        options->verbose |= c == 'v';
        if (c == '?') {
            if (strcmp(argv[optind - 1], "--help") == 0)
                return say_help();
            fprintf(stderr, "upbeat-fetch: %s: no such option, or it needs a value; see --help\n",
                    argv[optind - 1]);
            return EXIT_SETTINGS;
        }
        if (c == 'h' && validate_host(optarg, strlen(optarg), options->host_room, &why) != STATUS_OK) {
            fprintf(stderr, "upbeat-fetch: --host %.300s: %s\n", optarg, why);
            return EXIT_SETTINGS;
        }
        if (c == 'h')
            options->host = options->host_room;
    }
    const char *one_round_only = options->host ? "--host" : options->once ? "--once" : NULL;
    if (optind == argc && !(options->loop && one_round_only))
        return -1;
    if (optind == argc)
        fprintf(stderr, "upbeat-fetch: %s: not with --loop; see --help\n", one_round_only);
    else
        fprintf(stderr, "upbeat-fetch: %s: takes options only; see --help\n", argv[optind]);
    return EXIT_SETTINGS;
}

static const char *outcome_text(enum fetcher_outcome outcome)
{
    return outcome == FETCHER_STORED ? "stored" : outcome == FETCHER_SKIPPED ? "skipped" : "failed";
}

/* Hosts are checked names and reasons are ours, but a reason may quote a library. */
static void say_json(const struct fetcher_event *event)
{
    struct buffer text;
    buffer_init(&text, 4096);
    buffer_append_format(&text,
                         "{\"host\":\"%s\",\"outcome\":\"%s\",\"took_ms\":%" PRId64 ",\"why\":", event->host,
                         outcome_text(event->outcome), event->took_ms);
    json_escape(&text, event->why, strlen(event->why));
    buffer_append_text(&text, "}");
    if (text.status == STATUS_OK)
        puts(text.data);
    buffer_release(&text);
}

static void say_progress(struct progress *progress)
{
    const struct fetcher_totals *so_far = &progress->so_far;
    fprintf(stderr, "\r%zu of %zu hosts, %zu skipped, %zu failed ",
            so_far->stored + so_far->skipped + so_far->failed, progress->due, so_far->skipped,
            so_far->failed);
}

static void report(void *context, const struct fetcher_event *event)
{
    struct progress *progress = context;
    const struct options *options = progress->options;
    progress->so_far.stored += event->outcome == FETCHER_STORED;
    progress->so_far.skipped += event->outcome == FETCHER_SKIPPED;
    progress->so_far.failed += event->outcome == FETCHER_FAILED;
    if (options->json)
        say_json(event);
    else if (options->verbose || event->outcome == FETCHER_FAILED)
        printf("%s%s %s %" PRId64 " ms%s%s\n", progress->on_terminal ? "\r" : "", event->host,
               outcome_text(event->outcome), event->took_ms, *event->why ? ": " : "", event->why);
    if (progress->on_terminal)
        say_progress(progress);
}

static void say_due(const struct options *options, const struct due_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct due_host *one = &list->items[i];
        if (options->json)
            printf("{\"host\":\"%s\",\"late_ms\":%" PRId64 ",\"every_ms\":%" PRId64 "}\n", one->host,
                   one->late_ms, one->every_ms);
        else if (one->late_ms < 0)
            printf("%s is due: it has no snapshot yet\n", one->host);
        else
            printf("%s is due since %" PRId64 ".%03" PRId64 " s (every %" PRId64 " s)\n", one->host,
                   one->late_ms / 1000, one->late_ms % 1000, one->every_ms / 1000);
    }
    if (!options->json)
        printf("%zu hosts are due\n", list->count);
}

static void say_totals(const struct options *options, const struct fetcher_totals *totals, int64_t took_ms)
{
    if (options->json)
        printf("{\"due\":%zu,\"stored\":%zu,\"skipped\":%zu,\"failed\":%zu,\"took_ms\":%" PRId64 "}\n",
               totals->due, totals->stored, totals->skipped, totals->failed, took_ms);
    else if (!options->loop || options->verbose)
        printf("%zu hosts were due: %zu stored, %zu skipped, %zu failed, in %" PRId64 ".%03" PRId64 " s\n",
               totals->due, totals->stored, totals->skipped, totals->failed, took_ms / 1000, took_ms % 1000);
    fflush(stdout);
}

/* The hosts that are due are asked for, or only said. */
static enum status do_round(struct fetcher *fetcher, struct progress *progress)
{
    struct arena arena;
    struct due_list list = {0};
    struct fetcher_totals totals = {0};
    const struct options *options = progress->options;
    int64_t started_ms = clock_monotonic_ms();
    arena_init(&arena, DUE_MAX_BYTES);
    enum status result = fetcher_due(fetcher, options->host, &arena, &list);
    if (result == STATUS_OK && options->dry_run) {
        say_due(options, &list);
    } else if (result == STATUS_OK) {
        progress->due = list.count;
        progress->on_terminal = isatty(STDERR_FILENO);
        result = fetcher_round(fetcher, &list, &totals);
        if (progress->on_terminal && list.count > 0)
            fputc('\n', stderr);
        say_totals(options, &totals, clock_monotonic_ms() - started_ms);
    }
    arena_release(&arena);
    return result;
}

static int once(struct fetcher *fetcher, struct progress *progress)
{
    enum status result = do_round(fetcher, progress);
    if (result != STATUS_OK)
        log_line(LEVEL_ERROR, NULL, "could not go on: %s", status_text(result));
    return result == STATUS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int loop(struct fetcher *fetcher, bool listens)
{
    log_line(LEVEL_INFO, NULL, listens ? "fetching, and serving workers" : "fetching what is due");
    fetcher_run(fetcher);
    log_line(LEVEL_INFO, NULL, "stopped");
    return EXIT_SUCCESS;
}

static bool is_listening(int fd)
{
    int listens = 0;
    socklen_t size = sizeof listens;
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens;
}

static int run(const struct options *options, const struct settings *settings,
               const struct secret_box *secret_box)
{
    struct fetcher *fetcher = NULL;
    struct progress progress = {.options = options};
    bool is_loop = options->loop && !options->dry_run;
    int listen_fd = program_listen_fd();
    bool listens = is_loop && is_listening(listen_fd);
    int status = EXIT_FAILURE;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    if (is_loop)
        metrics_open(settings->run_dir, PROGRAM_FETCHER);
    enum status result = fetcher_new(&fetcher, settings, secret_box, listens ? listen_fd : -1,
                                     is_loop && !options->verbose ? NULL : report, &progress);
    if (result != STATUS_OK)
        log_line(LEVEL_ERROR, NULL, "can't start: %s", status_text(result));
    else
        status = is_loop ? loop(fetcher, listens) : once(fetcher, &progress);
    fetcher_free(fetcher);
    metrics_close();
    curl_global_cleanup();
    return status;
}

/* Rotation of the secret: every key that the old one opens is sealed with that of UPBEAT_SECRET_FILE. */
static int reseal(const struct settings *settings, const struct secret_box *secret_box,
                  const char *old_secret_file)
{
    enum { RESEAL_MS = 600000 };
    struct secret_box old;
    struct database *database = NULL;
    const char *why = "";
    size_t resealed = 0;
    size_t left = 0;
    size_t channels = 0;
    size_t channels_left = 0;
    if (secret_box_init(&old, old_secret_file, &why) != STATUS_OK) {
        log_line(LEVEL_ERROR, NULL, "the old secret %s %s", old_secret_file, why);
        return EXIT_SETTINGS;
    }
    enum status result = database_new(&database, settings->database, ROLE_FETCH, settings->prepare);
    if (result == STATUS_OK) {
        database_be_patient(database);
        result = keys_reseal(database, &old, secret_box, deadline_in(RESEAL_MS), &resealed, &left);
    }
    if (result == STATUS_OK)
        result = alerts_reseal(database, &old, secret_box, deadline_in(RESEAL_MS), &channels, &channels_left);
    if (result == STATUS_OK)
        printf("%zu keys sealed anew, %zu left as they were\n", resealed, left);
    if (result == STATUS_OK && channels + channels_left > 0)
        printf("%zu channels of alerts sealed anew, %zu left as they were\n", channels, channels_left);
    if (result != STATUS_OK)
        log_line(LEVEL_ERROR, NULL, "keys could not be sealed anew: %s", status_text(result));
    database_free(database);
    secret_box_release(&old);
    return result == STATUS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct options options = {0};
    struct settings settings;
    struct secret_box secret_box;
    int status = read_options(argc, argv, &options);
    if (status >= 0)
        return status;
    program_forbid_cores();
    status = program_read_settings(&settings, &secret_box);
    if (status != EXIT_SUCCESS)
        return status;
    (void)setpriority(PRIO_PROCESS, 0, BESIDE_WORKERS);
    if (options.old_secret_file)
        status = reseal(&settings, &secret_box, options.old_secret_file);
    else if (!options.check)
        status = run(&options, &settings, &secret_box);
    secret_box_release(&secret_box);
    return status;
}
