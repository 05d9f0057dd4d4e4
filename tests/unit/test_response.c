#include "unit.h"

#include "http/response.h"

static struct response response;

static int set_up(void **state)
{
    (void)state;
    response_init(&response);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    response_release(&response);
    return 0;
}

/* How many lines of the head start so. */
static int lines_with(const char *start)
{
    int lines = 0;
    for (const char *at = response.head.data; at && *at; at = strstr(at, "\r\n"), at = at ? at + 2 : NULL)
        lines += strncmp(at, start, strlen(start)) == 0;
    return lines;
}

static void test_begin(void **state)
{
    (void)state;
    response_begin(&response, 200, "id-1");
    response_end(&response, false);
    assert_int_equal(response.status, 200);
    assert_int_equal(strncmp(response.head.data, "Status: 200 OK\r\n", 16), 0);
    assert_int_equal(lines_with("X-Request-Id: id-1\r\n"), 1);
    assert_int_equal(lines_with("Access-Control-Allow-Origin: *\r\n"), 1);
    assert_int_equal(lines_with("Vary: Accept, Authorization, X-CB-AK\r\n"), 1);
    assert_int_equal(lines_with("X-Content-Type-Options: nosniff\r\n"), 1);
    assert_int_equal(lines_with("Content-Length: 0\r\n"), 1);
    assert_string_equal(response.head.data + response.head.len_bytes - 4, "\r\n\r\n");
}

/* What nginx says for us is left out, and so is the status that it takes for granted. */
static void test_begin_behind_nginx(void **state)
{
    (void)state;
    response.nginx_adds_headers = true;
    response_begin(&response, 200, "id-1");
    assert_int_equal(response.head.len_bytes, 0);
    response_begin(&response, 404, "id-1");
    assert_string_equal(response.head.data, "Status: 404 Not Found\r\n");
    response.nginx_adds_headers = false;
}

static void test_begin_drops_what_was_before(void **state)
{
    (void)state;
    response_begin(&response, 200, "a");
    response_header(&response, "X-Old", "1");
    buffer_append_text(&response.body, "old");
    response_begin(&response, 503, "b");
    response_end(&response, false);
    assert_int_equal(response.status, 503);
    assert_int_equal(lines_with("X-Old"), 0);
    assert_int_equal(lines_with("Status: "), 1);
    assert_int_equal(response.body.len_bytes, 0);
}

/* Nothing that comes from outside can start a header of its own, or end the head. */
static void test_no_header_is_injected(void **state)
{
    (void)state;
    static const char *const values[] = {
        "x\r\nSet-Cookie: a=b", "x\nSet-Cookie: a=b", "x\rSet-Cookie: a=b", "x\r\n\r\n<html>", "\r\n", "\n",
        "x\x01\x1f\x7fy",
    };
    for (size_t i = 0; i < COUNT(values); i++) {
        response_begin(&response, 200, values[i]);
        response_header(&response, "X-Test", "%s", values[i]);
        response_end(&response, false);
        int lines = 0;
        for (const char *at = response.head.data; (at = strchr(at, '\n')); at++) {
            assert_true(at[-1] == '\r');
            lines++;
        }
        assert_int_equal(lines, 9);
        assert_int_equal(lines_with("Set-Cookie"), 0);
        assert_ptr_equal(strstr(response.head.data, "\r\n\r\n"),
                         response.head.data + response.head.len_bytes - 4);
        assert_null(strpbrk(response.head.data, "\x01\x1f\x7f"));
    }
}

static void test_long_values_are_cut(void **state)
{
    (void)state;
    char value[2000];
    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    response_begin(&response, 200, value);
    response_header(&response, "X-Test", "%s", value);
    response_end(&response, false);
    assert_int_equal(response.status, 200);
    assert_true(response.head.len_bytes < 1200);
}

static void test_length_and_body(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int status;
        bool head_only;
        int length_lines;
        size_t body_bytes;
    } cases[] = {
        {"GET", 200, false, 1, 5},
        {"HEAD", 200, true, 1, 0},
        {"304 has no length", 304, false, 0, 0},
        {"304 to HEAD", 304, true, 0, 0},
        {"204 has no length", 204, false, 0, 0},
        {"HEAD of an error", 503, true, 1, 0},
        {"an error", 404, false, 1, 5},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        response_begin(&response, cases[i].status, "-");
        buffer_append_text(&response.body, "12345");
        response_end(&response, cases[i].head_only);
        assert_case_int(cases[i].name, lines_with("Content-Length: 5\r\n"), cases[i].length_lines);
        assert_case_int(cases[i].name, lines_with("Content-Length: "), cases[i].length_lines);
        assert_case_int(cases[i].name, response.body.len_bytes, cases[i].body_bytes);
        assert_case_int(cases[i].name, response.status, cases[i].status);
    }
}

