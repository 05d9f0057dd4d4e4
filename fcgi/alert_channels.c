#include "alert_commands.h"

#include "alert/post.h"
#include "base/base64.h"
#include "base/settings.h"
#include "program.h"

#include <sys/random.h>
#include <unistd.h>

enum {
    TEST_MS = 15000, /* of an attempt, and of the look of upbeat-alert --loop before it */
    LOOK_AGAIN_MS = 200,
    OVERLAP_MS = 24 * 3600000,
};

static const char NO_CHANNEL[] = "there is no channel of this name; see upbeat-alert channel list";

/* --- Making ------------------------------------------------------------------------------------------------
 */

static enum status make_secret(char secret_r[SIGNING_SECRET_TEXT_MAX_BYTES + 1])
{
    unsigned char random[SIGNING_SECRET_BYTES];
    struct buffer text;
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return STATUS_FAILED;
    buffer_init(&text, SIGNING_SECRET_TEXT_MAX_BYTES);
    buffer_append_text(&text, "whsec_");
    base64_put(&text, random, sizeof random);
    enum status result = text.status;
    if (result == STATUS_OK) {
        memcpy(secret_r, text.data, text.len_bytes + 1);
        secret_box_wipe(text.data, text.len_bytes);
    }
    buffer_release(&text);
    secret_box_wipe(random, sizeof random);
    return result;
}

static int say_secret(char *secret, const char *words)
{
    printf("%s\n", secret);
    fflush(stdout);
    secret_box_wipe(secret, strlen(secret));
    fprintf(stderr, "upbeat-alert: %s\n", words);
    return ferror(stdout) ? alert_fail("the secret could not be written") : EXIT_SUCCESS;
}

/* The address, from the words or as one line of standard input. NULL, or what is wrong with it; the address
 * is not in it. */
static const char *read_address(const char *given, char address_r[SECRET_TEXT_MAX_BYTES + 1])
{
    char line[SECRET_TEXT_MAX_BYTES + 3] = "";
    if (strcmp(given, "-") == 0) {
        if (!fgets(line, sizeof line, stdin))
            return "there is no address on standard input";
        line[strcspn(line, "\r\n")] = '\0';
    } else if (strlen(given) <= SECRET_TEXT_MAX_BYTES) {
        snprintf(line, sizeof line, "%s", given);
    } else {
        return "the address is longer than 2048 bytes";
    }
    size_t len = strlen(line);
    const char *why = len > SECRET_TEXT_MAX_BYTES ? "the address is longer than 2048 bytes" : NULL;
    if (!why) {
        memcpy(address_r, line, len);
        address_r[len] = '\0';
    }
    secret_box_wipe(line, sizeof line);
    return why;
}

/* NULL, or what is wrong; shown_r is what people may see of the address. */
static const char *check_address(const char *kind, const char *address, const struct networks *allow,
                                 char shown_r[CHANNEL_SHOWN_MAX_BYTES + 1])
{
    if (strcmp(kind, "mail") != 0)
        return post_check_url(address, allow, shown_r);
    if (!alert_is_mail_address(address))
        return "must be one mail address as desk@news.example, without a name, and not begin with a hyphen";
    snprintf(shown_r, CHANNEL_SHOWN_MAX_BYTES + 1, "%.*s", CHANNEL_SHOWN_MAX_BYTES, address);
    return NULL;
}

