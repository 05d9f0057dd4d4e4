#include "unit.h"

#include "base/timestamp.h"

static const struct {
    const char *text;
    time_us at; /* -1: refused */
    const char *why;
} CASES[] = {
    {"2026-11-24T16:00Z", INT64_C(1795536000000000), ""},
    {"2026-11-24T16:00:00Z", INT64_C(1795536000000000), ""},
    {"2026-11-24t16:00:00z", INT64_C(1795536000000000), ""},
    {"2026-11-24T16:00:30.5Z", INT64_C(1795536030500000), ""},
    {"2026-11-24T16:00:30,5Z", INT64_C(1795536030500000), ""},
    {"2026-11-24T16:00:30.123456Z", INT64_C(1795536030123456), ""},
    {"2026-11-24T16:00:30.1234567Z", INT64_C(1795536030123456), ""},
    {"2026-11-24T16:00:30.123456999Z", INT64_C(1795536030123456), ""},
    {"2026-11-24T16:00:30.00000000000000000000000000000009Z", INT64_C(1795536030000000), ""},
    {"2026-11-24T17:00+01:00", INT64_C(1795536000000000), ""},
    {"2026-11-24T17:00 01:00", INT64_C(1795536000000000), ""},
    {"2026-11-24T17:00+0100", INT64_C(1795536000000000), ""},
    {"2026-11-24T17:00+01", INT64_C(1795536000000000), ""},
    {"2026-11-24T17:00 01", INT64_C(1795536000000000), ""},
    {"2026-11-24T21:45:00+05:45", INT64_C(1795536000000000), ""},
    {"2026-11-24T21:45:00+0545", INT64_C(1795536000000000), ""},
    {"2026-11-24T12:30-03:30", INT64_C(1795536000000000), ""},
    /* As Python's str(), pandas, PostgreSQL and Ruby print one. */
    {"2026-11-24 16:00Z", INT64_C(1795536000000000), ""},
    {"2026-11-24 17:00:00+01:00", INT64_C(1795536000000000), ""},
    {"2026-11-24 17:00:00 01:00", INT64_C(1795536000000000), ""},
    {"2026-11-24 16:00:00.123456+00", INT64_C(1795536000123456), ""},
    {"2026-11-24 17:00:00 +0100", INT64_C(1795536000000000), ""},
    {"2026-11-24 17:00:00  0100", INT64_C(1795536000000000), ""},
    {"2026-11-24 15:00:00 -0100", INT64_C(1795536000000000), ""},
    {"2026-11-24 16:00:00 UTC", INT64_C(1795536000000000), ""},
    /* With the name of a zone behind it (RFC 9557), as Java and JavaScript print one. */
    {"2026-11-24T17:00+01:00[Europe/Berlin]", INT64_C(1795536000000000), ""},
    {"2026-11-24T16:00:00Z[UTC]", INT64_C(1795536000000000), ""},
    {"2026-11-24T16:00Z[Etc/UTC][u-ca=iso8601]", INT64_C(1795536000000000), ""},
    {"2024-02-29T00:00Z", INT64_C(1709164800000000), ""},
    {"2000-01-01T00:00Z", INT64_C(946684800000000), ""},
    {"2099-12-31T23:59:59Z", INT64_C(4102444799000000), ""},
    {"1795536000", INT64_C(1795536000000000), ""},
    {"1795536000.5", INT64_C(1795536000500000), ""},
    {"1795536000.1234567", INT64_C(1795536000123456), ""},
    {"1795536000123", INT64_C(1795536000123000), ""},
    {"1795536000123.4567", INT64_C(1795536000123456), ""},
    {"946684800", INT64_C(946684800000000), ""},
    {"946684800000", INT64_C(946684800000000), ""},
    {"4102444799", INT64_C(4102444799000000), ""},
    {"4102444799999", INT64_C(4102444799999000), ""},
    {"4102444800", -1, "years"},
    {"4102444800000", -1, "years"},
    {"946684799", -1, "years"},
    {"946684799999", -1, "years"},
    {"0", -1, "years"},
    {"99999999999999999999", -1, "years"},
    {"1795536000.", -1, "not a time"},
    {"1795536000.5.5", -1, "not a time"},
    {"1795536000s", -1, "not a time"},
    {"-1795536000", -1, "not a time"},
    {"1.8e9", -1, "not a time"},
    {"", -1, "not a time"},
    {"now", -1, "not a time"},
    {"2026-11-24T16", -1, "not a time"},
    {"2026-11-24T16:00", -1, "offset"},
    {"2026-11-24T16:00ZZ", -1, "not a time"},
    {"2026-11-24 16:00:00", -1, "offset"},
    {"2026-11-24 16:00:00 ", -1, "offset"},
    {"2026-11-24 ", -1, "not a time"},
    {"2026-11-24  16:00Z", -1, "not a time"},
    {"2026-11-24 16:00:00 CET", -1, "not a time"},
    {"2026-11-24 16:00:00 UTCx", -1, "not a time"},
    {"2026-11-24T16:00:00[Europe/Berlin]", -1, "not a time"},
    {"2026-11-24T16:00Z[UTC", -1, "not a time"},
    {"2026-11-24T16:00Z[]", -1, "not a time"},
    {"2026-11-24T16:00Z[UTC]x", -1, "not a time"},
    {"2026-11-24[UTC]", -1, "not a time"},
    {"2026-11-24T16:00:Z", -1, "not a time"},
    {"2026-11-24T16:00:30.Z", -1, "not a time"},
    {"2026-02-29T00:00Z", -1, "day"},
    {"2026-04-31T00:00Z", -1, "day"},
    {"2026-13-01T00:00Z", -1, "day"},
    {"2026-00-01T00:00Z", -1, "day"},
    {"2026-01-00T00:00Z", -1, "day"},
    {"2026-01-01T24:00Z", -1, "time of day"},
    {"2026-01-01T00:60Z", -1, "time of day"},
    {"2026-01-01T00:00:60Z", -1, "time of day"},
    {"1999-12-31T23:59Z", -1, "years"},
    {"2100-01-01T00:00Z", -1, "years"},
    {"2026-11-24T17:00+16:00", -1, "offset"},
    {"2026-11-24T17:00+01:60", -1, "offset"},
    {"2026-11-24T17:00+01:", -1, "offset"},
    {"2026-11-24T17:00+011", -1, "offset"},
    {"2026-11-24T17:00+", -1, "offset"},
    {"2026-11-24T17:00*01:00", -1, "not a time"},
    {"+026-11-24T16:00Z", -1, "not a time"},
    {"2026-1-24T16:00Z", -1, "not a time"},
    {"2026-11-24-", -1, "not a time"},
};

static void test_parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct timestamp timestamp = {.at = -1};
        const char *why = "";
        enum status result = timestamp_parse(CASES[i].text, &timestamp, &why);
        if (timestamp.at != CASES[i].at || (result == STATUS_OK) != (timestamp.at >= 0) || timestamp.is_date)
            fail_msg("%s: %lld", CASES[i].text, (long long)timestamp.at);
        if (!strstr(why, CASES[i].why))
            fail_msg("%s: %s", CASES[i].text, why);
    }
}

static void test_dates(void **state)
{
    (void)state;
    struct timestamp timestamp = {0};
    const char *why = NULL;
    assert_int_equal(timestamp_parse("2026-11-24", &timestamp, &why), STATUS_OK);
    assert_true(timestamp.is_date);
    assert_true(timestamp.at == INT64_C(1795478400000000));
    assert_int_equal(timestamp_parse("2026-02-30", &timestamp, &why), STATUS_INVALID);
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_parse), cmocka_unit_test(test_dates),
                                       cmocka_unit_test(test_write)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
