#include "unit.h"

#include "http/cache_headers.h"

/* A second of nginx's clock begins at 7000; the lifetime is 3 s, and stale answers are served for 1 s and for
 * 300 s. */
static void test_headers(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t now_ms, age_ms, copy_ms;
        bool is_behind_cache;
        int64_t copied_for_ms;
        int age_s;
        const char *expires, *for_nginx, *good_in;
    } cases[] = {
        {"no cache in front", 7300, 400, 3600, false, 0, 0, "", "", ""},
        {"no cache in front, old", 7300, 2999, 1001, false, 0, 2, "", "", ""},
        {"copied to the end of the second", 7300, 400, 3600, true, 700, 1, "@7",
         "stale-while-revalidate=1, stale-if-error=200", "7 8"},
        {"at the start of a second", 7000, 0, 4000, true, 1000, 1, "@7",
         "stale-while-revalidate=1, stale-if-error=200", "7 8"},
        {"at the end of a second", 7999, 100, 3900, true, 1, 0, "@7",
         "stale-while-revalidate=1, stale-if-error=200", "7 8"},
        {"a copy that may not be served once more", 7000, 2500, 1500, true, 1000, 3, "@7",
         "stale-while-revalidate=0, stale-if-error=200", "7 8"},
        {"just once more", 7000, 2000, 2000, true, 1000, 3, "@7",
         "stale-while-revalidate=1, stale-if-error=200", "7 8"},
        {"no copy lasts to the end of the second", 7000, 3100, 900, true, 0, 3, "@6",
         "stale-while-revalidate=0, stale-if-error=200", "0 0"},
        {"stale", 7300, 9000, 0, true, 0, 9, "@6", "stale-while-revalidate=0, stale-if-error=200", "0 0"},
        {"from the future", 7300, -500, 4000, true, 700, 0, "@7",
         "stale-while-revalidate=1, stale-if-error=200", "7 8"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct cache_headers headers = cache_headers_of(&(struct cache_times){
            .now_ms = cases[i].now_ms,
            .age_ms = cases[i].age_ms,
            .lifetime_ms = 3000,
            .copy_ms = cases[i].copy_ms,
            .copy_stale_ms = 1000,
            .copy_error_ms = 200999,
            .stale_error_ms = 300000,
            .is_behind_cache = cases[i].is_behind_cache,
        });
        assert_case_int(cases[i].name, headers.copied_for_ms, cases[i].copied_for_ms);
        assert_case_int(cases[i].name, headers.age_s, cases[i].age_s);
        assert_case_text(cases[i].name, headers.x_accel_expires, cases[i].expires);
        assert_case_text(cases[i].name, headers.nginx_cache_control, cases[i].for_nginx);
        assert_case_text(cases[i].name, headers.good_in, cases[i].good_in);
        assert_case_text(cases[i].name, headers.cache_control,
                         "private, max-age=3, stale-while-revalidate=1, stale-if-error=300");
    }
}

/* Kept until there may be a newer row, in the second in which that ends; the copy may outlive that by 2 s. */
static void test_copies_until_the_row_is_due(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t now_ms, age_ms, due_ms, copy_ms, copied_for_ms;
        int age_s;
        const char *expires, *for_nginx;
    } cases[] = {
        {"a new row", 7300, 400, 2600, 4600, 2700, 3, "@9", "stale-while-revalidate=1, stale-if-error=200"},
        {"due at the start of a second", 7000, 0, 3000, 5000, 4000, 4, "@10",
         "stale-while-revalidate=1, stale-if-error=200"},
        {"due in this second", 7300, 2900, 100, 2100, 700, 3, "@7",
         "stale-while-revalidate=1, stale-if-error=200"},
        {"the key must be checked before", 7300, 400, 2600, 2000, 700, 1, "@7",
         "stale-while-revalidate=1, stale-if-error=200"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct cache_headers headers = cache_headers_of(&(struct cache_times){
            .now_ms = cases[i].now_ms,
            .age_ms = cases[i].age_ms,
            .lifetime_ms = 3000,
            .copy_ms = cases[i].copy_ms,
            .due_ms = cases[i].due_ms,
            .copy_stale_ms = 1000,
            .copy_error_ms = 200999,
            .stale_error_ms = 300000,
            .is_behind_cache = true,
        });
        assert_case_int(cases[i].name, headers.copied_for_ms, cases[i].copied_for_ms);
        assert_case_int(cases[i].name, headers.age_s, cases[i].age_s);
        assert_case_text(cases[i].name, headers.x_accel_expires, cases[i].expires);
        assert_case_text(cases[i].name, headers.nginx_cache_control, cases[i].for_nginx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_headers),
                                       cmocka_unit_test(test_copies_until_the_row_is_due)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