static int store_channel(struct database *database, const struct secret_box *secret_box,
                         const struct alert_channel *given)
{
    struct alert_channel channel = *given;
    char secret[SIGNING_SECRET_TEXT_MAX_BYTES + 1] = "";
    char words[300];
    bool is_webhook = strcmp(channel.kind, "webhook") == 0;
    if (is_webhook && make_secret(secret) != STATUS_OK)
        return alert_fail("there are no random bytes");
    channel.secret = is_webhook ? secret : NULL;
    enum status status = alerts_add_channel(database, secret_box, &channel, deadline_in(ALERT_DATABASE_MS));
    if (status == STATUS_REFUSED) {
        snprintf(words, sizeof words, "there is a channel %s already; channel remove takes it away",
                 channel.name);
        return alert_fail(words);
    }
    if (status != STATUS_OK)
        return alert_fail_with(status, "the database refused it");
    snprintf(
        words, sizeof words,
        "the channel %s goes to %s; it is told of nothing before there is a rule: upbeat-alert rule add %s",
        channel.name, channel.shown, channel.name);
    if (!is_webhook) {
        printf("%s\n", words);
        return EXIT_SUCCESS;
    }
    fprintf(stderr, "upbeat-alert: %s\n", words);
    return say_secret(secret, "this is the secret that signs its messages; it is not shown again");
}

static int add(struct database *database, char **words)
{
    struct settings settings;
    struct secret_box secret_box;
    struct networks allow;
    char address[SECRET_TEXT_MAX_BYTES + 1] = "";
    char shown[CHANNEL_SHOWN_MAX_BYTES + 1] = "";
    const char *kind = words[1];
    if (!alert_is_name(words[0]))
        return alert_usage("the name of a channel must be 1 to 63 of a-z, 0-9, dot, hyphen and underscore, "
                           "and begin with one of the first two");
    if (strcmp(kind, "webhook") != 0 && strcmp(kind, "slack") != 0 && strcmp(kind, "mail") != 0)
        return alert_usage("the kind of a channel must be webhook, slack or mail");
    if (program_read_settings(&settings, &secret_box) != EXIT_SUCCESS)
        return EXIT_SETTINGS;
    const char *why = read_address(words[2], address);
    if (!why && networks_read(settings.alert_allow, &allow) != STATUS_OK)
        why = "UPBEAT_ALERT_ALLOW is no list of networks";
    if (!why)
        why = check_address(kind, address, &allow, shown);
    struct alert_channel channel = {.name = words[0], .kind = kind, .shown = shown, .address = address};
    int status = EXIT_SETTINGS;
    if (why)
        fprintf(stderr, "upbeat-alert: the address of the channel %s (not shown): %s\n", words[0], why);
    else
        status = store_channel(database, &secret_box, &channel);
    secret_box_wipe(address, sizeof address);
    secret_box_release(&secret_box);
    return status;
}

static int rotate(struct database *database, const char *name, const struct alert_options *options)
{
    struct settings settings;
    struct secret_box secret_box;
    char secret[SIGNING_SECRET_TEXT_MAX_BYTES + 1] = "";
    int64_t overlap_ms = options->seen & OPTION_OF_ROTATE ? options->overlap_ms : OVERLAP_MS;
    if (program_read_settings(&settings, &secret_box) != EXIT_SUCCESS)
        return EXIT_SETTINGS;
    enum status status = make_secret(secret);
    if (status == STATUS_OK)
        status = alerts_rotate_secret(database, &secret_box, name, secret, overlap_ms,
                                      deadline_in(ALERT_DATABASE_MS));
    secret_box_release(&secret_box);
    if (status != STATUS_OK)
        return alert_fail_with(status, "there is no webhook of this name; see upbeat-alert channel list");
    return say_secret(secret,
                      "this is the new secret; it is not shown again; until the overlap is over both sign");
}

/* --- Showing -----------------------------------------------------------------------------------------------
 */

static int list(struct database *database)
{
    static const struct table_column columns[] = {{CHANNELS_NAME, 20, "name"},
                                                  {CHANNELS_KIND, 8, "kind"},
                                                  {CHANNELS_SHOWN, 30, "address"},
                                                  {CHANNELS_IS_ON, 6, "is on"},
                                                  {CHANNELS_WAITING, 8, "waiting"},
                                                  {CHANNELS_HELD, 5, "held"},
                                                  {CHANNELS_DELIVERED_AT, 21, "delivered"},
                                                  {CHANNELS_OFF_REASON, 0, "why off"}};
    return alert_list(database, alerts_channels, columns, sizeof columns / sizeof *columns);
}

