#include "base/settings.h"

#include "base/networks.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <strings.h>
#include <unistd.h>

enum setting_type {
    TYPE_TEXT,
    TYPE_NAMES,
    TYPE_INT,
    TYPE_SWITCH,
    TYPE_LEVEL,
    TYPE_URL,
    TYPE_PROXY,
    TYPE_NETWORKS
};

struct setting {
    const char *name;
    enum setting_type type;
    size_t offset; /* in struct settings */
    const char *default_value;
    int min, max;
    bool is_secret; /* may hold a password */
    const char *help;
};

#define DROP_PARAMETERS "utm_* fbclid gclid dclid msclkid mc_cid mc_eid igshid"

#define AT(field) offsetof(struct settings, field)

static const struct setting TABLE[] = {
    {"UPBEAT_DATABASE", TYPE_TEXT, AT(database), "", 0, 0, true,
     "libpq connection string or URI; empty: libpq's own PG... variables"},
    {"UPBEAT_DATABASE_READ", TYPE_TEXT, AT(database_read), "", 0, 0, true,
     "libpq connection string or URI of standbys, for reports and, where they keep up, for look-ups; empty: "
     "none"},
    {"CHARTBEAT_URL", TYPE_URL, AT(chartbeat_url), "https://api.chartbeat.com/live/toppages/v3/", 0, 0, true,
     "scheme, host and path of the list of top pages, v3 or legacy"},
    {"SSL_CERT_FILE", TYPE_TEXT, AT(ca_file), "", 0, 0, false,
     "certificates to trust for Chartbeat, as of a company's proxy; empty: the system's"},
    {"CHARTBEAT_LIMIT", TYPE_INT, AT(chartbeat_limit), "100", 1, 10000, false, "pages to ask for"},
    {"UPBEAT_DROP_PARAMETERS", TYPE_NAMES, AT(drop_parameters), DROP_PARAMETERS, 0, 0, false,
     "parameters of a page's address that do not make it another page"},
    {"UPBEAT_TTL_MS", TYPE_INT, AT(ttl_ms), "3000", 100, 60000, false,
     "within it nobody asks Chartbeat again"},
    {"UPBEAT_WAIT_MS", TYPE_INT, AT(wait_ms), "300", 0, 2500, false,
     "a request waits so long for a refresh of a row older than the TTL; 0: it is answered at once"},
    {"UPBEAT_STALE_MS", TYPE_INT, AT(stale_ms), "10000", 100, 600000, false,
     "up to this age: served when the wait for a refresh is over"},
    {"UPBEAT_STALE_ERROR_MS", TYPE_INT, AT(stale_error_ms), "300000", 100, 300000, false,
     "up to this age: served while Chartbeat can't be had"},
    {"UPBEAT_UPSTREAM_TIMEOUT_MS", TYPE_INT, AT(upstream_timeout_ms), "3000", 50, 4000, false,
     "of one request to Chartbeat, in all"},
    {"UPBEAT_DEADLINE_MS", TYPE_INT, AT(deadline_ms), "4500", 1000, 5000, false,
     "of one request to us, in all"},
    {"UPBEAT_WORKERS", TYPE_INT, AT(workers), "2", 1, 256, false, "in one pool"},
    {"UPBEAT_WAITING_MAX", TYPE_INT, AT(waiting_max), "1000", 1, SETTINGS_WAITING_MAX, false,
     "requests that wait for a refresh, in one worker"},
    {"UPBEAT_RATE_PER_MINUTE", TYPE_INT, AT(rate_per_minute), "200", 3, 60000, false,
     "requests to Chartbeat per host"},
    {"UPBEAT_PREPARE", TYPE_SWITCH, AT(prepare), "on", 0, 0, false,
     "named prepared statements; off behind PgBouncer in transaction mode"},
    {"UPBEAT_SECRET_FILE", TYPE_TEXT, AT(secret_file), "/etc/upbeat/secret", 0, 0, false,
     "file of 32 to 4096 bytes, mode 0600, under which API keys are sealed"},
    {"UPBEAT_RUN_DIR", TYPE_TEXT, AT(run_dir), "/run/upbeat", 0, 0, false,
     "folder for the sockets, and in its folder metrics for what the programs count"},
    {"UPBEAT_FETCH_SOCKET", TYPE_TEXT, AT(fetch_socket), "", 0, 0, false,
     "unix socket on which workers ask the fetcher; empty: fetch.sock in UPBEAT_RUN_DIR"},
    {"UPBEAT_CONNECTIONS", TYPE_INT, AT(connections), "64", 1, 256, false,
     "requests of a fetcher to Chartbeat at a time"},
    {"UPBEAT_KEEP_RAW_HOURS", TYPE_INT, AT(keep_raw_hours), "24", 1, 8784, false,
     "snapshots are dropped after, by whole days"},
    {"UPBEAT_KEEP_MINUTES_DAYS", TYPE_INT, AT(keep_minute_days), "14", 1, 3660, false,
     "one-minute means are dropped after, by whole days"},
    {"UPBEAT_KEEP_QUARTERS_MONTHS", TYPE_INT, AT(keep_quarter_months), "13", 1, 1200, false,
     "roll-ups of 15 minutes are dropped after, by whole months"},
    {"UPBEAT_SITE_METRICS", TYPE_SWITCH, AT(site_metrics), "off", 0, 0, false,
     "/metrics tells the visitors of each host, and what is usual for it"},
    {"UPBEAT_ALERT_EVERY_MS", TYPE_INT, AT(alert_every_ms), "15000", 1000, 3600000, false,
     "a host with an alert rule is sampled at least so often"},
    {"UPBEAT_ALERT_ALLOW", TYPE_NETWORKS, AT(alert_allow), "", 0, 0, false,
     "networks that alerts may go to although they are not of the public internet, and by http"},
    {"UPBEAT_ALERT_PROXY", TYPE_PROXY, AT(alert_proxy), "", 0, 0, true,
     "proxy by which alerts reach the public internet, as http://proxy.example:3128; empty: none"},
    {"UPBEAT_SENDMAIL", TYPE_TEXT, AT(sendmail), "/usr/sbin/sendmail", 0, 0, false,
     "program that takes mail, called with -i -t"},
    {"UPBEAT_MAIL_FROM", TYPE_TEXT, AT(mail_from), "", 0, 0, false,
     "address that mail comes from; empty: as the mail program has it"},
    {"UPBEAT_BOARD_URL", TYPE_TEXT, AT(board_url), "", 0, 0, false,
     "address of the board for links in alerts, as https://upbeat.example/board/; empty: no links"},
    {"UPBEAT_LOG", TYPE_LEVEL, AT(log_level), "info", 0, 0, false, "error, warning, info or debug"},
};

