#include "unit.h"

#include "http/params.h"

static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 4 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

#define KEY      "demo-key-0001"
#define WITH_KEY "host=example.com&apikey=" KEY

static void test_accepted(void **state)
{
    (void)state;
    static const struct {
        const char *query, *header, *accept;
        const char *host, *key;
        int limit;
        enum request_format format;
        const char *callback;
    } cases[] = {
        {WITH_KEY, NULL, NULL, "example.com", KEY, LIMIT_MAX, FORMAT_JSON, NULL},
        {"host=EXAMPLE.com", KEY, NULL, "example.com", KEY, LIMIT_MAX, FORMAT_JSON, NULL},
        {"host=%65xample.com", KEY, NULL, "example.com", KEY, LIMIT_MAX, FORMAT_JSON, NULL},
        {"host=a.b&apikey=the-other-key", KEY, NULL, "a.b", KEY, LIMIT_MAX, FORMAT_JSON, NULL},
        {"host=a.b&apikey=bad", KEY, NULL, "a.b", KEY, LIMIT_MAX, FORMAT_JSON, NULL},
        {"host=a.b&apikey=" KEY, "", NULL, "a.b", KEY, LIMIT_MAX, FORMAT_JSON, NULL},
        {WITH_KEY "&limit=1", NULL, NULL, "example.com", KEY, 1, FORMAT_JSON, NULL},
        {WITH_KEY "&limit=10000", NULL, NULL, "example.com", KEY, 10000, FORMAT_JSON, NULL},
        {WITH_KEY "&limit=007", NULL, NULL, "example.com", KEY, 7, FORMAT_JSON, NULL},
        {WITH_KEY "&format=json", NULL, NULL, "example.com", KEY, LIMIT_MAX, FORMAT_JSON, NULL},
        {WITH_KEY "&format=csv", NULL, NULL, "example.com", KEY, LIMIT_MAX, FORMAT_CSV, NULL},
        {WITH_KEY, NULL, "text/csv", "example.com", KEY, LIMIT_MAX, FORMAT_CSV, NULL},
        {WITH_KEY "&format=json", NULL, "text/csv", "example.com", KEY, LIMIT_MAX, FORMAT_JSON, NULL},
        {WITH_KEY "&callback=f", NULL, NULL, "example.com", KEY, LIMIT_MAX, FORMAT_JSON, "f"},
        {WITH_KEY "&jsonp=a.b_$.c1", NULL, NULL, "example.com", KEY, LIMIT_MAX, FORMAT_JSON, "a.b_$.c1"},
        {WITH_KEY "&callback=f", NULL, "text/csv", "example.com", KEY, LIMIT_MAX, FORMAT_JSON, "f"},
        {WITH_KEY "&callback=f&format=json", NULL, NULL, "example.com", KEY, LIMIT_MAX, FORMAT_JSON, "f"},
        {WITH_KEY "&_=12345&unknown", NULL, NULL, "example.com", KEY, LIMIT_MAX, FORMAT_JSON, NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *name = cases[i].query;
        struct request_head input = {.query = name, .key = cases[i].header, .accept = cases[i].accept};
        struct request_params request;
        struct problem problem = {0};
        assert_case_int(name, params_read(&input, 401, &arena, &request, &problem), STATUS_OK);
        assert_case_text(name, request.host, cases[i].host);
        assert_case_text(name, request.key, cases[i].key);
        assert_case_int(name, request.limit, cases[i].limit);
        assert_case_int(name, request.format, cases[i].format);
        assert_case(name, (request.callback == NULL) == (cases[i].callback == NULL));
        if (cases[i].callback)
            assert_case_text(name, request.callback, cases[i].callback);
        struct digest digest;
        assert_int_equal(secret_box_digest(KEY, strlen(KEY), &digest), STATUS_OK);
        assert_memory_equal(&request.digest, &digest, sizeof digest);
    }
}

#define N64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *query, *header;
        int status;
        const char *parameter, *detail, *sent;
    } cases[] = {
        {NULL, NULL, 401, "apikey", "is missing", NULL},
        {"", NULL, 401, "apikey", "is missing", NULL},
        {"host=a.b", NULL, 401, "apikey", "is missing", NULL},
        {"host=a.b", "", 401, "apikey", "is missing", NULL},
        {"host=a.b&apikey=", NULL, 401, "apikey", "is empty", NULL},
        {"host=a.b&APIKEY=" KEY, NULL, 401, "apikey", "is missing", NULL},
        {"host=a.b&apikey=short", NULL, 401, "apikey", "8 to 128", NULL},
        {"host=a.b", "short", 401, "apikey", "8 to 128", NULL},
        {"host=a.b&apikey=" N64 N64 "a", NULL, 401, "apikey", "8 to 128", NULL},
        {"host=a.b", "with a space", 401, "apikey", "character", NULL},
        {"host=a.b&apikey=se+cret+key", NULL, 401, "apikey", "character", NULL},
        {"host=a.b&apikey=secret%0d%0akey", NULL, 401, "apikey", "character", NULL},
        {"host=a.b&apikey=" KEY, "bad", 401, "apikey", "8 to 128", NULL},
        {"", KEY, 401, "host", "is missing", NULL},
        {"host=", KEY, 401, "host", "is empty", ""},
        {"host", KEY, 401, "host", "is empty", ""},
        {"Host=a.b", KEY, 401, "host", "is missing", NULL},
        {"host=a.b:80", KEY, 401, "host", "has a port", "a.b:80"},
        {"host=http://a.b", KEY, 401, "host", "has a scheme", "http://a.b"},
        {"host=a.b/x", KEY, 401, "host", "has a path", "a.b/x"},
        {"host=a_b", KEY, 401, "host", "has a character", "a_b"},
        {"host=a..b", KEY, 401, "host", "empty label", "a..b"},
        {"host=a%20b", KEY, 401, "host", "has a character", "a b"},
        {WITH_KEY "&limit=", NULL, 400, "limit", "number", ""},
        {WITH_KEY "&limit=0", NULL, 400, "limit", "number", "0"},
        {WITH_KEY "&limit=-1", NULL, 400, "limit", "number", "-1"},
        {WITH_KEY "&limit=10001", NULL, 400, "limit", "number", "10001"},
        {WITH_KEY "&limit=1.5", NULL, 400, "limit", "number", "1.5"},
        {WITH_KEY "&limit=1e3", NULL, 400, "limit", "number", "1e3"},
        {WITH_KEY "&limit=+1", NULL, 400, "limit", "number", " 1"},
        {WITH_KEY "&limit=0x10", NULL, 400, "limit", "number", "0x10"},
        {WITH_KEY "&limit=4294967297", NULL, 400, "limit", "number", "4294967297"},
        {WITH_KEY "&limit=99999999999999999999999", NULL, 400, "limit", "number", "99999999999999999999999"},
        {WITH_KEY "&limit=ten", NULL, 400, "limit", "number", "ten"},
        {WITH_KEY "&format=xml", NULL, 400, "format", "is not a format", "xml"},
        {WITH_KEY "&format=", NULL, 400, "format", "is not a format", ""},
        {WITH_KEY "&format=CSV", NULL, 400, "format", "is not a format", "CSV"},
        {WITH_KEY "&format=csv&callback=f", NULL, 400, "format", "together", "csv"},
        {WITH_KEY "&format=html", NULL, 400, "format", "is not a format", "html"},
        {WITH_KEY "&callback=", NULL, 400, "callback", "name of a function", ""},
        {WITH_KEY "&callback=1a", NULL, 400, "callback", "name of a function", "1a"},
        {WITH_KEY "&callback=a.", NULL, 400, "callback", "name of a function", "a."},
        {WITH_KEY "&callback=.a", NULL, 400, "callback", "name of a function", ".a"},
        {WITH_KEY "&callback=a..b", NULL, 400, "callback", "name of a function", "a..b"},
        {WITH_KEY "&callback=a.1", NULL, 400, "callback", "name of a function", "a.1"},
        {WITH_KEY "&callback=a()", NULL, 400, "callback", "name of a function", "a()"},
        {WITH_KEY "&callback=a[0]", NULL, 400, "callback", "name of a function", "a[0]"},
        {WITH_KEY "&callback=a;b", NULL, 400, "callback", "name of a function", "a;b"},
        {WITH_KEY "&callback=alert(1)//", NULL, 400, "callback", "name of a function", "alert(1)//"},
        {WITH_KEY "&callback=%3cscript%3e", NULL, 400, "callback", "name of a function", "<script>"},
        {WITH_KEY "&callback=%c3%a9", NULL, 400, "callback", "name of a function", "\xc3\xa9"},
        {WITH_KEY "&callback=" N64 "a", NULL, 400, "callback", "name of a function", N64 "a"},
        {WITH_KEY "&jsonp=a%0ab", NULL, 400, "jsonp", "name of a function", "a\nb"},
        {WITH_KEY "&jsonp=a&callback=a", NULL, 400, "jsonp", "together", "a"},
        {WITH_KEY "&host=a.b", NULL, 400, "host", "is given twice", NULL},
        {WITH_KEY "&apikey=" KEY, NULL, 400, "apikey", "is given twice", NULL},
        {WITH_KEY "&x=%&limit=1&limit=1", NULL, 400, "limit", "is given twice", NULL},
        {WITH_KEY "&min_visitors=1&min_visitors=1", NULL, 400, "min_visitors", "is given twice", NULL},
        {WITH_KEY "&0123456789abcdef&0123456789abcdef", NULL, 400, "query", "twice", NULL},
        {WITH_KEY "&=1&=2", NULL, 400, "query", "twice", NULL},
        {WITH_KEY "&bom=yes", NULL, 400, "bom", "neither 0 nor 1", "yes"},
        {WITH_KEY "&x=%", NULL, 400, "query", "percent", NULL},
        {WITH_KEY "&x=%ff", NULL, 400, "query", "UTF-8", NULL},
        {WITH_KEY "%00", NULL, 400, "query", "NUL", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *name = cases[i].query ? cases[i].query : "absent";
        struct request_head input = {.query = cases[i].query, .key = cases[i].header};
        struct request_params request;
        struct problem problem = {0};
        assert_case_int(name, params_read(&input, 401, &arena, &request, &problem), STATUS_INVALID);
        assert_case_int(name, problem.status, cases[i].status);
        assert_case_text(name, problem.parameter, cases[i].parameter);
        assert_case(name, problem.detail && strstr(problem.detail, cases[i].detail));
        assert_case(name, problem.bound);
        assert_case(name, (problem.sent == NULL) == (cases[i].sent == NULL));
        if (cases[i].sent)
            assert_case_text(name, problem.sent, cases[i].sent);
    }
}

