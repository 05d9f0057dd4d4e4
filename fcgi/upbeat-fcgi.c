/* The worker: settings, secret, no core files, then serve until told to stop. */
#include "base/log.h"
#include "base/secret_box.h"
#include "base/settings.h"
#include "program.h"
#include "store/keys.h"
#include "store/store.h"
#include "worker.h"

#include <curl/curl.h>
#include <errno.h>
#include <unistd.h>

static int say_help(void)
{
    struct buffer text;
    buffer_init(&text, 16384);
    buffer_append_text(
        &text,
        "upbeat-fcgi " UPBEAT_VERSION ", the FastCGI worker of upbeat\n\n"
        "  spawn-fcgi -n -s SOCKET -M 0660 -- multiwatch -r 1000000 -f WORKERS -- upbeat-fcgi\n"
        "  upbeat-fcgi --check      check the settings and end\n"
        "  upbeat-fcgi --reseal OLD_SECRET_FILE\n"
        "                           after a change of UPBEAT_SECRET_FILE: seal the stored API keys anew\n"
        "  upbeat-fcgi --help\n\nSettings, from the environment:\n");
    settings_help(&text);
    fputs(text.status == STATUS_OK ? text.data : "", stdout);
    buffer_release(&text);
    return EXIT_SUCCESS;
}

/* Rotation of the secret: every key that the old one opens is sealed with that of UPBEAT_SECRET_FILE. */
static int reseal(const struct settings *settings, const struct secret_box *secret_box,
                  const char *old_secret_file)
{
    enum { RESEAL_MS = 600000 };
    struct secret_box old;
    struct store *store = NULL;
    const struct store_config config = {settings->database, settings->ttl_ms, settings->prepare};
    const char *why = "";
    size_t resealed = 0;
    size_t left = 0;
    if (secret_box_init(&old, old_secret_file, &why) != STATUS_OK) {
        log_line(LEVEL_ERROR, NULL, "the old secret %s %s", old_secret_file, why);
        return EXIT_SETTINGS;
    }
    enum status result = store_new(&store, &config);
    if (result == STATUS_OK)
        result =
            keys_reseal(store_database(store), &old, secret_box, deadline_in(RESEAL_MS), &resealed, &left);
    if (result == STATUS_OK)
        printf("%zu keys sealed anew, %zu left as they were\n", resealed, left);
    else
        log_line(LEVEL_ERROR, NULL, "keys could not be sealed anew: %s", status_text(result));
    store_free(store);
    secret_box_release(&old);
    return result == STATUS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int serve(const struct settings *settings, const struct secret_box *secret_box)
{
    struct worker *worker = NULL;
    enum status result = worker_new(&worker, STDIN_FILENO, settings, secret_box);
    if (result == STATUS_INVALID)
        log_line(LEVEL_ERROR, NULL, "descriptor 0 is no listening socket: start it with spawn-fcgi");
    else if (result != STATUS_OK)
        log_line(LEVEL_ERROR, NULL, "can't start: %s; UPBEAT_RUN_DIR=%s: %s", status_text(result),
                 settings->run_dir, strerror(errno));
    if (result != STATUS_OK)
        return EXIT_FAILURE;
    log_line(LEVEL_INFO, NULL, "serving");
    result = worker_run(worker);
    if (result != STATUS_OK)
        log_line(LEVEL_ERROR, NULL, "stopped: %s", strerror(errno));
    else
        log_line(LEVEL_INFO, NULL, "drained");
    worker_free(worker);
    return result == STATUS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct settings settings;
    struct secret_box secret_box;
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return say_help();
    bool check_only = argc == 2 && strcmp(argv[1], "--check") == 0;
    const char *old_secret_file = argc == 3 && strcmp(argv[1], "--reseal") == 0 ? argv[2] : NULL;
    if (argc > 1 && !check_only && !old_secret_file) {
        fputs("upbeat-fcgi: takes --help, --check or --reseal OLD_SECRET_FILE\n", stderr);
        return EXIT_SETTINGS;
    }
    program_forbid_cores();
    int status = program_read_settings(&settings, &secret_box);
    if (status != EXIT_SUCCESS || check_only)
        return status;
    if (old_secret_file) {
        status = reseal(&settings, &secret_box, old_secret_file);
    } else {
        curl_global_init(CURL_GLOBAL_DEFAULT);
        status = serve(&settings, &secret_box);
        curl_global_cleanup();
    }
    secret_box_release(&secret_box);
    return status;
}
