#include "unit.h"

#include "base/timestamp.h"

static const struct {
    const char *text;
    time_us at; /* -1: refused */
} CASES[] = {
    {"2026-11-24T16:00Z", INT64_C(1795536000000000)},
    {"2026-11-24T16:00:00Z", INT64_C(1795536000000000)},
    {"2026-11-24T16:00:30.5Z", INT64_C(1795536030500000)},
    {"2026-11-24T16:00:30.123456Z", INT64_C(1795536030123456)},
    {"2026-11-24T17:00+01:00", INT64_C(1795536000000000)},
    {"2026-11-24T17:00 01:00", INT64_C(1795536000000000)},
    {"2026-11-24T21:45:00+05:45", INT64_C(1795536000000000)},
    {"2026-11-24T12:30-03:30", INT64_C(1795536000000000)},
    {"2024-02-29T00:00Z", INT64_C(1709164800000000)},
    {"2000-01-01T00:00Z", INT64_C(946684800000000)},
    {"2099-12-31T23:59:59Z", INT64_C(4102444799000000)},
    {"", -1},
    {"now", -1},
    {"1795536000", -1},
    {"2026-11-24", -1},
    {"2026-11-24T16", -1},
    {"2026-11-24T16:00", -1},
    {"2026-11-24 16:00Z", -1},
    {"2026-11-24T16:00z", -1},
    {"2026-11-24T16:00ZZ", -1},
    {"2026-11-24T16:00:Z", -1},
    {"2026-11-24T16:00:30.Z", -1},
    {"2026-11-24T16:00:30.1234567Z", -1},
    {"2026-02-29T00:00Z", -1},
    {"2026-04-31T00:00Z", -1},
    {"2026-13-01T00:00Z", -1},
    {"2026-00-01T00:00Z", -1},
    {"2026-01-00T00:00Z", -1},
    {"2026-01-01T24:00Z", -1},
    {"2026-01-01T00:60Z", -1},
    {"2026-01-01T00:00:60Z", -1},
    {"1999-12-31T23:59Z", -1},
    {"2100-01-01T00:00Z", -1},
    {"2026-11-24T17:00+0100", -1},
    {"2026-11-24T17:00+01", -1},
    {"2026-11-24T17:00+16:00", -1},
    {"2026-11-24T17:00+01:60", -1},
    {"2026-11-24T17:00*01:00", -1},
    {"+026-11-24T16:00Z", -1},
    {"2026-1-24T16:00Z", -1},
};

static void test_parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        time_us at = -1;
        enum status result = timestamp_parse(CASES[i].text, &at);
        if (at != CASES[i].at || (result == STATUS_OK) != (at >= 0))
            fail_msg("%s: %lld", CASES[i].text, (long long)at);
    }
}

static void test_write(void **state)
{
    (void)state;
    char text[TIMESTAMP_BYTES];
    struct buffer out;
    buffer_init(&out, 100);
    timestamp_write(INT64_C(1795536030123456), text);
    assert_string_equal(text, "2026-11-24T16:00:30.123456Z");
    timestamp_put(&out, INT64_C(1795536030123456));
    assert_string_equal(out.data, "2026-11-24T16:00:30.123Z");
    buffer_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_parse), cmocka_unit_test(test_write)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
