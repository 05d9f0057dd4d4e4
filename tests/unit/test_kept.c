#include "unit.h"

#include "kept.h"

#include <stdlib.h>

enum { SMALL_BYTES = 32 * 1024, TOTAL_BYTES = 2 * 1024 * 1024 };

static char bytes[TOTAL_BYTES + 1];

static struct request request_of(const char *host, int limit, enum request_format format,
                                 const char *callback, const char *variant)
{
    struct request request = {.limit = limit, .format = format, .callback = callback, .variant = variant};
    snprintf(request.host, sizeof request.host, "%s", host);
    return request;
}

static void put(struct kept *kept, const struct request *request, time_us taken_at, size_t len_bytes)
{
    struct buffer body;
    buffer_init(&body, sizeof bytes);
    buffer_append(&body, bytes, len_bytes);
    kept_put(kept, request, taken_at, &body);
    buffer_release(&body);
}

/* Bytes of the body that is found; 0: none. */
static size_t found(const struct kept *kept, const struct request *request, time_us taken_at)
{
    time_us at = 0;
    const struct buffer *body = kept_find(kept, request, &at);
    if (!body)
        return 0;
    assert_int_equal(at, taken_at);
    assert_memory_equal(body->data, bytes, body->len_bytes);
    return body->len_bytes;
}

static void test_what_an_answer_varies_with(void **state)
{
    (void)state;
    static const struct {
        const char *name, *host;
        int limit;
        enum request_format format;
        const char *callback, *variant;
    } others[] = {
        {"host", "b.example", 10, FORMAT_JSON, NULL, ""},
        {"limit", "a.example", 11, FORMAT_JSON, NULL, ""},
        {"format", "a.example", 10, FORMAT_CSV, NULL, ""},
        {"callback", "a.example", 10, FORMAT_JSON, "f", ""},
        {"variant", "a.example", 10, FORMAT_JSON, NULL, "x"},
    };
    struct kept *kept = kept_new();
    assert_non_null(kept);
    struct request request = request_of("a.example", 10, FORMAT_JSON, NULL, "");
    assert_int_equal(found(kept, &request, 0), 0);
    put(kept, &request, 7, 100);
    assert_int_equal(found(kept, &request, 7), 100);
    for (size_t i = 0; i < COUNT(others); i++) {
        struct request other = request_of(others[i].host, others[i].limit, others[i].format,
                                          others[i].callback, others[i].variant);
        assert_case_int(others[i].name, found(kept, &other, 0), 0);
    }
    put(kept, &request, 8, 50);
    assert_int_equal(found(kept, &request, 8), 50);
    kept_free(kept);
}

static void test_sizes(void **state)
{
    (void)state;
    static const struct {
        size_t len_bytes;
        bool is_kept;
    } cases[] = {{0, false},          {1, true},
                 {SMALL_BYTES, true}, {SMALL_BYTES + 1, true},
                 {TOTAL_BYTES, true}, {TOTAL_BYTES + 1, false}};
    char name[32];
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct kept *kept = kept_new();
        struct request request = request_of("a.example", 10, FORMAT_JSON, NULL, "");
        snprintf(name, sizeof name, "%zu bytes", cases[i].len_bytes);
        put(kept, &request, 7, cases[i].len_bytes);
        assert_case_int(name, found(kept, &request, 7), cases[i].is_kept ? cases[i].len_bytes : 0);
        kept_free(kept);
    }
}

/* Bodies of all sizes in any order: the newest is always there, and all large ones together have a bound. */
static void test_large_bodies_have_a_bound(void **state)
{
    (void)state;
    enum { PUTS = 1000, REQUESTS = 150 };
    static struct request requests[REQUESTS];
    struct kept *kept = kept_new();
    srand(5);
    for (int i = 0; i < REQUESTS; i++)
        requests[i] = request_of("a.example", i + 1, FORMAT_JSON, NULL, "");
    for (time_us taken_at = 1; taken_at <= PUTS; taken_at++) {
        const struct request *request = &requests[rand() % REQUESTS];
        size_t len_bytes = 1 + (size_t)rand() % (rand() % 2 ? SMALL_BYTES : TOTAL_BYTES / 4);
        put(kept, request, taken_at, len_bytes);
        assert_int_equal(found(kept, request, taken_at), len_bytes);
        size_t large_bytes = 0;
        for (int i = 0; i < REQUESTS; i++) {
            time_us at = 0;
            const struct buffer *body = kept_find(kept, &requests[i], &at);
            large_bytes += body && body->len_bytes > SMALL_BYTES ? body->len_bytes : 0;
        }
        assert_true(large_bytes <= TOTAL_BYTES);
    }
    kept_free(kept);
}

int main(void)
{
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)('a' + i % 23);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_an_answer_varies_with),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_large_bodies_have_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
