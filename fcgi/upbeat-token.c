/* View tokens from the command line: add, list, show, revoke, rotate; and the API keys of hosts. A token is
 * printed once, where it is made; the database knows its digest alone. A key goes to the fetcher, which asks
 * Chartbeat whether it is good and seals it: this program has no secret. */
#include "base/buffer.h"
#include "base/log.h"
#include "base/token.h"
#include "program.h"
#include "refresh/client.h"
#include "store/roles.h"
#include "store/tokens.h"
#include "table.h"
#include "token_options.h"

#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

enum {
    DATABASE_MS = 10000,
    FETCHER_MS = 10000, /* a key is checked at Chartbeat meanwhile */
};

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

static int add(struct database *database, struct token_options *options)
{
    char text[TOKEN_BYTES + 1];
    int id = 0;
    if (!options->grant.hosts || !options->grant.note)
        return token_options_usage("add needs --host and --note");
    if (!options->grant.may)
        options->grant.may = "list";
    if (options->grant.fields && strcmp(options->grant.may, "list") != 0)
        return token_options_usage("--fields goes with --may list alone");
    if (!make_token(text, &options->grant.digest))
        return fail("there are no random bytes");
    enum status status = tokens_add(database, &options->grant, deadline_in(DATABASE_MS), &id);
    return status == STATUS_OK ? say_token(text, id) : fail_with(status);
}

static int rotate(struct database *database, const struct token_options *options, int id)
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
        return token_options_usage("key add and key remove need a host, as Chartbeat names it");
    if (strcmp(what, "add") == 0)
        return add_key(host);
    if (strcmp(what, "remove") == 0)
        return remove_keys(database, host);
    return token_options_usage("key takes add or remove");
}

static int run_numbered(struct database *database, const char *command, const char *number,
                        const struct token_options *options)
{
    int id = 0;
    if (!number || token_options_number(number, INT32_MAX, &id))
        return token_options_usage("needs the number of a token, as list shows it");
    if (strcmp(command, "show") == 0)
        return show(database, id);
    if (strcmp(command, "revoke") == 0)
        return take_away(database, id);
    if (strcmp(command, "rotate") == 0)
        return rotate(database, options, id);
    return token_options_usage("knows add, list, show, revoke, rotate and key");
}

static int run(struct database *database, int argc, char **words, struct token_options *options)
{
    const char *command = argc > 0 ? words[0] : "";
    if (strcmp(command, "key") == 0 && argc == 3)
        return run_key(database, words[1], words[2]);
    if (argc < 1 || argc > 2)
        return token_options_usage("needs a command");
    if (strcmp(command, "add") == 0 && argc == 1)
        return add(database, options);
    if (strcmp(command, "list") == 0 && argc == 1)
        return list(database);
    return run_numbered(database, command, argc > 1 ? words[1] : NULL, options);
}

int main(int argc, char **argv)
{
    static struct token_options options;
    struct database *database = NULL;
    program_forbid_cores();
    int status = token_options_read(argc, argv, &options);
    if (status >= 0)
        return status;
    if (database_new(&database, settings_database(), ROLE_TOKEN, true) != STATUS_OK)
        return fail("out of memory");
    database_be_patient(database);
    status = run(database, argc - optind, argv + optind, &options);
    database_free(database);
    return status;
}