static const char *const LEVELS[] = {"error", "warning", "info", "debug"};

static enum status read_int(const struct setting *row, const char *value, int *number_r)
{
    char *end = NULL;
    errno = 0;
    long number = strtol(value, &end, 10);
    /* strtol() would accept leading white space and a plus sign. */
    if (*value < '0' || *value > '9' || *end != '\0' || errno || number < row->min || number > row->max)
        return STATUS_INVALID;
    *number_r = (int)number;
    return STATUS_OK;
}

/* What stands behind http:// or https://; NULL: it begins otherwise. */
static const char *after_scheme(const char *value)
{
    return strncmp(value, "https://", 8) == 0  ? value + 8
           : strncmp(value, "http://", 7) == 0 ? value + 7
                                               : NULL;
}

static bool is_url(const char *value)
{
    const char *rest = after_scheme(value);
    if (!rest || strlen(value) > 500 || *rest == '/' || !strchr(rest, '/'))
        return false;
    for (const char *at = rest; *at; at++) {
        if ((unsigned char)*at <= ' ' || (unsigned char)*at >= 0x7f || strchr("?#@\\\"<>", *at))
            return false;
    }
    return true;
}

/* Empty, or with a port of digits at its end; libcurl alone reads the user and the password. */
static bool is_proxy(const char *value)
{
    const char *rest = after_scheme(value);
    const char *port = rest ? strrchr(rest, ':') : NULL;
    if (*value == '\0')
        return true;
    if (!port || port == rest || port[-1] == '@' || strlen(value) > 500)
        return false;
    for (const char *at = rest; *at; at++) {
        if ((unsigned char)*at <= ' ' || (unsigned char)*at >= 0x7f || strchr("/?#\\\"<>", *at))
            return false;
    }
    return port[1] != '\0' && strlen(port + 1) <= 5 && port[1 + strspn(port + 1, "0123456789")] == '\0';
}

