/* View tokens from the command line: add, list, show, revoke, rotate; and the API keys of hosts. A token is
 * printed once, where it is made; the database knows its digest alone. A key goes to the fetcher, which asks
 * Chartbeat whether it is good and seals it: this program has no secret. */
#include "base/buffer.h"
#include "base/duration.h"
#include "base/log.h"
#include "base/timestamp.h"
#include "base/token.h"
#include "base/utf8.h"
#include "program.h"
#include "refresh/client.h"
#include "store/roles.h"
#include "store/tokens.h"
#include "table.h"

#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

enum {
    EXIT_USAGE = 2,
    DATABASE_MS = 10000,
    FETCHER_MS = 10000, /* a key is checked at Chartbeat meanwhile */
    HOSTS_MAX = 100,
    LISTS_MAX_BYTES = HOSTS_MAX * (HOST_MAX_BYTES + 1),
    NOTE_MAX_BYTES = 200,
    ROWS_MAX = 10000,
};

struct options {
    struct token_grant grant;
    char hosts[LISTS_MAX_BYTES];
    int64_t overlap_ms;
    const char *argument; /* behind the command: the number of a token, or add or remove */
    const char *host;     /* of key */
};

static int usage(const char *why)
{
    fprintf(stderr, "upbeat-token: %s; see --help\n", why);
    return EXIT_USAGE;
}

static int fail(const char *why)
{
    fprintf(stderr, "upbeat-token: %s\n", why);
    return EXIT_FAILURE;
}

static int fail_with(enum status status)
{
    switch (status) {
    case STATUS_INVALID:
        return fail("there is no valid token of this number");
    case STATUS_UNREACHABLE:
    case STATUS_TIMEOUT:
        return fail("the database can't be reached");
    default:
        return fail("the database refused it");
    }
}

static int say_help(void)
{
    fputs("upbeat-token " UPBEAT_VERSION ", view tokens in place of Chartbeat's API keys\n\n"
          "  upbeat-token add --host H[,H2...] --note TEXT [options]   makes a token and prints it, once\n"
          "  upbeat-token list\n"
          "  upbeat-token show ID\n"
          "  upbeat-token revoke ID                   takes it away; within 5 s it is refused\n"
          "  upbeat-token rotate ID [--overlap 24h]   makes another one in its place; it expires after the "
          "overlap\n"
          "  upbeat-token key add HOST < FILE         gives a host its API key, once Chartbeat has accepted "
          "it\n"
          "  upbeat-token key remove HOST             takes the keys of a host away\n\n"
          "Options of add:\n"
          "  --may list         list: /increasingconcurrents and /pages; board: what the board asks for;\n"
          "                     box: the list for readers, without numbers; all\n"
          "  --limit N          rows of an answer at most\n"
          "  --fields i,path    fields of a row: i, path, visitors, change; with --may list\n"
          "  --origins https://news.example[,...]   pages that browsers let read the answers\n"
          "  --until 2027-06-30 expires at the beginning of that day, UTC, or at a time as "
          "2027-06-30T12:00Z\n\n"
          "UPBEAT_DATABASE names the database. key add reads the other settings, too, to find the fetcher.\n",
          stdout);
    return EXIT_SUCCESS;
}

/* --- Options
 * ------------------------------------------------------------------------------------------------
 */

/* NULL, or what is wrong. The names are written to options->hosts in lower case. */
static const char *read_hosts(const char *text, struct options *options)
{
    char *end = options->hosts;
    int count = 0;
    for (const char *at = text;; at++) {
        size_t len = strcspn(at, ",");
        const char *why = "is no host name";
        if (++count > HOSTS_MAX)
            return "--host takes 100 hosts at most";
        if (validate_host(at, len, end, &why) != STATUS_OK)
            return "--host must be host names with commas between them";
        at += len;
        end += len;
        if (!*at)
            return NULL;
        *end++ = ',';
    }
}

/* As a browser writes it: scheme, host in lower case, maybe a port, and nothing more. */
static bool is_origin(const char *text, size_t len_bytes)
{
    char host[HOST_MAX_BYTES + 1];
    const char *why = NULL;
    size_t scheme = strncmp(text, "https://", 8) == 0 ? 8 : strncmp(text, "http://", 7) == 0 ? 7 : 0;
    const char *name = text + scheme;
    size_t name_bytes = len_bytes - scheme;
    const char *port = name_bytes > 0 ? memchr(name, ':', name_bytes) : NULL;
    size_t host_bytes = port ? (size_t)(port - name) : name_bytes;
    size_t digits = port ? strspn(port + 1, "0123456789") : 1;
    if (scheme == 0 || len_bytes <= scheme || memchr(name, '@', name_bytes) ||
        validate_host(name, host_bytes, host, &why) != STATUS_OK || memcmp(host, name, host_bytes) != 0)
        return false;
    return digits >= 1 && digits <= 5 && (!port || host_bytes + 1 + digits == name_bytes);
}

