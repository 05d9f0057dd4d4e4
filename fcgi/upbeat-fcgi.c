/* The worker: settings, secret, no core files, then serve until told to stop. */
#include "keyring.h"
#include "log.h"
#include "program.h"
#include "server.h"
#include "settings.h"
#include "store.h"

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
    fputs(text.status == UP_OK ? text.data : "", stdout);
    buffer_release(&text);
    return EXIT_SUCCESS;
}

/* Rotation of the secret: every key that the old one opens is sealed with that of UPBEAT_SECRET_FILE. */
static int reseal(const struct settings *settings, const struct keyring *keyring, const char *old_secret_file)
{
    enum { RESEAL_MS = 600000 };
    struct keyring old;
    struct store *store = NULL;
    const struct store_config config = {settings->database, settings->ttl_ms, settings->prepare};
    const char *why = "";
    size_t resealed = 0;
    size_t left = 0;
    if (keyring_init(&old, old_secret_file, &why) != UP_OK) {
        log_line(LOG_ERROR, NULL, "the old secret %s %s", old_secret_file, why);
        return EXIT_SETTINGS;
    }
    enum up_result result = store_new(&store, &config);
    if (result == UP_OK)
        result = store_reseal(store, &old, keyring, deadline_in(RESEAL_MS), &resealed, &left);
    if (result == UP_OK)
        printf("%zu keys sealed anew, %zu left as they were\n", resealed, left);
    else
        log_line(LOG_ERROR, NULL, "keys could not be sealed anew: %s", result_text(result));
    store_free(store);
    keyring_release(&old);
    return result == UP_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int serve(const struct settings *settings, const struct keyring *keyring)
{
    struct server *server = NULL;
    enum up_result result = server_new(&server, STDIN_FILENO, settings, keyring);
    if (result == UP_INVALID)
        log_line(LOG_ERROR, NULL, "descriptor 0 is no listening socket: start it with spawn-fcgi");
    else if (result != UP_OK)
        log_line(LOG_ERROR, NULL, "can't start: %s; UPBEAT_RUN_DIR=%s: %s", result_text(result),
                 settings->run_dir, strerror(errno));
    if (result != UP_OK)
        return EXIT_FAILURE;
    log_line(LOG_INFO, NULL, "serving");
    result = server_run(server);
    if (result != UP_OK)
        log_line(LOG_ERROR, NULL, "stopped: %s", strerror(errno));
    else
        log_line(LOG_INFO, NULL, "drained");
    server_free(server);
    return result == UP_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct settings settings;
    struct keyring keyring;
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return say_help();
    bool check_only = argc == 2 && strcmp(argv[1], "--check") == 0;
    const char *old_secret_file = argc == 3 && strcmp(argv[1], "--reseal") == 0 ? argv[2] : NULL;
    if (argc > 1 && !check_only && !old_secret_file) {
        fputs("upbeat-fcgi: takes --help, --check or --reseal OLD_SECRET_FILE\n", stderr);
        return EXIT_SETTINGS;
    }
    program_forbid_cores();
    int status = program_read_settings(&settings, &keyring);
    if (status != EXIT_SUCCESS || check_only)
        return status;
    if (old_secret_file) {
        status = reseal(&settings, &keyring, old_secret_file);
    } else {
        curl_global_init(CURL_GLOBAL_DEFAULT);
        status = serve(&settings, &keyring);
        curl_global_cleanup();
    }
    keyring_release(&keyring);
    return status;
}