static bool is_name_list(const char *value)
{
    enum { NAMES_MAX_BYTES = 1000 };
    for (const char *at = value; *at; at++) {
        bool is_last = at[1] == '\0' || at[1] == ' ';
        bool is_name = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') ||
                       (*at >= '0' && *at <= '9') || strchr("_.-", *at);
        if (!is_name && !(*at == '*' && is_last) && !(*at == ' ' && at > value && !is_last))
            return false;
    }
    return strlen(value) <= NAMES_MAX_BYTES;
}

static int index_of(const char *value, const char *const *names, int count)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(value, names[i]) == 0)
            return i;
    }
    return -1;
}

static void say_range(const struct setting *row, struct buffer *out)
{
    switch (row->type) {
    case TYPE_INT:
        buffer_append_format(out, "a whole number from %d to %d", row->min, row->max);
        break;
    case TYPE_SWITCH:
        buffer_append_text(out, "on or off");
        break;
    case TYPE_LEVEL:
        buffer_append_text(out, "one of error, warning, info, debug");
        break;
    case TYPE_URL:
        buffer_append_text(out, "http(s)://HOST[:PORT]/PATH without user, query or fragment");
        break;
    case TYPE_PROXY:
        buffer_append_text(out, "http(s)://[USER:PASSWORD@]HOST:PORT, or empty");
        break;
    case TYPE_NAMES:
        buffer_append_text(
            out,
            "names of letters, digits, _ . and -, some with a * at the end, a space between them, or empty");
        break;
    case TYPE_NETWORKS:
        buffer_append_text(out, "networks such as 127.0.0.0/8, with spaces between them, or empty");
        break;
    case TYPE_TEXT:
        buffer_append_text(out, "text");
        break;
    }
}

static enum status read_row(const struct setting *row, const char *value, struct settings *settings)
{
    static const char *const switches[] = {"off", "on"};
    char *at = (char *)settings + row->offset;
    struct networks networks;
    int index = 0;
    switch (row->type) {
    case TYPE_INT:
        return read_int(row, value, (int *)(void *)at);
    case TYPE_SWITCH:
        index = index_of(value, switches, 2);
        *(bool *)(void *)at = index > 0;
        break;
    case TYPE_LEVEL:
        index = index_of(value, LEVELS, 4);
        *(enum log_level *)(void *)at = index < 0 ? LEVEL_INFO : (enum log_level)index;
        break;
    case TYPE_URL:
        index = is_url(value) ? 0 : -1;
        *(const char **)(void *)at = value;
        break;
    case TYPE_PROXY:
        index = is_proxy(value) ? 0 : -1;
        *(const char **)(void *)at = value;
        break;
    case TYPE_NAMES:
        index = is_name_list(value) ? 0 : -1;
        *(const char **)(void *)at = value;
        break;
    case TYPE_NETWORKS:
        index = networks_read(value, &networks) == STATUS_OK ? 0 : -1;
        *(const char **)(void *)at = value;
        break;
    case TYPE_TEXT:
        *(const char **)(void *)at = value;
        break;
    }
    return index < 0 ? STATUS_INVALID : STATUS_OK;
}

