#include "unit.h"

#include "api/answer_cache.h"

static struct request_params params_of(const char *host, unsigned char key, bool is_token)
{
    struct request_params params = {.is_token = is_token, .limit = LIMIT_MAX, .cache_key_suffix = ""};
    snprintf(params.host, sizeof params.host, "%s", host);
    params.digest.bytes[0] = key;
    params.query.count = 2;
    params.query.items[0] = (struct query_parameter){"host", host, strlen(host)};
    params.query.items[1] = (struct query_parameter){"_", "1", 1};
    return params;
}

static char text[] = "[1]\n";

static struct cached_answer answer_of(time_us taken_at)
{
    return (struct cached_answer){
        .taken_at = taken_at,
        .looked_up_ms = taken_at,
        .origins = "https://a.example",
        .cache_key_suffix = "words",
        .body = {.data = text, .len_bytes = 4},
    };
}

static const struct request_head HEAD = {.path = "/a"};

static void test_the_same_question_alone(void **state)
{
    static const struct {
        const char *name, *path, *origin, *host, *more;
        unsigned char key;
        enum request_format format;
        bool is_found;
    } cases[] = {
        {"the same", "/a", NULL, "h.example", NULL, 1, FORMAT_JSON, true},
        {"another key", "/a", NULL, "h.example", NULL, 2, FORMAT_JSON, false},
        {"another host", "/a", NULL, "i.example", NULL, 1, FORMAT_JSON, false},
        {"another path", "/b", NULL, "h.example", NULL, 1, FORMAT_JSON, false},
        {"another origin", "/a", "", "h.example", NULL, 1, FORMAT_JSON, false},
        {"another form", "/a", NULL, "h.example", NULL, 1, FORMAT_CSV, false},
        {"another parameter", "/a", NULL, "h.example", "limit", 1, FORMAT_JSON, false},
        {"one that only caches see", "/a", NULL, "h.example", "_", 1, FORMAT_JSON, true},
    };
    struct answer_cache *cache = answer_cache_new();
    const struct request_params kept = params_of("h.example", 1, false);
    const struct cached_answer answer = answer_of(7);
    (void)state;
    answer_cache_put(cache, &HEAD, &kept, &answer, true);
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct request_head head = {.path = cases[i].path, .origin = cases[i].origin};
        struct request_params asked = params_of(cases[i].host, cases[i].key, false);
        struct cached_answer found = {0};
        asked.format = cases[i].format;
        if (cases[i].more)
            asked.query.items[1] = (struct query_parameter){cases[i].more, "2", 1};
        assert_case(cases[i].name, answer_cache_find(cache, &head, &asked, &found) == cases[i].is_found);
        assert_case(cases[i].name, answer_cache_has(cache, &head, &asked) == cases[i].is_found);
        assert_case(cases[i].name, !cases[i].is_found || (found.taken_at == 7 && found.body.len_bytes == 4 &&
                                                          strcmp(found.body.data, "[1]\n") == 0 &&
                                                          strcmp(found.cache_key_suffix, "words") == 0 &&
                                                          strcmp(found.origins, "https://a.example") == 0));
    }
    answer_cache_free(cache);
}

static void test_a_later_answer(void **state)
{
    struct answer_cache *cache = answer_cache_new();
    const struct request_params params = params_of("h.example", 1, false);
    struct cached_answer answer = answer_of(7);
    struct cached_answer found = {0};
    (void)state;
    answer_cache_put(cache, &HEAD, &params, &answer, true);
    answer.looked_up_ms = 8;
    answer_cache_put(cache, &HEAD, &params, &answer, true);
    assert_true(answer_cache_find(cache, &HEAD, &params, &found));
    assert_int_equal(found.looked_up_ms, 8);
    answer = answer_of(9);
    answer_cache_put(cache, &HEAD, &params, &answer, true);
    assert_true(answer_cache_find(cache, &HEAD, &params, &found));
    assert_int_equal(found.taken_at, 9);
    answer.body.len_bytes = 0;
    answer_cache_put(cache, &HEAD, &params, &answer, false);
    assert_false(answer_cache_has(cache, &HEAD, &params));
    answer_cache_free(cache);
}

static void test_a_refusal(void **state)
{
    static const struct {
        const char *name;
        bool is_token;
        const char *refused_host;
        bool is_found;
    } cases[] = {
        {"a token is refused everywhere", true, "i.example", false},
        {"a key is refused for a host", false, "h.example", false},
        {"a key that is refused for another host", false, "i.example", true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct answer_cache *cache = answer_cache_new();
        const struct request_params params = params_of("h.example", 1, cases[i].is_token);
        const struct request_params refused = params_of(cases[i].refused_host, 1, cases[i].is_token);
        const struct cached_answer answer = answer_of(7);
        struct cached_answer found = {0};
        answer_cache_put(cache, &HEAD, &params, &answer, true);
        answer_cache_refuse(cache, &refused);
        assert_case(cases[i].name, answer_cache_find(cache, &HEAD, &params, &found) == cases[i].is_found);
        answer_cache_put(cache, &HEAD, &params, &answer, true);
        assert_case(cases[i].name, answer_cache_find(cache, &HEAD, &params, &found));
        answer_cache_free(cache);
    }
}

static void test_a_question_that_is_too_long(void **state)
{
    static char value[1200];
    struct answer_cache *cache = answer_cache_new();
    struct request_params params = params_of("h.example", 1, false);
    const struct cached_answer answer = answer_of(7);
    (void)state;
    memset(value, 'a', sizeof value - 1);
    params.query.items[1] = (struct query_parameter){"section", value, sizeof value - 1};
    answer_cache_put(cache, &HEAD, &params, &answer, true);
    assert_false(answer_cache_has(cache, &HEAD, &params));
    answer_cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_question_alone),
        cmocka_unit_test(test_a_later_answer),
        cmocka_unit_test(test_a_refusal),
        cmocka_unit_test(test_a_question_that_is_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
