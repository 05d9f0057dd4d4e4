/* The worker: settings, no core files, then serve until told to stop. It reads no secret, and knows no key
 * but those that clients send. */
#include "base/log.h"
#include "base/metrics.h"
#include "base/settings.h"
#include "db/database.h"
#include "program.h"
#include "worker.h"

#include <errno.h>

static int say_help(void)
{
    return program_say_help(
        "upbeat-fcgi " UPBEAT_VERSION ", the FastCGI worker of upbeat\n\n"
        "  spawn-fcgi -n -s SOCKET -M 0660 -- multiwatch -r 1000000 -f WORKERS -- upbeat-fcgi\n"
        "  upbeat-fcgi --check      check the settings and end\n"
        "  upbeat-fcgi --help\n\nSettings, from the environment:\n");
}

static int serve(const struct settings *settings)
{
    struct worker *worker = NULL;
    enum status result = worker_new(&worker, program_listen_fd(), settings);
    if (result == STATUS_INVALID)
        log_line(LEVEL_ERROR, NULL,
                 "descriptor 0 is no listening socket: start it with spawn-fcgi, or by a socket of systemd");
    else if (result != STATUS_OK)
        log_line(LEVEL_ERROR, NULL, "can't start: %s: %s", status_text(result), strerror(errno));
    if (result != STATUS_OK)
        return EXIT_FAILURE;
    metrics_open(settings->run_dir, PROGRAM_WORKER);
    log_line(LEVEL_INFO, NULL, "serving");
    result = worker_run(worker);
    if (result != STATUS_OK)
        log_line(LEVEL_ERROR, NULL, "stopped: %s", strerror(errno));
    else
        log_line(LEVEL_INFO, NULL, "drained");
    worker_free(worker);
    metrics_close();
    return result == STATUS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* A server that is not there is looked for until it is; a string that nobody can read never gets better. */
static int check_strings(const struct settings *settings)
{
    bool is_good = database_is_conninfo(settings->database);
    if (is_good && database_is_conninfo(settings->database_read))
        return EXIT_SUCCESS;
    log_line(LEVEL_ERROR, NULL, "%s=(not shown): must be a connection string or URI that libpq can read",
             is_good ? "UPBEAT_DATABASE_READ" : "UPBEAT_DATABASE");
    return EXIT_SETTINGS;
}

int main(int argc, char **argv)
{
    struct settings settings;
    bool check_only = false;
    const struct program_flag flags[] = {{"check", &check_only}, {NULL, NULL}};
    int status = program_read_flags(argc, argv, flags, say_help);
    if (status >= 0)
        return status;
    program_forbid_cores();
    program_allow_descriptors();
    status = program_read_settings(&settings, NULL);
    if (status == EXIT_SUCCESS)
        status = check_strings(&settings);
    return status != EXIT_SUCCESS || check_only ? status : serve(&settings);
}
