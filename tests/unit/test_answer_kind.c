#include "unit.h"

#include "upstream/answer_kind.h"

enum { ARENA_MAX_BYTES = 1024 * 1024, WHY_MAX_BYTES = 400 };

#define HTML    "text/html; charset=utf-8"
#define JSON    "application/json"
#define ROW     "{\"path\":\"/\",\"stats\":{\"people\":1}}"
#define USELESS "{\"path\":\"/\",\"stats\":{\"people\":-1}}"

struct kind_case {
    int status;
    bool has_retry_after;
    int rate_remaining;
    const char *content_type;
    const char *body;
    enum answer_kind kind;
    const char *why; /* a part of it */
};

static const struct kind_case CASES[] = {
    {200, false, -1, JSON, "{\"pages\":[" ROW "]}", ANSWER_LIST, ""},
    {200, false, 0, JSON, "{\"pages\":[" ROW "]}", ANSWER_LIST, ""},
    {200, true, 0, HTML, "[{\"path\":\"/\",\"visitors\":1}]", ANSWER_LIST, ""},
    {200, false, -1, NULL, "{\"pages\":[" ROW ",7]}", ANSWER_LIST, ""},
    {200, false, -1, JSON, "{\"error\":\"x\",\"pages\":[" ROW "]}", ANSWER_LIST, ""},
    {200, false, -1, JSON, "{\"pages\":[]}", ANSWER_QUIET, ""},
    {200, false, -1, JSON, "[]", ANSWER_QUIET, ""},
    {200, false, -1, JSON, "\xef\xbb\xbf[]", ANSWER_QUIET, ""},
    {200, false, -1, JSON, "{\"pages\":[],\"error\":null,\"status\":\"ok\",\"message\":\"\"}", ANSWER_QUIET,
     ""},
    {200, false, -1, JSON, "{\"error\":\"maintenance\",\"pages\":[]}", ANSWER_NONE,
     "an error in place of pages"},
    {200, false, -1, JSON, "{\"pages\":[],\"status\":\"error\"}", ANSWER_NONE, "an error in place of pages"},
    {200, false, -1, JSON, "{\"pages\":[],\"status\":\"ERROR\"}", ANSWER_NONE, "an error in place of pages"},
    {200, false, -1, JSON, "{\"pages\":[],\"status\":503}", ANSWER_NONE, "an error in place of pages"},
    {200, false, -1, JSON, "{\"code\":\"500\",\"pages\":[]}", ANSWER_NONE, "an error in place of pages"},
    {200, false, -1, JSON, "{\"errors\":[\"x\"],\"pages\":[]}", ANSWER_NONE, "an error in place of pages"},
    {200, false, -1, JSON, "{\"fault\":{\"faultstring\":\"x\"},\"pages\":[]}", ANSWER_NONE,
     "an error in place of pages"},
    {200, false, -1, JSON, "{\"success\":false,\"pages\":[]}", ANSWER_NONE, "an error in place of pages"},
    {200, false, -1, JSON, "{\"ok\":false,\"pages\":[]}", ANSWER_NONE, "an error in place of pages"},
    {200, false, -1, JSON, "{\"ok\":true,\"status\":200,\"code\":0,\"errors\":[],\"pages\":[]}", ANSWER_QUIET,
     ""},
    {200, false, -1, JSON, "{\"success\":\"\",\"status\":\"4x4\",\"code\":4000,\"pages\":[]}", ANSWER_QUIET,
     ""},
    {200, false, -1, JSON, "{\"ok\":false,\"pages\":[" ROW "]}", ANSWER_LIST, ""},
    {200, false, -1, JSON, "{\"pages\":[" ROW "]}\xff", ANSWER_LIST, ""},
    {200, false, -1, JSON, "{\"pages\":[" ROW "]}\n\xe2\x80\x1a\n", ANSWER_LIST, ""},
    {200, false, -1, JSON, "[]\xef\xbb\xbf", ANSWER_QUIET, ""},
    {200, false, -1, JSON, "[]\xff]", ANSWER_NONE, "behind"},
    {200, false, -1, JSON, "{\"pages\":[" USELESS ",7]}", ANSWER_NONE,
     "no row that can be used, 2 of 2 rows: 1 that are no objects, 1 without a count"},
    {200, false, -1, JSON, "[7]", ANSWER_NONE, "no row"},
    {200, false, -1, JSON, "{\"status\":\"error\",\"reason\":\"maintenance\"}", ANSWER_NONE,
     "without a list"},
    {200, false, -1, JSON, "{\"pages\":null}", ANSWER_NONE, "no list"},
    {200, false, -1, JSON, "{\"pages\":{}}", ANSWER_NONE, "no list"},
    {200, false, -1, JSON, "{\"pages\":{\"0\":" ROW "}}", ANSWER_NONE, "no list"},
    {200, false, -1, JSON, "{\"pages\":\"\"}", ANSWER_NONE, "no list"},
    {200, false, -1, JSON, "{\"data\":{}}", ANSWER_NONE, "without a list"},
    {200, false, -1, JSON, "{\"data\":{\"pages\":[" ROW "]}}", ANSWER_NONE, "without a list"},
    {200, false, -1, JSON, "{}", ANSWER_NONE, "without a list"},
    {200, false, -1, JSON, "null", ANSWER_NONE, "neither"},
    {200, false, -1, JSON, "true", ANSWER_NONE, "neither"},
    {200, false, -1, JSON, "0", ANSWER_NONE, "neither"},
    {200, false, -1, JSON, "\"x\"", ANSWER_NONE, "neither"},
    {200, false, -1, JSON, "", ANSWER_NONE, "empty"},
    {200, false, -1, HTML, "<html>", ANSWER_NONE, "neither"},
    {200, false, -1, JSON, "{\"pages\":[" ROW, ANSWER_NONE, "cut short"},
    {200, false, -1, JSON, "{\"pages\":[" ROW "]}x", ANSWER_NONE, "behind"},
    {429, false, -1, JSON, "", ANSWER_LIMITED, "status 429"},
    {429, true, 0, HTML, "<html>", ANSWER_LIMITED, "status 429"},
    {403, true, -1, HTML, "<html>", ANSWER_LIMITED, "status 403 with a limit"},
    {403, true, 100, JSON, "{\"error\":\"x\"}", ANSWER_LIMITED, "limit"},
    {403, false, 0, JSON, "{\"error\":\"x\"}", ANSWER_LIMITED, "limit"},
    {403, false, 0, NULL, "", ANSWER_LIMITED, "limit"},
    {401, true, -1, JSON, "{\"error\":\"x\"}", ANSWER_LIMITED, "limit"},
    {401, false, 0, JSON, "{\"error\":\"x\"}", ANSWER_REFUSED, "status 401"},
    {401, false, 100, JSON, "{\"error\":\"x\"}", ANSWER_REFUSED, "status 401"},
    {403, false, 100, JSON, "{\"error\":\"x\"}", ANSWER_REFUSED, "status 403"},
    {403, false, -1, NULL, " \n[\"no\"]\n", ANSWER_REFUSED, "status 403"},
    {403, false, -1, HTML, "{\"message\":\"Forbidden\"}", ANSWER_REFUSED, "status 403"},
    {403, false, -1, JSON, "\xef\xbb\xbf{}", ANSWER_REFUSED, "status 403"},
    {401, false, -1, NULL, "", ANSWER_REFUSED, "status 401"},
    {401, false, -1, "text/plain", "Unauthorized", ANSWER_REFUSED, "status 401"},
    {401, false, -1, HTML, "", ANSWER_NONE, "words"},
    {401, false, -1, HTML, "<html>", ANSWER_NONE, "words"},
    {401, false, -1, JSON, " \n<!doctype html>", ANSWER_NONE, "words"},
    {401, false, -1, "application/xml", "Denied", ANSWER_NONE, "words"},
    {401, false, -1, "TEXT/HTML", "Denied", ANSWER_NONE, "words"},
    {403, false, -1, HTML, "<html>", ANSWER_NONE, "words"},
    {403, false, -1, NULL, "<html>", ANSWER_NONE, "words"},
    {403, false, -1, NULL, "", ANSWER_NONE, "words"},
    {403, false, -1, "text/plain", "error code: 1020", ANSWER_NONE, "words"},
    {403, false, -1, JSON, "{\"error\":\"cut", ANSWER_NONE, "words"},
    {403, false, -1, JSON, "{} <html>", ANSWER_NONE, "words"},
    {204, false, -1, JSON, "", ANSWER_NONE, "status 204"},
    {206, false, -1, JSON, "[]", ANSWER_NONE, "status 206"},
    {302, false, -1, JSON, "[]", ANSWER_NONE, "status 302"},
    {400, false, -1, JSON, "{\"error\":\"x\"}", ANSWER_NONE, "status 400"},
    {404, false, -1, JSON, "", ANSWER_NONE, "status 404"},
    {407, false, -1, JSON, "", ANSWER_NONE, "status 407"},
    {500, true, 0, JSON, "", ANSWER_NONE, "status 500"},
    {503, true, 0, HTML, "<html>", ANSWER_NONE, "status 503"},
};

static void test_kinds(void **state)
{
    (void)state;
    static const struct page_path_rules rules = {"demo.example", ""};
    for (size_t i = 0; i < COUNT(CASES); i++) {
        const struct kind_case *one = &CASES[i];
        const struct answer answer = {.status = one->status,
                                      .has_retry_after = one->has_retry_after,
                                      .rate_remaining = one->rate_remaining,
                                      .content_type = one->content_type,
                                      .body = one->body,
                                      .body_bytes = strlen(one->body)};
        struct arena arena;
        struct buffer why;
        struct toppages toppages = {.rows = 77};
        arena_init(&arena, ARENA_MAX_BYTES);
        buffer_init(&why, WHY_MAX_BYTES);
        enum answer_kind kind = answer_kind_of(&answer, &rules, &arena, &toppages, &why);
        bool is_list = kind == ANSWER_LIST || kind == ANSWER_QUIET;
        assert_case_int(one->body, kind, one->kind);
        assert_case(one->body, is_list ? why.len_bytes == 0 : why.data && strstr(why.data, one->why) != NULL);
        assert_case_int(one->body, toppages.rows == 77, !is_list);
        buffer_release(&why);
        arena_release(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kinds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
