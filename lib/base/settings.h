/* The settings of the programs, read from the environment. Each setting is a row of one table in settings.c.
 * No other module reads the environment. */
#ifndef UPBEAT_BASE_SETTINGS_H
#define UPBEAT_BASE_SETTINGS_H

#include "base/buffer.h"
#include "base/log.h"
#include "base/status.h"
#include <stdbool.h>

enum { SETTINGS_WAITING_MAX = 4000 }; /* of UPBEAT_WAITING_MAX */

/* Strings point into the environment, which nobody changes while we run. */
struct settings {
    const char *database;      /* libpq connection string or URI; "" leaves all to libpq's PG... variables */
    const char *database_read; /* of standbys, for what only reads; "": all reads go to `database` */
    const char *chartbeat_url; /* scheme, host and path */
    const char *ca_file;       /* certificates to trust for Chartbeat; "": the system's */
    const char *secret_file;
    const char *run_dir;         /* where the sockets are */
    const char *fetch_socket;    /* "": see settings_fetch_socket() */
    int chartbeat_limit;         /* pages asked for */
    const char *drop_parameters; /* names of query parameters that do not tell pages apart, see page_path.h */
    int ttl_ms;
    int wait_ms; /* for a refresh, before a row is served that is older than the TTL */
    int stale_ms;
    int stale_error_ms;
    int upstream_timeout_ms;
    int deadline_ms; /* of one request, in all */
    int workers;
    int waiting_max;     /* requests that wait for a refresh, in one worker; at most SETTINGS_WAITING_MAX */
    int rate_per_minute; /* requests to Chartbeat per host */
    bool prepare;        /* named prepared statements; off behind PgBouncer in transaction mode */
    bool site_metrics;   /* /metrics tells the visitors of each host */
    enum log_level log_level;
    int connections; /* of a fetcher to Chartbeat, at a time */
    int keep_raw_hours;
    int keep_minute_days;
    int keep_quarter_months;
    int alert_every_ms;      /* between samples of a host with an alert rule, at most */
    const char *alert_allow; /* networks, see networks_read() */
    const char *alert_proxy; /* of HTTP, may hold a password; "": none */
    const char *sendmail;
    const char *mail_from; /* "": as sendmail has it */
    const char *board_url; /* "": not known */
};

/* Reads and checks every setting. On STATUS_INVALID `fault` has one line "NAME=value: why, with the range",
 * and *settings_r is untouched. Values of settings that may hold a password are never in the line. */
enum status settings_read(struct settings *settings_r, struct buffer *fault) MUST_CHECK;

/* The path of the fetcher's socket: UPBEAT_FETCH_SOCKET, or else fetch.sock in UPBEAT_RUN_DIR; cut to
 * path_bytes. */
void settings_fetch_socket(const struct settings *settings, char *path_r, size_t path_bytes);

/* UPBEAT_DATABASE, for a program that needs no other setting; "" where it is not set. */
const char *settings_database(void);

/* UPBEAT_DATABASE_OWNER, or UPBEAT_DATABASE where that is not set, for a program that runs as the owner. */
const char *settings_database_owner(void);

/* UPBEAT_DROP_PARAMETERS alone, unchecked, or its default. */
const char *settings_drop_parameters(void);

/* Where systemd wants to be told that the program is ready and alive: a path, or '@' and an abstract name;
 * NULL where nobody does. */
const char *settings_notify_socket(void);

/* How many listening sockets systemd has handed to this process, from descriptor 3 on (sd_listen_fds(3)); 0:
 * it was not systemd that did so. */
int settings_listen_fds(void);

/* Within how many milliseconds systemd wants to hear of this process again, before it kills it; 0: it does
 * not watch this process. */
int settings_watchdog_ms(void);

/* Appends for each setting its name, default, meaning and range, as --help shows them. */
void settings_help(struct buffer *out);

#endif
