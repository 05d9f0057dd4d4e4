#include "program.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    HELP_MAX_BYTES = 16 * 1024,
    ALIVE_SHARE = 4, /* of the watchdog's period: between two signs of life */
};

static volatile sig_atomic_t stop_asked;
static int watchdog_ms; /* 0: nobody watches */
static int64_t alive_again_ms;

int program_say_help(const char *text)
{
    struct buffer help;
    buffer_init(&help, HELP_MAX_BYTES);
    buffer_append_text(&help, text);
    settings_help(&help);
    fputs(help.status == STATUS_OK ? help.data : "", stdout);
    buffer_release(&help);
    return EXIT_SUCCESS;
}

static const struct program_flag *find_flag(const struct program_flag *flags, const char *word)
{
    for (; flags->name; flags++) {
        if (strncmp(word, "--", 2) == 0 && strcmp(word + 2, flags->name) == 0)
            return flags;
    }
    return NULL;
}

int program_read_flags(int argc, char **argv, const struct program_flag *flags, int (*say_help)(void))
{
    for (int i = 1; i < argc; i++) {
        const struct program_flag *flag = find_flag(flags, argv[i]);
        if (!flag && strcmp(argv[i], "--help") == 0)
            return say_help();
        if (!flag) {
            fprintf(stderr, "%s: %s: %s; see --help\n", program_invocation_short_name, argv[i],
                    argv[i][0] == '-' ? "no such option" : "takes options only");
            return EXIT_SETTINGS;
        }
        *flag->is_set = true;
    }
    return -1;
}

static void ask_stop(int number)
{
    (void)number;
    stop_asked = 1;
}

void program_catch_stops(void)
{
    struct sigaction action = {.sa_handler = ask_stop};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
    action.sa_handler = SIG_DFL; /* where the parent ignores it, so would we, and know no child's end */
    sigaction(SIGCHLD, &action, NULL);
}

bool program_must_stop(void)
{
    return stop_asked;
}

int program_listen_fd(void)
{
    enum { SYSTEMD_FIRST_FD = 3 };
    return settings_listen_fds() > 0 ? SYSTEMD_FIRST_FD : STDIN_FILENO;
}

/* The protocol of sd_notify(3): one datagram a message. A message that can't be sent is left out, since the
 * service goes on without systemd. */
static void notify(const char *message)
{
    const char *path = settings_notify_socket();
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = path ? strlen(path) : 0;
    if (len < 2 || len >= sizeof address.sun_path || (*path != '/' && *path != '@'))
        return;
    memcpy(address.sun_path, path, len);
    if (*path == '@')
        address.sun_path[0] = '\0'; /* an abstract name */
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    (void)sendto(fd, message, strlen(message), MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&address,
                 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
    close(fd);
}

void program_say_ready(void)
{
    watchdog_ms = settings_watchdog_ms();
    notify("READY=1");
}

void program_say_alive(void)
{
    if (watchdog_ms == 0)
        return;
    int64_t now_ms = clock_monotonic_ms();
    if (now_ms < alive_again_ms)
        return;
    alive_again_ms = now_ms + watchdog_ms / ALIVE_SHARE;
    notify("WATCHDOG=1");
}

int program_wait_ms(int max_ms)
{
    int alive_ms = watchdog_ms / ALIVE_SHARE;
    return watchdog_ms == 0 || (max_ms >= 0 && max_ms < alive_ms) ? max_ms : alive_ms;
}

/* The leak sanitizer traces its own process, so it needs the right to. */
void program_forbid_cores(void)
{
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
#ifndef __SANITIZE_ADDRESS__
    prctl(PR_SET_DUMPABLE, 0);
#endif
}

int program_read_settings(struct settings *settings, struct secret_box *secret_box)
{
    struct buffer fault;
    const char *why = "";
    buffer_init(&fault, 1024);
    enum status result = settings_read(settings, &fault);
    if (result == STATUS_OK)
        log_set_level(settings->log_level);
    if (result == STATUS_OK && secret_box) {
        result = secret_box_init(secret_box, settings->secret_file, &why);
        if (result != STATUS_OK)
            buffer_append_format(&fault, "UPBEAT_SECRET_FILE=%s: %s", settings->secret_file, why);
    }
    if (result != STATUS_OK)
        log_line(LEVEL_ERROR, NULL, "%s", fault.data ? fault.data : status_text(result));
    buffer_release(&fault);
    return result == STATUS_OK ? EXIT_SUCCESS : EXIT_SETTINGS;
}

void program_allow_descriptors(void)
{
    enum { DESCRIPTORS = 8192 };
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= DESCRIPTORS)
        return;
    limit.rlim_cur = limit.rlim_max < DESCRIPTORS ? limit.rlim_max : DESCRIPTORS;
    setrlimit(RLIMIT_NOFILE, &limit);
}
