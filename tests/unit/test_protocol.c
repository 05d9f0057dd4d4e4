/* The messages between worker and fetcher: each is read as it was written, and nothing else is read. */
#include "unit.h"

#include "refresh/protocol.h"

static const struct refresh_message ASK = {
    .type = REFRESH_ASK, .host = "a.example", .digest = {{1, 2, 255}}, .has_key = true, .key = "key-00001"};

static const struct refresh_message SOUND[] = {
    {.type = REFRESH_ASK, .host = "a.example", .digest = {{1, 2, 255}}, .has_key = true, .key = "key-00001"},
    {.type = REFRESH_ASK, .host = "a.example", .check = true, .has_key = true, .key = "key-00001"},
    {.type = REFRESH_ASK, .host = "a.example", .digest = {{7}}},
    {.type = REFRESH_ASKED, .host = "x"},
    {.type = REFRESH_DONE, .host = "a.example", .outcome = REFRESH_BUSY, .wait_ms = 600000},
    {.type = REFRESH_DONE, .host = "a.example", .outcome = REFRESH_STORED, .check = true},
    {.type = REFRESH_ALIVE},
    {.type = REFRESH_USED, .token_id = 1, .requests = INT32_MAX},
};

static void test_each_message_is_read_as_it_was_written(void **state)
{
    (void)state;
    unsigned char bytes[REFRESH_MESSAGE_BYTES];
    for (size_t i = 0; i < COUNT(SOUND); i++) {
        struct refresh_message read;
        refresh_encode(&SOUND[i], bytes);
        assert_int_equal(refresh_decode(bytes, &read), STATUS_OK);
        assert_int_equal(read.type, SOUND[i].type);
        assert_string_equal(read.host, SOUND[i].host);
        assert_memory_equal(read.digest.bytes, SOUND[i].digest.bytes, DIGEST_BYTES);
        assert_int_equal(read.check, SOUND[i].check);
        assert_int_equal(read.has_key, SOUND[i].has_key);
        assert_string_equal(read.key, SOUND[i].key);
        assert_int_equal(read.outcome, SOUND[i].outcome);
        assert_int_equal(read.wait_ms, SOUND[i].wait_ms);
        assert_int_equal(read.token_id, SOUND[i].token_id);
        assert_int_equal(read.requests, SOUND[i].requests);
    }
}

static void test_the_longest_names_fit(void **state)
{
    (void)state;
    unsigned char bytes[REFRESH_MESSAGE_BYTES];
    struct refresh_message message = ASK;
    struct refresh_message read;
    memset(message.host, 'h', HOST_MAX_BYTES);
    for (size_t i = 63; i < HOST_MAX_BYTES; i += 64)
        message.host[i] = '.';
    memset(message.key, 'k', KEY_MAX_BYTES);
    refresh_encode(&message, bytes);
    assert_int_equal(refresh_decode(bytes, &read), STATUS_OK);
    assert_string_equal(read.host, message.host);
    assert_string_equal(read.key, message.key);
}

static void test_what_is_no_message_is_refused(void **state)
{
    (void)state;
    const struct {
        const char *name;
        struct refresh_message message;
    } cases[] = {
        {"no type", {.host = "a.example"}},
        {"an unknown type", {.type = 6, .host = "a.example"}},
        {"an unknown outcome", {.type = REFRESH_DONE, .host = "a.example", .outcome = REFRESH_OUTCOMES}},
        {"an ask without a host", {.type = REFRESH_ASK}},
        {"a host that is none", {.type = REFRESH_ASKED, .host = "a b"}},
        {"a host in upper case", {.type = REFRESH_ASKED, .host = "A.example"}},
        {"a key that is too short", {.type = REFRESH_ASK, .host = "a.example", .has_key = true, .key = "k"}},
        {"a key that is none", {.type = REFRESH_ASK, .host = "a", .has_key = true, .key = "key 00001"}},
        {"a key in an answer",
         {.type = REFRESH_DONE, .host = "a.example", .has_key = true, .key = "key-00001"}},
        {"a host in a sign of life", {.type = REFRESH_ALIVE, .host = "a.example"}},
        {"a view token as a key",
         {.type = REFRESH_ASK, .host = "a.example", .has_key = true, .key = "ubt_00000000"}},
        {"use of no token", {.type = REFRESH_USED, .requests = 1}},
        {"no use of a token", {.type = REFRESH_USED, .token_id = 1}},
        {"use below nothing", {.type = REFRESH_USED, .token_id = 1, .requests = -1}},
        {"use of a host", {.type = REFRESH_USED, .token_id = 1, .requests = 1, .host = "a.example"}},
        {"a token in a question", {.type = REFRESH_ASKED, .host = "a.example", .token_id = 1}},
        {"a negative wait", {.type = REFRESH_DONE, .host = "a.example", .wait_ms = -1}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        unsigned char bytes[REFRESH_MESSAGE_BYTES];
        struct refresh_message read;
        refresh_encode(&cases[i].message, bytes);
        assert_case(cases[i].name, refresh_decode(bytes, &read) == STATUS_INVALID);
    }
}

/* Each byte of the message that is changed makes it another message, or none. */
static void test_a_message_has_one_form_only(void **state)
{
    (void)state;
    unsigned char bytes[REFRESH_MESSAGE_BYTES];
    unsigned char again[REFRESH_MESSAGE_BYTES];
    refresh_encode(&ASK, bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        struct refresh_message read;
        unsigned char was = bytes[i];
        bytes[i] = was == 2 ? 3 : 2;
        if (refresh_decode(bytes, &read) == STATUS_OK) {
            refresh_encode(&read, again);
            assert_memory_equal(again, bytes, sizeof bytes);
        }
        bytes[i] = was;
    }
    bytes[0] = REFRESH_VERSION + 1;
    struct refresh_message read;
    assert_int_equal(refresh_decode(bytes, &read), STATUS_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_message_is_read_as_it_was_written),
        cmocka_unit_test(test_the_longest_names_fit),
        cmocka_unit_test(test_what_is_no_message_is_refused),
        cmocka_unit_test(test_a_message_has_one_form_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