static void test_the_function_that_hears_of_an_error(void **state)
{
    (void)state;
    static const struct {
        const char *query, *method, *callback;
    } cases[] = {
        {"callback=cb", "GET", "cb"},
        {"jsonp=a.b", "GET", "a.b"},
        {"callback=%24f", "HEAD", "$f"},
        {"x=%zz&callback=cb&limit=1&limit=2", "GET", "cb"},
        {"callback=cb&format=json", "GET", "cb"},
        {"callback=cb&format=xml", "GET", "cb"},
        {"callback=cb&format=csv", "GET", NULL},
        {"callback=cb&format=html", "GET", NULL},
        {"callback=cb", "POST", NULL},
        {"callback=cb", NULL, NULL},
        {"callback=a&jsonp=b", "GET", NULL},
        {"callback=a&callback=b", "GET", NULL},
        {"callback=alert(1)", "GET", NULL},
        {"callback=", "GET", NULL},
        {"callback=" N64 "a", "GET", NULL},
        {"", "GET", NULL},
        {NULL, "GET", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *name = cases[i].query ? cases[i].query : "absent";
        struct request_head input = {.query = cases[i].query, .method = cases[i].method};
        const char *callback = params_callback(&input, &arena);
        assert_case(name, (callback == NULL) == (cases[i].callback == NULL));
        if (callback)
            assert_case_text(name, callback, cases[i].callback);
    }
}

static void test_newer_endpoints_say_400(void **state)
{
    (void)state;
    struct request_head input = {.query = "host=a_b", .key = KEY};
    struct request_params request;
    struct problem problem = {0};
    assert_int_equal(params_read(&input, 400, &arena, &request, &problem), STATUS_INVALID);
    assert_int_equal(problem.status, 400);
}

/* Whatever is wrong with it, and wherever it stands, a key is in nothing that is answered. */
static void test_no_key_in_a_problem(void **state)
{
    (void)state;
    static const struct {
        const char *query, *header;
    } cases[] = {
        {"host=a.b&apikey=TOPSECRET!", NULL},
        {"host=a_b&apikey=TOPSECRET", NULL},
        {"host=a.b", "TOPSECRET!"},
        {"host=a.b&apikey=TOPSECRET&apikey=TOPSECRET", NULL},
        {"host=a.b&apikey=TOPSECRET%", NULL},
        {"host=a.b&apikey=TOPSECRET%ff", NULL},
        {"host=a.b&apikey=TOPSECRET%00", NULL},
        {"host=a.b&apikey=TOPSECRET&limit=x", NULL},
        {"host=a.b&apikey=TOPSECRET&callback=(", "TOPSECRET"},
        {"host=a.b&apikey=TOPSECRET&format=x", NULL},
        {"apikey=TOPSECRET", NULL},
        {"host=a.b&%54OPSECRET=1&TOPSECRET=2", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct request_head input = {.query = cases[i].query, .key = cases[i].header};
        struct request_params request;
        struct problem problem = {0};
        struct response response;
        assert_case_int(cases[i].query, params_read(&input, 401, &arena, &request, &problem), STATUS_INVALID);
        response_init(&response);
        response_problem(&response, "id", &problem);
        assert_case(cases[i].query, !strstr(response.body.data, "TOPSECRET"));
        assert_case(cases[i].query, !strstr(response.head.data, "TOPSECRET"));
        response_release(&response);
    }
}

static void test_a_long_value_is_cut_at_a_character(void **state)
{
    (void)state;
    char query[1000] = "host=a";
    for (size_t i = 0; i < 60; i++)
        snprintf(query + strlen(query), 10, "%%c3%%a9");
    struct request_head input = {.query = query, .key = KEY};
    struct request_params request;
    struct problem problem = {0};
    assert_int_equal(params_read(&input, 401, &arena, &request, &problem), STATUS_INVALID);
    assert_int_equal(strlen(problem.sent), 99);
}

static void test_without_memory(void **state)
{
    (void)state;
    struct request_head input = {.query = WITH_KEY};
    struct request_params request;
    struct problem problem = {0};
    struct arena none;
    arena_init(&none, 0);
    assert_int_equal(params_read(&input, 401, &none, &request, &problem), STATUS_NO_MEMORY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_the_function_that_hears_of_an_error),
        cmocka_unit_test(test_newer_endpoints_say_400),
        cmocka_unit_test(test_no_key_in_a_problem),
        cmocka_unit_test(test_a_long_value_is_cut_at_a_character),
        cmocka_unit_test(test_without_memory),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