static const char *check_origins(const char *text)
{
    for (const char *at = text;; at++) {
        size_t len = strcspn(at, ",");
        if (!is_origin(at, len))
            return "--origins must be as https://news.example or http://127.0.0.1:8080, with commas between "
                   "them";
        at += len;
        if (!*at)
            return NULL;
    }
}

static const char *read_number(const char *text, int most, int *number_r)
{
    char *end = NULL;
    long number = strtol(text, &end, 10);
    if (end == text || *end || number < 1 || number > most)
        return "must be a whole number from 1";
    *number_r = (int)number;
    return NULL;
}

static const char *read_until(const char *text, time_us *until_r)
{
    struct timestamp until = {0};
    const char *why = NULL;
    if (timestamp_parse(text, &until, &why) != STATUS_OK)
        return "--until must be a date as 2027-06-30, or a time as 2027-06-30T12:00Z";
    if (until.at <= clock_wall_ms() * 1000)
        return "--until is in the past";
    *until_r = until.at;
    return NULL;
}

/* NULL, or what is wrong. */
static const char *read_option(int option, const char *value, struct options *options)
{
    struct token_grant *grant = &options->grant;
    enum token_may may = TOKEN_MAYS;
    unsigned fields = 0;
    switch (option) {
    case 'h':
        grant->hosts = options->hosts;
        return read_hosts(value, options);
    case 'm':
        grant->may = value;
        return token_may_parse(value, &may) == STATUS_OK ? NULL : "--may must be list, board, box or all";
    case 'n':
        grant->note = value;
        return *value && strlen(value) <= NOTE_MAX_BYTES && utf8_valid(value, strlen(value))
                   ? NULL
                   : "--note must be 1 to 200 bytes of text";
    case 'l':
        return read_number(value, ROWS_MAX, &grant->row_limit) ? "--limit must be 1 to 10000" : NULL;
    case 'f':
        grant->fields = value;
        return token_fields_parse(value, &fields) == STATUS_OK
                   ? NULL
                   : "--fields must be some of i,path,visitors,change";
    case 'o':
        grant->origins = value;
        return check_origins(value);
    case 'u':
        return read_until(value, &grant->until);
    default:
        return duration_parse(value, &options->overlap_ms) == STATUS_OK
                   ? NULL
                   : "--overlap must be as 90s, 30m, 24h or 7d";
    }
}

/* -1: go on; else the status to end with. */
static int read_options(int argc, char **argv, struct options *options)
{
    static const struct option names[] = {
        {"host", required_argument, NULL, 'h'},   {"may", required_argument, NULL, 'm'},
        {"note", required_argument, NULL, 'n'},   {"limit", required_argument, NULL, 'l'},
        {"fields", required_argument, NULL, 'f'}, {"origins", required_argument, NULL, 'o'},
        {"until", required_argument, NULL, 'u'},  {"overlap", required_argument, NULL, 'v'},
        {"help", no_argument, NULL, '?' + 1},     {0}};
    int option = 0;
    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (option == '?' + 1)
            return say_help();
        if (option == '?')
            return EXIT_USAGE;
        const char *why = read_option(option, optarg, options);
        if (why)
            return usage(why);
    }
    return -1;
}

/* --- Tokens
 * -------------------------------------------------------------------------------------------------
 */

/* False: the system has no random bytes. */
static bool make_token(char text_r[TOKEN_BYTES + 1], struct digest *digest_r)
{
    unsigned char random[TOKEN_RANDOM_BYTES];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return false;
    token_write(random, text_r);
    secret_box_wipe(random, sizeof random);
    return secret_box_digest(text_r, TOKEN_BYTES, digest_r) == STATUS_OK;
}

static int say_token(char text[TOKEN_BYTES + 1], int id)
{
    printf("%s\n", text);
    fflush(stdout);
    secret_box_wipe(text, TOKEN_BYTES);
    fprintf(stderr, "upbeat-token: this is token %d; it is not shown again\n", id);
    return ferror(stdout) ? fail("the token could not be written") : EXIT_SUCCESS;
}

