#include "unit.h"

#include "api/body_cache.h"

#include <stdlib.h>

enum { BODY_MAX_BYTES = 2 * 1024 * 1024, ALL_MAX_BYTES = 4 * 1024 * 1024, ENTRIES_MAX = 64 };

static char bytes[BODY_MAX_BYTES + 1];

static struct request_params request_of(const char *host, int limit, enum request_format format,
                                        const char *callback, const char *cache_key_suffix)
{
    struct request_params request = {
        .limit = limit, .format = format, .callback = callback, .cache_key_suffix = cache_key_suffix};
    snprintf(request.host, sizeof request.host, "%s", host);
    return request;
}

static void put(struct body_cache *cache, const struct request_params *request, time_us taken_at,
                size_t len_bytes)
{
    struct buffer body;
    buffer_init(&body, sizeof bytes);
    buffer_append(&body, bytes, len_bytes);
    body_cache_put(cache, request, taken_at, &body);
    buffer_release(&body);
}

/* Bytes of the body that is found; 0: none. */
static size_t found(const struct body_cache *cache, const struct request_params *request, time_us taken_at)
{
    time_us at = 0;
    const struct buffer *body = body_cache_find(cache, request, &at);
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
        const char *callback, *cache_key_suffix;
    } others[] = {
        {"host", "b.example", 10, FORMAT_JSON, NULL, ""},
        {"limit", "a.example", 11, FORMAT_JSON, NULL, ""},
        {"format", "a.example", 10, FORMAT_CSV, NULL, ""},
        {"callback", "a.example", 10, FORMAT_JSON, "f", ""},
        {"cache_key_suffix", "a.example", 10, FORMAT_JSON, NULL, "x"},
    };
    struct body_cache *cache = body_cache_new();
    assert_non_null(cache);
    struct request_params request = request_of("a.example", 10, FORMAT_JSON, NULL, "");
    assert_int_equal(found(cache, &request, 0), 0);
    put(cache, &request, 7, 100);
    assert_int_equal(found(cache, &request, 7), 100);
    for (size_t i = 0; i < COUNT(others); i++) {
        struct request_params other = request_of(others[i].host, others[i].limit, others[i].format,
                                                 others[i].callback, others[i].cache_key_suffix);
        assert_case_int(others[i].name, found(cache, &other, 0), 0);
    }
    put(cache, &request, 8, 50);
    assert_int_equal(found(cache, &request, 8), 50);
    body_cache_free(cache);
}

static void test_sizes(void **state)
{
    (void)state;
    static const struct {
        size_t len_bytes;
        bool is_cacheable;
    } cases[] = {{0, false}, {1, true}, {BODY_MAX_BYTES, true}, {BODY_MAX_BYTES + 1, false}};
    char name[32];
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct body_cache *cache = body_cache_new();
        struct request_params request = request_of("a.example", 10, FORMAT_JSON, NULL, "");
        snprintf(name, sizeof name, "%zu bytes", cases[i].len_bytes);
        put(cache, &request, 7, cases[i].len_bytes);
        assert_case_int(name, found(cache, &request, 7), cases[i].is_cacheable ? cases[i].len_bytes : 0);
        body_cache_free(cache);
    }
}

/* Bodies of all sizes in any order: the newest is always there, and all together are bounded. */
static void test_all_bodies_have_a_bound(void **state)
{
    (void)state;
    enum { PUTS = 1000, REQUESTS = 150 };
    static struct request_params requests[REQUESTS];
    struct body_cache *cache = body_cache_new();
    srand(5);
    for (int i = 0; i < REQUESTS; i++)
        requests[i] = request_of("a.example", i + 1, FORMAT_JSON, NULL, "");
    for (time_us taken_at = 1; taken_at <= PUTS; taken_at++) {
        const struct request_params *request = &requests[rand() % REQUESTS];
        size_t len_bytes = 1 + (size_t)rand() % (rand() % 2 ? 10000 : BODY_MAX_BYTES / 4);
        put(cache, request, taken_at, len_bytes);
        assert_int_equal(found(cache, request, taken_at), len_bytes);
        size_t all_bytes = 0, count = 0;
        for (int i = 0; i < REQUESTS; i++) {
            time_us at = 0;
            const struct buffer *body = body_cache_find(cache, &requests[i], &at);
            all_bytes += body ? body->len_bytes : 0;
            count += body != NULL;
        }
        assert_true(all_bytes <= ALL_MAX_BYTES && count <= ENTRIES_MAX);
    }
    body_cache_free(cache);
}

static void test_long_suffixes(void **state)
{
    (void)state;
    char suffix[129];
    memset(suffix, 'x', sizeof suffix);
    suffix[128] = '\0';
    struct body_cache *cache = body_cache_new();
    struct request_params request = request_of("a.example", 10, FORMAT_JSON, NULL, suffix);
    put(cache, &request, 7, 10);
    assert_int_equal(found(cache, &request, 7), 0);
    suffix[127] = '\0';
    put(cache, &request, 7, 10);
    assert_int_equal(found(cache, &request, 7), 10);
    body_cache_free(cache);
    body_cache_free(NULL);
}

int main(void)
{
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)('a' + i % 23);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_an_answer_varies_with),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_all_bodies_have_a_bound),
        cmocka_unit_test(test_long_suffixes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
