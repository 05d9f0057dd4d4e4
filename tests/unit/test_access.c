#include "unit.h"

#include "api/access.h"

enum { LIST = 1 << TOKEN_LIST, BOX = 1 << TOKEN_BOX, ALL = 1 << TOKEN_ALL };

static const struct route LIST_ROUTE = {
    .path = "/list", .kind = ROUTE_ROW, .may = LIST | BOX | ALL, .endpoint = ENDPOINT_INCREASING};
static const struct route REPORT_ROUTE = {
    .path = "/report", .kind = ROUTE_ROW, .may = ALL, .endpoint = ENDPOINT_HISTORY};
static const struct route HOSTS_ROUTE = {.path = "/hosts", .kind = ROUTE_QUERY, .may = ALL};

static const struct {
    const char *name;
    struct store_token token;
    const struct route *route;
    int limit;
    const char *callback;
    int status; /* 0: allowed */
    int limit_then;
    unsigned fields_then;
    bool has_rank_then;
} CASES[] = {
    {"unknown", {TOKEN_UNKNOWN, .origins = ""}, &LIST_ROUTE, 5, NULL, 401, 5, 0, false},
    {"expired", {TOKEN_EXPIRED, 1, TOKEN_ALL, true, .origins = ""}, &LIST_ROUTE, 5, NULL, 401, 5, 0, false},
    {"revoked", {TOKEN_REVOKED, 1, TOKEN_ALL, true, .origins = ""}, &LIST_ROUTE, 5, NULL, 401, 5, 0, false},
    {"valid", {TOKEN_VALID, 1, TOKEN_ALL, true, .origins = ""}, &LIST_ROUTE, 5, NULL, 0, 5, 0, false},
    {"another endpoint",
     {TOKEN_VALID, 1, TOKEN_LIST, true, .origins = ""},
     &REPORT_ROUTE,
     5,
     NULL,
     403,
     5,
     0,
     false},
    {"another host",
     {TOKEN_VALID, 1, TOKEN_LIST, false, .hosts = "a, b", .origins = ""},
     &LIST_ROUTE,
     5,
     NULL,
     403,
     5,
     0,
     false},
    {"no host", {TOKEN_VALID, 1, TOKEN_ALL, false, .origins = ""}, &HOSTS_ROUTE, 5, NULL, 0, 5, 0, false},
    {"fewer rows",
     {TOKEN_VALID, 1, TOKEN_LIST, true, 3, .origins = ""},
     &LIST_ROUTE,
     5,
     NULL,
     0,
     3,
     0,
     false},
    {"points of a curve",
     {TOKEN_VALID, 1, TOKEN_ALL, true, 3, .origins = ""},
     &REPORT_ROUTE,
     5,
     NULL,
     0,
     5,
     0,
     false},
    {"more rows than asked for",
     {TOKEN_VALID, 1, TOKEN_LIST, true, 9, .origins = ""},
     &LIST_ROUTE,
     5,
     NULL,
     0,
     5,
     0,
     false},
    {"fields", {TOKEN_VALID, 1, TOKEN_LIST, true, 0, 5, .origins = ""}, &LIST_ROUTE, 5, NULL, 0, 5, 5, false},
    {"a box", {TOKEN_VALID, 1, TOKEN_BOX, true, .origins = ""}, &LIST_ROUTE, 10000, NULL, 0, 10, 3, true},
    {"a small box",
     {TOKEN_VALID, 1, TOKEN_BOX, true, 4, .origins = ""},
     &LIST_ROUTE,
     10000,
     NULL,
     0,
     4,
     3,
     true},
    {"JSONP", {TOKEN_VALID, 1, TOKEN_LIST, true, .origins = ""}, &LIST_ROUTE, 5, "f", 0, 5, 0, false},
    {"JSONP with origins",
     {TOKEN_VALID, 1, TOKEN_LIST, true, .origins = "x"},
     &LIST_ROUTE,
     5,
     "f",
     403,
     5,
     0,
     false},
};

static void test_access(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct arena arena;
        struct request_params params = {.limit = CASES[i].limit, .callback = CASES[i].callback, .host = "c"};
        struct problem problem = {0};
        arena_init(&arena, 4096);
        for (int again = 0; again < 2; again++) {
            enum status result = access_check(&CASES[i].token, CASES[i].route, &params, &arena, &problem);
            assert_case(CASES[i].name, result == (CASES[i].status ? STATUS_INVALID : STATUS_OK));
            assert_case_int(CASES[i].name, problem.status, CASES[i].status);
            assert_case_int(CASES[i].name, params.limit, CASES[i].limit_then);
            assert_case_int(CASES[i].name, params.fields, CASES[i].fields_then);
            assert_case(CASES[i].name, params.has_rank == CASES[i].has_rank_then);
        }
        arena_release(&arena);
    }
}

static void test_origins(void **state)
{
    (void)state;
    static const struct {
        const char *origins;
        const char *origin;
        const char *wanted;
    } cases[] = {
        {"", "https://a", NULL},
        {"", NULL, NULL},
        {"https://a", "https://a", "https://a"},
        {"https://a", NULL, ""},
        {"https://a", "", ""},
        {"https://a", "https://ab", ""},
        {"https://ab", "https://a", ""},
        {"https://a https://b", "https://b", "https://b"},
        {"https://a https://b", "https://a https://b", ""},
        {"https://a https://b", " ", ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct store_token token = {.state = TOKEN_VALID, .origins = cases[i].origins};
        const char *is = access_origin(&token, cases[i].origin);
        assert_case(cases[i].origins, (is == NULL) == (cases[i].wanted == NULL));
        if (is)
            assert_case_text(cases[i].origins, is, cases[i].wanted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_access),
        cmocka_unit_test(test_origins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
