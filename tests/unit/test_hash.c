#include "unit.h"

#include "base/hash.h"

/* Vectors of draft-eastlake-fnv, appendix C. */
static void test_vectors(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t hash;
    } cases[] = {
        {"", UINT64_C(0xcbf29ce484222325)},
        {"a", UINT64_C(0xaf63dc4c8601ec8c)},
        {"foobar", UINT64_C(0x85944171f73967e8)},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_case(cases[i].text, hash_text(HASH_START, cases[i].text) == cases[i].hash);
        assert_case(cases[i].text,
                    hash_bytes(HASH_START, cases[i].text, strlen(cases[i].text)) == cases[i].hash);
    }
    assert_true(hash_bytes(7, NULL, 0) == 7);
}

static void test_it_goes_on(void **state)
{
    (void)state;
    assert_true(hash_text(hash_text(HASH_START, "foo"), "bar") == hash_text(HASH_START, "foobar"));
    assert_true(hash_bytes(HASH_START, "a\0b", 3) != hash_bytes(HASH_START, "a\0c", 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_it_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