static void test_every_status_has_its_reason(void **state)
{
    (void)state;
    static const int statuses[] = {200, 204, 304, 400, 401, 403, 404, 405, 429, 500, 502, 503, 504};
    for (size_t i = 0; i < COUNT(statuses); i++) {
        response_begin(&response, statuses[i], "-");
        assert_null(strstr(response.head.data, "Unknown"));
    }
}

static void test_problems(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct problem problem;
        const char *body;
        const char *header; /* one that must be there */
    } cases[] = {
        {"a sentence",
         {.status = 404, .detail = "No such path."},
         "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,\"detail\":\"No such path.\","
         "\"request_id\":\"id\"}\n",
         "Status: 404 Not Found\r\n"},
        {"a parameter",
         {.status = 400,
          .detail = "is no number",
          .parameter = "limit",
          .bound = "1 to 2",
          .sent = "\"<x>\\"},
         "{\"type\":\"about:blank\",\"title\":\"Bad Request\",\"status\":400,\"detail\":\"limit is no "
         "number\","
         "\"parameter\":\"limit\",\"bound\":\"1 to "
         "2\",\"sent\":\"\\\"\\u003cx>\\\\\",\"request_id\":\"id\"}\n",
         "Content-Type: application/problem+json\r\n"},
        {"retry",
         {.status = 503, .retry_after_s = 7},
         "{\"type\":\"about:blank\",\"title\":\"Service "
         "Unavailable\",\"status\":503,\"request_id\":\"id\"}\n",
         "Retry-After: 7\r\n"},
        {"allow",
         {.status = 405, .allow = "GET, HEAD"},
         "{\"type\":\"about:blank\",\"title\":\"Method Not Allowed\",\"status\":405,\"request_id\":\"id\"}\n",
         "Allow: GET, HEAD\r\n"},
        {"JSONP",
         {.status = 502, .callback = "f"},
         "/**/f({\"type\":\"about:blank\",\"title\":\"Bad "
         "Gateway\",\"status\":502,\"request_id\":\"id\"});\n",
         "Status: 200 OK\r\n"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        response_problem(&response, "id", &cases[i].problem);
        response_end(&response, false);
        assert_case_text(cases[i].name, response.body.data, cases[i].body);
        assert_case_int(cases[i].name, lines_with(cases[i].header), 1);
        assert_case_int(cases[i].name, lines_with("Cache-Control: no-store\r\n"), 1);
        assert_case_int(cases[i].name, lines_with("Retry-After"), cases[i].problem.retry_after_s > 0);
        assert_case_int(cases[i].name, response.status,
                        cases[i].problem.callback ? 200 : cases[i].problem.status);
        assert_case_int(cases[i].name, response.told_status, cases[i].problem.status);
    }
}

static void test_an_answer_that_is_too_large_is_a_500(void **state)
{
    (void)state;
    response_begin(&response, 200, "-");
    while (response.body.status == STATUS_OK)
        buffer_append_text(&response.body,
                           "0123456789012345678901234567890123456789012345678901234567890123");
    response_end(&response, false);
    assert_int_equal(response.status, 500);
    assert_int_equal(lines_with("Status: 500 "), 1);
    assert_true(response.body.len_bytes < 100 && response.body.len_bytes > 0);

    response_begin(&response, 200, "-");
    for (int i = 0; i < 1000; i++)
        response_header(&response, "X-Test", "%d", i);
    response_end(&response, true);
    assert_int_equal(response.status, 500);
    assert_int_equal(lines_with("X-Test"), 0);
    assert_int_equal(response.body.len_bytes, 0);
}

static void test_clear(void **state)
{
    (void)state;
    response_begin(&response, 200, "-");
    buffer_append_text(&response.body, "x");
    response_clear(&response);
    assert_int_equal(response.status, 0);
    assert_int_equal(response.head.len_bytes, 0);
    assert_int_equal(response.body.len_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_begin),
        cmocka_unit_test(test_begin_behind_nginx),
        cmocka_unit_test(test_begin_drops_what_was_before),
        cmocka_unit_test(test_no_header_is_injected),
        cmocka_unit_test(test_long_values_are_cut),
        cmocka_unit_test(test_length_and_body),
        cmocka_unit_test(test_every_status_has_its_reason),
        cmocka_unit_test(test_problems),
        cmocka_unit_test(test_an_answer_that_is_too_large_is_a_500),
        cmocka_unit_test(test_clear),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