/* *is_over_r: delivered or not, it was tried. */
static int say_delivery(const struct database_rows *rows, const char *name, bool *is_over_r)
{
    size_t len = 0;
    const char *state = database_bytes(rows, 0, DELIVERY_STATE, &len);
    const char *attempts = database_bytes(rows, 0, DELIVERY_ATTEMPTS, &len);
    const char *said = database_bytes(rows, 0, DELIVERY_SAID, &len);
    *is_over_r = strcmp(state, "waiting") != 0 || said;
    if (!*is_over_r)
        return EXIT_FAILURE;
    if (strcmp(state, "delivered") == 0) {
        printf("the test has reached %s\n", name);
        return EXIT_SUCCESS;
    }
    fprintf(stderr, "upbeat-alert: the test has not reached %s: %s (attempt %s, now %s)\n", name,
            said ? said : "it was not said why", attempts, state);
    return EXIT_FAILURE;
}

static int test(struct database *database, const char *name)
{
    struct deadline deadline = deadline_in(TEST_MS);
    int64_t id = 0;
    bool is_over = false;
    enum status status = alerts_test(database, name, deadline_in(ALERT_DATABASE_MS), &id);
    if (status != STATUS_OK)
        return alert_fail_with(
            status, "there is no channel of this name, or it is off; see upbeat-alert channel list");
    while (deadline_left_ms(deadline) > 0) {
        struct database_rows *rows = NULL;
        status = alerts_delivery(database, id, deadline_in(ALERT_DATABASE_MS), &rows);
        if (status != STATUS_OK)
            return alert_fail_with(status, "the channel was removed meanwhile");
        int result = say_delivery(rows, name, &is_over);
        database_rows_free(rows);
        if (is_over)
            return result;
        deadline_sleep(deadline, LOOK_AGAIN_MS);
    }
    return alert_fail(
        "nothing has been sent within 15 s: upbeat-alert --loop does not run, or the channel has "
        "others to send first; the view deliveries will tell");
}

/* --- Main --------------------------------------------------------------------------------------------------
 */

static int say(enum status status, const char *name, const char *words)
{
    if (status != STATUS_OK)
        return alert_fail_with(status, NO_CHANNEL);
    printf("the channel %s %s\n", name, words);
    return EXIT_SUCCESS;
}

static int run_named(struct database *database, const char *word, const char *name,
                     const struct alert_options *options)
{
    if (strcmp(word, "test") == 0)
        return test(database, name);
    if (strcmp(word, "rotate") == 0)
        return rotate(database, name, options);
    if (strcmp(word, "enable") == 0)
        return say(alerts_enable_channel(database, name, deadline_in(ALERT_DATABASE_MS)), name,
                   "is on; what happens from now on is sent there");
    if (strcmp(word, "remove") == 0)
        return say(alerts_remove_channel(database, name, deadline_in(ALERT_DATABASE_MS)), name,
                   "is removed, with its rules and what waited for it");
    return alert_usage("channel takes add, list, test, remove, enable or rotate");
}

int alert_channel(struct database *database, char **words, int count, const struct alert_options *options)
{
    const char *word = count > 0 ? words[0] : "";
    bool is_rotate = strcmp(word, "rotate") == 0;
    if (options->seen & ~(is_rotate ? (unsigned)OPTION_OF_ROTATE : 0))
        return alert_usage("channel takes no options, but rotate its --overlap");
    if (strcmp(word, "add") == 0)
        return count == 4
                   ? add(database, words + 1)
                   : alert_usage("channel add needs NAME, webhook, slack or mail, and the address or -");
    if (strcmp(word, "list") == 0 && count == 1)
        return list(database);
    if (count == 2)
        return run_named(database, word, words[1], options);
    return alert_usage("channel takes add, list, test NAME, remove NAME, enable NAME or rotate NAME");
}