static int add(struct database *database, struct options *options)
{
    char text[TOKEN_BYTES + 1];
    int id = 0;
    if (!options->grant.hosts || !options->grant.note)
        return usage("add needs --host and --note");
    if (!options->grant.may)
        options->grant.may = "list";
    if (options->grant.fields && strcmp(options->grant.may, "list") != 0)
        return usage("--fields goes with --may list alone");
    if (!make_token(text, &options->grant.digest))
        return fail("there are no random bytes");
    enum status status = tokens_add(database, &options->grant, deadline_in(DATABASE_MS), &id);
    return status == STATUS_OK ? say_token(text, id) : fail_with(status);
}

static int rotate(struct database *database, const struct options *options, int id)
{
    char text[TOKEN_BYTES + 1];
    struct digest digest;
    int new_id = 0;
    if (!make_token(text, &digest))
        return fail("there are no random bytes");
    enum status status =
        tokens_rotate(database, id, &digest, options->overlap_ms, deadline_in(DATABASE_MS), &new_id);
    return status == STATUS_OK ? say_token(text, new_id) : fail_with(status);
}

static int take_away(struct database *database, int id)
{
    enum status status = tokens_revoke(database, id, deadline_in(DATABASE_MS));
    return status == STATUS_OK ? EXIT_SUCCESS : fail_with(status);
}

static int list(struct database *database)
{
    static const struct table_column columns[] = {
        {TOKENS_ID, 6, "id"},        {TOKENS_STATE, 9, "state"},     {TOKENS_MAY, 7, "may"},
        {TOKENS_UNTIL, 19, "until"}, {TOKENS_USED, 19, "last used"}, {TOKENS_REQUESTS, 10, "requests"},
        {TOKENS_HOSTS, 26, "hosts"}, {TOKENS_NOTE, 0, "note"}};
    struct database_rows *rows = NULL;
    enum status status = tokens_read(database, 0, deadline_in(DATABASE_MS), &rows);
    if (status != STATUS_OK)
        return fail_with(status);
    table_print(rows, columns, sizeof columns / sizeof *columns);
    database_rows_free(rows);
    return EXIT_SUCCESS;
}

static int show(struct database *database, int id)
{
    static const char *const names[TOKENS_COLUMNS] = {"id",       "state",     "may",      "hosts", "limit",
                                                      "fields",   "origins",   "created",  "until", "revoked",
                                                      "replaces", "last used", "requests", "note"};
    struct database_rows *rows = NULL;
    enum status status = tokens_read(database, id, deadline_in(DATABASE_MS), &rows);
    if (status != STATUS_OK)
        return fail_with(status);
    for (int i = 0; i < TOKENS_COLUMNS; i++) {
        printf("%-10s ", names[i]);
        table_put(rows, 0, i, 0);
        putchar('\n');
    }
    database_rows_free(rows);
    return EXIT_SUCCESS;
}

/* --- Keys
 * ---------------------------------------------------------------------------------------------------
 */

static const char *words_of(enum refresh_outcome outcome)
{
    switch (outcome) {
    case REFRESH_STORED:
        return NULL;
    case REFRESH_KEY_REFUSED:
        return "Chartbeat refuses this key for this host";
    case REFRESH_BAD_KEYS:
        return "too many keys that Chartbeat does not accept were tried for this host; try again in a minute";
    case REFRESH_BACKOFF:
    case REFRESH_RATE_LIMITED:
        return "Chartbeat must not be asked for this host now; try again in a minute";
    case REFRESH_DATABASE:
        return "the database can't be reached by the fetcher";
    case REFRESH_BUSY:
        return "the fetcher has too much to do";
    default:
        return "Chartbeat could not be asked";
    }
}

/* NULL, or why the fetcher did not answer. */
static const char *ask_fetcher(struct refresh_client *client, const struct refresh_message *ask,
                               struct refresh_message *done_r)
{
    struct deadline until = deadline_in(FETCHER_MS);
    bool is_sent = false;
    while (deadline_left_ms(until) > 0) {
        int64_t now_ms = clock_monotonic_ms();
        enum client_event event = refresh_client_tend(client, is_sent, now_ms);
        if (event == CLIENT_LOST || event == CLIENT_BROKEN)
            is_sent = false;
        if (!is_sent)
            is_sent = refresh_client_send(client, ask, now_ms);
        if (refresh_client_receive(client, done_r, now_ms))
            return NULL;
        struct pollfd heard = {.fd = refresh_client_fd(client), .events = POLLIN};
        (void)poll(&heard, 1, refresh_client_timeout_ms(client, is_sent, now_ms, 100));
    }
    return is_sent ? "the fetcher does not answer" : "the fetcher can't be reached; does the service run?";
}