/* Rules between settings: a longer time limit must leave room for the shorter one that it contains. */
static enum status check_order(const struct settings *s, struct buffer *fault)
{
    if (s->stale_ms < s->ttl_ms)
        buffer_append_format(fault, "UPBEAT_STALE_MS=%d: must be at least UPBEAT_TTL_MS, which is %d",
                             s->stale_ms, s->ttl_ms);
    else if (s->stale_error_ms < s->stale_ms)
        buffer_append_format(fault, "UPBEAT_STALE_ERROR_MS=%d: must be at least UPBEAT_STALE_MS, which is %d",
                             s->stale_error_ms, s->stale_ms);
    else if (s->upstream_timeout_ms > s->deadline_ms - 500)
        buffer_append_format(
            fault,
            "UPBEAT_UPSTREAM_TIMEOUT_MS=%d: must be at least 500 below UPBEAT_DEADLINE_MS, which is %d",
            s->upstream_timeout_ms, s->deadline_ms);
    else
        return STATUS_OK;
    return STATUS_INVALID;
}

enum status settings_read(struct settings *settings_r, struct buffer *fault)
{
    struct settings settings = {0};
    for (size_t i = 0; i < sizeof TABLE / sizeof *TABLE; i++) {
        const struct setting *row = &TABLE[i];
        const char *value = getenv(row->name);
        if (!value || (*value == '\0' && row->type != TYPE_TEXT && row->type != TYPE_NAMES &&
                       row->type != TYPE_PROXY && row->type != TYPE_NETWORKS))
            value = row->default_value;
        if (read_row(row, value, &settings) == STATUS_OK)
            continue;
        buffer_append_format(fault, "%s=%.80s: must be ", row->name, row->is_secret ? "(not shown)" : value);
        say_range(row, fault);
        return STATUS_INVALID;
    }
    enum status result = check_order(&settings, fault);
    if (result == STATUS_OK)
        *settings_r = settings;
    return result;
}

void settings_help(struct buffer *out)
{
    for (size_t i = 0; i < sizeof TABLE / sizeof *TABLE; i++) {
        const struct setting *row = &TABLE[i];
        buffer_append_format(out, "  %s=%s\n      %s; ", row->name, row->default_value, row->help);
        say_range(row, out);
        buffer_append_char(out, '\n');
    }
}

void settings_fetch_socket(const struct settings *settings, char *path_r, size_t path_bytes)
{
    if (*settings->fetch_socket)
        snprintf(path_r, path_bytes, "%s", settings->fetch_socket);
    else
        snprintf(path_r, path_bytes, "%s/fetch.sock", settings->run_dir);
}

const char *settings_database(void)
{
    const char *value = getenv("UPBEAT_DATABASE");
    return value ? value : "";
}

const char *settings_database_owner(void)
{
    const char *value = getenv("UPBEAT_DATABASE_OWNER");
    return value && *value ? value : settings_database();
}

const char *settings_drop_parameters(void)
{
    const char *value = getenv("UPBEAT_DROP_PARAMETERS");
    return value ? value : DROP_PARAMETERS;
}

const char *settings_notify_socket(void)
{
    return getenv("NOTIFY_SOCKET");
}

int settings_listen_fds(void)
{
    const char *count = getenv("LISTEN_FDS");
    const char *pid = getenv("LISTEN_PID");
    long fds = count && pid && strtol(pid, NULL, 10) == getpid() ? strtol(count, NULL, 10) : 0;
    return fds > 0 && fds < 100 ? (int)fds : 0;
}

int settings_watchdog_ms(void)
{
    const char *period = getenv("WATCHDOG_USEC");
    const char *pid = getenv("WATCHDOG_PID");
    if (!period || (pid && strtol(pid, NULL, 10) != getpid()))
        return 0;
    long long period_ms = strtoll(period, NULL, 10) / 1000;
    return period_ms < 0 ? 0 : period_ms > INT_MAX ? INT_MAX : (int)period_ms;
}
