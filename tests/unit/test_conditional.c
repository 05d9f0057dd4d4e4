#include "unit.h"

#include "http/conditional.h"

static void test_if_none_match(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        bool matches;
    } cases[] = {
        {"\"abc\"", true},
        {"W/\"abc\"", true},
        {"*", true},
        {" * ", true},
        {"  \"abc\"", true},
        {"\"x\", \"abc\"", true},
        {"\"x\",\"abc\"", true},
        {"\"x\" , W/\"abc\" , \"y\"", true},
        {",,\"abc\"", true},
        {"\"x\",,\t\"abc\"", true},
        {"\"x,y\", \"abc\"", true},
        {"\"abc\" and what comes after", true},
        {NULL, false},
        {"", false},
        {" ", false},
        {",", false},
        {"\"ab\"", false},
        {"\"abcd\"", false},
        {"\"ABC\"", false},
        {"abc", false},
        {"\"abc", false},
        {"abc\"", false},
        {"w/\"abc\"", false},
        {"W/ \"abc\"", false},
        {"W/", false},
        {"W", false},
        {"\"\"", false},
        {"\"", false},
        {"**", false},
        {"*, \"abc\"", false},
        {"\"x\" \"abc\"", false},
        {"\"x\";\"abc\"", false},
        {"x, \"abc\"", false},
        {"\"x\"\"abc\"", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_case_int(cases[i].header ? cases[i].header : "absent",
                        etag_matches(cases[i].header, "\"abc\""), cases[i].matches);
}

static void test_accept(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        bool is_csv;
    } cases[] = {
        {"text/csv", true},
        {"TEXT/CSV", true},
        {" text/csv ", true},
        {"text/csv; header=present", true},
        {"text/csv;header=present;q=0.5", true},
        {"text/csv, */*;q=0.1", true},
        {"text/csv, */*", true},
        {"text/csv;q=0.001", true},
        {"application/json;q=0.5, text/csv", true},
        {"text/csv;q=0.8,application/json;q=0.7", true},
        {"text/csv;Q=0.8, application/json;q=0.799", true},
        {"application/json;q=0, text/csv;q=0.1", true},
        {"text/csv ; q=1.000", true},
        {"text/html, text/csv", true},
        {",,text/csv,,", true},
        {NULL, false},
        {"", false},
        {",", false},
        {"*/*", false},
        {"text/*", true},
        {"text/ *", false},
        {"*/csv", false},
        {"application/json", false},
        {"text/csv, application/json", false},
        {"application/json, text/csv", false},
        {"text/csv;q=0.5, application/json;q=0.5", false},
        {"text/csv;q=0.5, application/json", false},
        {"text/csv;q=0.1, */*", false},
        {"text/csv;q=0.1, */*;q=0.05", true},
        {"text/*, application/json;q=0.9", true},
        {"text/*;q=0.5, application/json", false},
        {"application/json;q=0, */*", true},
        {"application/json;q=0", false},
        {"application/*;q=0.2, */*;q=0.3", true},
        {"text/csv;q=0, text/*", false},
        {"*/*;q=0.5, application/json;q=0.4", true},
        {"*/*;q=0", false},
        {"text/csv;charset=UTF-8", true},
        {"text/csv;charset=\"utf-8\"", true},
        {"text/csv;charset=utf-16", false},
        {"text/csv;header=absent, application/json;q=0.1", false},
        {"application/json;charset=utf-8, text/csv;q=0.9", false},
        {"text/csv;x=\"a,application/json\"", false},
        {"text/csv;q=0.2;x=1", true},
        {"text/html,application/xml;q=0.9,*/*;q=0.8", false},
        {"text/csv;x=\"", false},
        {"text/csv;q=0", false},
        {"text/csv;q=0.0", false},
        {"text/csv;q=0.000", false},
        {"text/csv;q=", false},
        {"text/csv;q=x", false},
        {"text/csv;q=2", false},
        {"text/csv;q=1.5", false},
        {"text/csv;q=0.5x", false},
        {"text/csv;q=10", false},
        {"text/csv;q=0.5000", false},
        {"text/csv;q=-1", false},
        {"text/csvx", false},
        {"text/cs", false},
        {"xtext/csv", false},
        {"text/plain; x=text/csv", false},
        {"text/csv/x", false},
        {"*/*;header=present", false},
        {"*/*;header=present;q=0.5", false},
        {"*/*;charset=utf-16, text/csv;q=0.1", false},
        {"application/json ; q = 0.1, */*", true},
        {"application/json;charset=\"utf-8\";q=0.1, */*", true},
    };
    static const struct media_offer offers[] = {{"application/json", "charset=utf-8"},
                                                {"text/csv", "charset=utf-8;header=present"}};
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_case_int(cases[i].header ? cases[i].header : "absent",
                        accept_choose(cases[i].header, offers, COUNT(offers)), cases[i].is_csv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_if_none_match),
        cmocka_unit_test(test_accept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
