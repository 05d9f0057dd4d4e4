#include "unit.h"

#include "http/file_name.h"

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *host, *path, *name;
    } cases[] = {
        {"demo.example", "/api/v1.0/history", "demo.example-history-20261125T031500Z.csv"},
        {"video@demo.example", "/api/v1.0/hours", "video_demo.example-hours-20261125T031500Z.csv"},
        {"", "/api/v1.0/hosts", "upbeat-hosts-20261125T031500Z.csv"},
        {NULL, NULL, "upbeat--20261125T031500Z.csv"},
        {"../etc/passwd", "/a", "_._etc_passwd-a-20261125T031500Z.csv"},
        {"a\"b\r\nX: y", "/;c", "a_b__X__y-_c-20261125T031500Z.csv"},
        {A64 "a", "/" A64 "a", A64 "-" A64 "-20261125T031500Z.csv"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char name[FILE_NAME_BYTES];
        file_name_csv(cases[i].host, cases[i].path, 1795576500, name);
        assert_case_text(cases[i].name, name, cases[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