/* One line of standard input. NULL, or what is wrong with it, without the key. */
static const char *read_key(char key_r[KEY_MAX_BYTES + 1])
{
    char line[KEY_MAX_BYTES + 3] = "";
    const char *why = "is empty";
    size_t len = fgets(line, sizeof line, stdin) ? strcspn(line, "\r\n") : 0;
    enum status status = validate_key(line, len, &why);
    if (status == STATUS_OK && token_has_mark(line))
        why = "is a view token, and no key of Chartbeat";
    else if (status == STATUS_OK)
        why = NULL;
    memcpy(key_r, line, why ? 0 : len);
    key_r[why ? 0 : len] = '\0';
    secret_box_wipe(line, sizeof line);
    return why;
}

static int add_key(const char *host)
{
    struct settings settings;
    struct refresh_message message = {.type = REFRESH_ASK, .check = true, .has_key = true};
    struct refresh_message done = {0};
    struct refresh_client *client = NULL;
    char path[256];
    if (program_read_settings(&settings, NULL) != EXIT_SUCCESS)
        return EXIT_SETTINGS;
    const char *why = read_key(message.key);
    if (why) {
        fprintf(stderr, "upbeat-token: the key on standard input %s\n", why);
        return EXIT_FAILURE;
    }
    snprintf(message.host, sizeof message.host, "%s", host);
    settings_fetch_socket(&settings, path, sizeof path);
    if (secret_box_digest(message.key, strlen(message.key), &message.digest) != STATUS_OK ||
        refresh_client_new(&client, path) != STATUS_OK)
        why = "the path of the fetcher's socket is too long, or there is no memory";
    if (!why)
        why = ask_fetcher(client, &message, &done);
    if (!why)
        why = words_of(done.outcome);
    secret_box_wipe(&message, sizeof message);
    refresh_client_free(client);
    return why ? fail(why) : EXIT_SUCCESS;
}

static int remove_keys(struct database *database, const char *host)
{
    int removed = 0;
    enum status status = tokens_remove_keys(database, host, deadline_in(DATABASE_MS), &removed);
    if (status != STATUS_OK)
        return fail_with(status);
    if (removed == 0)
        return fail("this host has no key");
    return EXIT_SUCCESS;
}

/* --- Main
 * ---------------------------------------------------------------------------------------------------
 */

static int run_key(struct database *database, const char *what, const char *host_given)
{
    char host[HOST_MAX_BYTES + 1];
    const char *why = "";
    if (!what || !host_given || validate_host(host_given, strlen(host_given), host, &why) != STATUS_OK)
        return usage("key add and key remove need a host, as Chartbeat names it");
    if (strcmp(what, "add") == 0)
        return add_key(host);
    if (strcmp(what, "remove") == 0)
        return remove_keys(database, host);
    return usage("key takes add or remove");
}

static int run_numbered(struct database *database, const char *command, const struct options *options)
{
    int id = 0;
    if (!options->argument || read_number(options->argument, INT32_MAX, &id))
        return usage("needs the number of a token, as list shows it");
    if (strcmp(command, "show") == 0)
        return show(database, id);
    if (strcmp(command, "revoke") == 0)
        return take_away(database, id);
    if (strcmp(command, "rotate") == 0)
        return rotate(database, options, id);
    return usage("knows add, list, show, revoke, rotate and key");
}

static int run(struct database *database, int argc, char **words, struct options *options)
{
    const char *command = argc > 0 ? words[0] : "";
    options->argument = argc > 1 ? words[1] : NULL;
    if (strcmp(command, "key") == 0 && argc == 3)
        return run_key(database, words[1], words[2]);
    if (argc < 1 || argc > 2)
        return usage("needs a command");
    if (strcmp(command, "add") == 0 && argc == 1)
        return add(database, options);
    if (strcmp(command, "list") == 0 && argc == 1)
        return list(database);
    return run_numbered(database, command, options);
}

int main(int argc, char **argv)
{
    static struct options options;
    struct database *database = NULL;
    program_forbid_cores();
    int status = read_options(argc, argv, &options);
    if (status >= 0)
        return status;
    if (database_new(&database, settings_database(), ROLE_TOKEN, true) != STATUS_OK)
        return fail("out of memory");
    status = run(database, argc - optind, argv + optind, &options);
    database_free(database);
    return status;
}
