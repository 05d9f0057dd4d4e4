#include "unit.h"

#include "http/query.h"

static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

/* Names and values on one line: "a=1|b= x". */
static const char *flat(const struct query *query)
{
    static char text[10000];
    size_t len = 0;
    text[0] = '\0';
    for (size_t i = 0; i < query->count; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s=%s", i ? "|" : "", query->items[i].name,
                                query->items[i].value);
    return text;
}

static void test_well_formed(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *flat;
    } cases[] = {
        {"", ""},
        {"a=1", "a=1"},
        {"a=1&b=2", "a=1|b=2"},
        {"a", "a="},
        {"a=", "a="},
        {"=1", "=1"},
        {"a=1=2", "a=1=2"},
        {"&&a=1&&", "a=1"},
        {"a=%20x+y", "a= x y"},
        {"%61=%31", "a=1"},
        {"a+b=c", "a b=c"},
        {"a=%2B%26%3D%25", "a=+&=%"},
        {"a=%c3%A9", "a=\xc3\xa9"},
        {"a=%F0%9F%98%80", "a=\xf0\x9f\x98\x80"},
        {"a=1;b=2", "a=1;b=2"},
        {"a=1&A=2", "a=1|A=2"},
        {"%61%62c=x", "abc=x"},
        {"a=\xc3\xa9", "a=\xc3\xa9"},
        {"?a=1", "?a=1"},
        {"a=1#b", "a=1#b"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct query query;
        const char *why = NULL;
        assert_case_int(cases[i].text, query_parse(cases[i].text, &arena, &query, &why), STATUS_OK);
        assert_case_text(cases[i].text, flat(&query), cases[i].flat);
        for (size_t at = 0; at < query.count; at++)
            assert_case_int(cases[i].text, query.items[at].value_bytes, strlen(query.items[at].value));
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *why;
    } cases[] = {
        {"a=%", "percent"},
        {"a=%4", "percent"},
        {"a=%zz", "percent"},
        {"a=%4g", "percent"},
        {"a=%g4", "percent"},
        {"a=%4&b=1", "percent"},
        {"a=1&b=%&c=2", "percent"},
        {"%=1", "percent"},
        {"a%4=1", "percent"},
        {"a=%u0041", "percent"},
        {"a=%%41", "percent"},
        {"a=%00", "NUL"},
        {"a=1%00%00", "NUL"},
        {"%00=1", "NUL"},
        {"a=%ff", "UTF-8"},
        {"a=%c3", "UTF-8"},
        {"a=%c0%80", "UTF-8"},
        {"a=%ed%a0%80", "UTF-8"},
        {"a=%f4%90%80%80", "UTF-8"},
        {"a=\xff", "UTF-8"},
        {"%ff=1", "UTF-8"},
        {"a=1&a=1", "twice"},
        {"a=1&a=2", "twice"},
        {"a=1&%61=2", "twice"},
        {"a&a", "twice"},
        {"=1&=2", "twice"},
        {"host=x&limit=1&host=y", "twice"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct query query;
        const char *why = "";
        assert_case_int(cases[i].text, query_parse(cases[i].text, &arena, &query, &why), STATUS_INVALID);
        assert_case(cases[i].text, strstr(why, cases[i].why));
        assert_case(cases[i].text, (query.twice != NULL) == (strcmp(cases[i].why, "twice") == 0));
    }
}

static void test_what_is_good_is_kept_beside_a_fault(void **state)
{
    (void)state;
    struct query query;
    const char *why = NULL;
    assert_int_equal(query_parse("a=%zz&b=1&c=2&c=3&d=%ff&e", &arena, &query, &why), STATUS_INVALID);
    assert_string_equal(flat(&query), "b=1|c=2|e=");
    assert_string_equal(query.twice, "c");
    assert_non_null(strstr(why, "percent"));
}

static void test_every_escape(void **state)
{
    (void)state;
    for (int byte = 1; byte < 128; byte++) {
        struct query query;
        const char *why = NULL;
        char text[16];
        char wanted[2] = {(char)byte, '\0'};
        snprintf(text, sizeof text, byte % 2 ? "a=%%%02x" : "a=%%%02X", byte);
        assert_int_equal(query_parse(text, &arena, &query, &why), STATUS_OK);
        assert_string_equal(query.items[0].value, wanted);
    }
}

static void test_maxima(void **state)
{
    (void)state;
    static char text[QUERY_MAX_BYTES + 2];
    struct query query;
    const char *why = NULL;
    memset(text, 'a', QUERY_MAX_BYTES + 1);
    text[QUERY_MAX_BYTES] = '\0';
    assert_int_equal(query_parse(text, &arena, &query, &why), STATUS_OK);
    assert_int_equal(query.count, 1);
    text[QUERY_MAX_BYTES] = 'a';
    assert_int_equal(query_parse(text, &arena, &query, &why), STATUS_TOO_LARGE);
    assert_int_equal(query.count, 0);

    size_t len = 0;
    for (int i = 0; i < QUERY_MAX_PARAMETERS; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "p%d=%d&", i, i);
    assert_int_equal(query_parse(text, &arena, &query, &why), STATUS_OK);
    assert_int_equal(query.count, QUERY_MAX_PARAMETERS);
    assert_string_equal(query_find(&query, "p31")->value, "31");
    snprintf(text + len, sizeof text - len, "one=more");
    assert_int_equal(query_parse(text, &arena, &query, &why), STATUS_TOO_LARGE);
    assert_int_equal(query.count, QUERY_MAX_PARAMETERS);
}

static void test_full_and_twice_is_twice_or_too_many(void **state)
{
    (void)state;
    static const char *const lasts[] = {"p0=1", "x=%", "x=%ff"};
    for (size_t i = 0; i < COUNT(lasts); i++) {
        char text[1000];
        struct query query;
        const char *why = NULL;
        size_t len = 0;
        for (int at = 0; at < QUERY_MAX_PARAMETERS - 1; at++)
            len += (size_t)snprintf(text + len, sizeof text - len, "p%d=%d&", at, at);
        snprintf(text + len, sizeof text - len, "%s", lasts[i]);
        assert_case_int(lasts[i], query_parse(text, &arena, &query, &why), STATUS_INVALID);
    }
}

static void test_find(void **state)
{
    (void)state;
    struct query query;
    const char *why = NULL;
    assert_int_equal(query_parse("host=a&limit=", &arena, &query, &why), STATUS_OK);
    assert_string_equal(query_find(&query, "host")->value, "a");
    assert_string_equal(query_find(&query, "limit")->value, "");
    assert_null(query_find(&query, "hos"));
    assert_null(query_find(&query, "hosts"));
    assert_null(query_find(&query, "HOST"));
    assert_null(query_find(&query, ""));
}

static void test_no_memory(void **state)
{
    (void)state;
    struct arena none;
    struct query query;
    const char *why = NULL;
    arena_init(&none, 0);
    assert_int_equal(query_parse("a=1", &none, &query, &why), STATUS_NO_MEMORY);
    assert_int_equal(query.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_well_formed),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_what_is_good_is_kept_beside_a_fault),
        cmocka_unit_test(test_every_escape),
        cmocka_unit_test(test_maxima),
        cmocka_unit_test(test_full_and_twice_is_twice_or_too_many),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
