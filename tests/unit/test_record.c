#include "unit.h"

#include "record.h"

#include <stdlib.h>

enum { ALL_BYTES = 70 * 1024 };

/* Appends a record with content and padding of these lengths; the new length of all. */
static size_t add(unsigned char *bytes, size_t at, unsigned char version, unsigned char type,
                  size_t content_bytes, unsigned char padding_bytes)
{
    const unsigned char header[] = {
        version,       type, 0, 1, (unsigned char)(content_bytes >> 8), (unsigned char)content_bytes,
        padding_bytes, 0};
    memcpy(bytes + at, header, sizeof header);
    memset(bytes + at + sizeof header, 'x', content_bytes + padding_bytes);
    return at + sizeof header + content_bytes + padding_bytes;
}

/* Each letter is a record: Begin, Params with content, params' End, Stdin's end, Content of stdin, Abort, and
 * a begin of another Version. */
static size_t make(const char *letters, unsigned char *bytes)
{
    size_t len_bytes = 0;
    for (; *letters; letters++) {
        switch (*letters) {
        case 'B':
            len_bytes = add(bytes, len_bytes, 1, 1, 8, 0);
            break;
        case 'P':
            len_bytes = add(bytes, len_bytes, 1, 4, 300, 4);
            break;
        case 'E':
            len_bytes = add(bytes, len_bytes, 1, 4, 0, 0);
            break;
        case 'S':
            len_bytes = add(bytes, len_bytes, 1, 5, 0, 0);
            break;
        case 'C':
            len_bytes = add(bytes, len_bytes, 1, 5, 10, 6);
            break;
        case 'A':
            len_bytes = add(bytes, len_bytes, 1, 2, 0, 0);
            break;
        default:
            len_bytes = add(bytes, len_bytes, 2, 1, 8, 0);
            break;
        }
    }
    return len_bytes;
}

/* The state of exactly these bytes, so that the sanitizer sees a step beyond them. */
static enum record_state state_of(const unsigned char *bytes, size_t len_bytes)
{
    unsigned char *copy = malloc(len_bytes + 1);
    assert_non_null(copy);
    memcpy(copy + 1, bytes, len_bytes); /* at an odd address, and up to the end */
    enum record_state state = record_state_of(copy + 1, len_bytes);
    free(copy);
    return state;
}

static void test_requests(void **unused)
{
    (void)unused;
    static const struct {
        const char *letters;
        enum record_state state;
    } cases[] = {
        {"", RECORD_PARTIAL},      {"B", RECORD_PARTIAL},    {"BP", RECORD_PARTIAL}, {"BPE", RECORD_PARTIAL},
        {"BPES", RECORD_WHOLE},    {"BPPPES", RECORD_WHOLE}, {"BES", RECORD_WHOLE},  {"BPECS", RECORD_WHOLE},
        {"BPECC", RECORD_PARTIAL}, {"BPESB", RECORD_WHOLE},  {"P", RECORD_BAD},      {"S", RECORD_BAD},
        {"A", RECORD_BAD},         {"BA", RECORD_BAD},       {"BB", RECORD_BAD},     {"V", RECORD_BAD},
        {"BPV", RECORD_BAD},
    };
    static unsigned char bytes[ALL_BYTES];
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t len_bytes = make(cases[i].letters, bytes);
        assert_case_int(cases[i].letters, state_of(bytes, len_bytes), cases[i].state);
    }
}

static void test_a_request_that_comes_byte_by_byte(void **unused)
{
    (void)unused;
    static unsigned char bytes[ALL_BYTES];
    size_t len_bytes = make("BPPES", bytes);
    for (size_t i = 0; i < len_bytes; i++)
        assert_int_equal(state_of(bytes, i), RECORD_PARTIAL);
    assert_int_equal(state_of(bytes, len_bytes), RECORD_WHOLE);
}

static void test_a_request_has_a_maximum(void **unused)
{
    (void)unused;
    static unsigned char bytes[ALL_BYTES];
    size_t len_bytes = make("B", bytes);
    len_bytes = add(bytes, len_bytes, 1, 4, 65535, 0);
    assert_true(len_bytes > RECORD_REQUEST_MAX_BYTES);
    assert_int_equal(state_of(bytes, RECORD_REQUEST_MAX_BYTES - 1), RECORD_PARTIAL);
    assert_int_equal(state_of(bytes, RECORD_REQUEST_MAX_BYTES), RECORD_BAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_a_request_that_comes_byte_by_byte),
        cmocka_unit_test(test_a_request_has_a_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
