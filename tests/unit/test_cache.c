#include "unit.h"

#include "base/cache.h"

#include <stdlib.h>

/* The value of the key as text, or "-". */
static const char *value_of(struct cache *cache, const char *key)
{
    const char *value = cache_find(cache, key, strlen(key), NULL);
    return value ? value : "-";
}

static bool put(struct cache *cache, const char *key, const char *value)
{
    return cache_put(cache, key, strlen(key), value, strlen(value) + 1);
}

/* One line a case: "+abc" puts the value "bc" under the key "a", "?a" finds it, "xa" removes it. Keys and
 * values have a byte each, with the NUL of the value 3 bytes an entry or more. */
static void test_which_entry_is_dropped(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t max_entries, max_bytes;
        const char *steps[8];
        const char *left; /* of the keys a to e */
    } cases[] = {
        {"empty", 3, 100, {NULL}, ""},
        {"all fit", 3, 100, {"+a1", "+b1", "+c1"}, "abc"},
        {"the oldest goes", 3, 100, {"+a1", "+b1", "+c1", "+d1"}, "bcd"},
        {"a hit keeps an entry", 3, 100, {"+a1", "+b1", "+c1", "?a", "+d1"}, "acd"},
        {"a miss changes nothing", 3, 100, {"+a1", "+b1", "+c1", "?e", "+d1"}, "bcd"},
        {"a new value keeps an entry", 3, 100, {"+a1", "+b1", "+c1", "+a2", "+d1"}, "acd"},
        {"bytes", 9, 9, {"+a1", "+b1", "+c1", "+d1"}, "bcd"},
        {"bytes to the last", 9, 9, {"+a1", "+b1", "+c1"}, "abc"},
        {"a large one drops several", 9, 9, {"+a1", "+b1", "+c1", "+d1234"}, "cd"},
        {"the largest drops all", 9, 9, {"+a1", "+b1", "+d1234567"}, "d"},
        {"too large, others stay", 9, 9, {"+a1", "+b1", "+d12345678"}, "ab"},
        {"too large in place of another", 9, 9, {"+a1", "+b1", "+a12345678"}, "b"},
        {"removed", 3, 100, {"+a1", "+b1", "xa", "xe"}, "b"},
        {"room after a removal", 3, 100, {"+a1", "+b1", "+c1", "xb", "+d1"}, "acd"},
        {"no entries", 0, 100, {"+a1"}, ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct cache *cache = cache_new(cases[i].max_entries, cases[i].max_bytes);
        assert_non_null(cache);
        for (size_t step = 0; step < COUNT(cases[i].steps) && cases[i].steps[step]; step++) {
            const char *text = cases[i].steps[step];
            if (*text == '+')
                (void)cache_put(cache, text + 1, 1, text + 2, strlen(text + 2) + 1);
            else if (*text == '?')
                (void)cache_find(cache, text + 1, 1, NULL);
            else
                cache_remove(cache, text + 1, 1);
        }
        char left[8] = "";
        size_t count = 0;
        for (const char *key = "abcde"; *key; key++) {
            if (cache_find(cache, key, 1, NULL))
                left[count++] = *key;
        }
        assert_case_text(cases[i].name, left, cases[i].left);
        assert_case(cases[i].name, cache_bytes(cache) <= cases[i].max_bytes);
        cache_free(cache);
    }
}

static void test_values(void **state)
{
    (void)state;
    struct cache *cache = cache_new(10, 1000);
    char text[] = "first";
    size_t len_bytes = 7;
    assert_string_equal(value_of(cache, "a"), "-");
    assert_null(cache_find(cache, "a", 1, &len_bytes));
    assert_int_equal(len_bytes, 7);
    assert_true(put(cache, "a", text));
    text[0] = 'X'; /* the cache has a copy */
    assert_string_equal(value_of(cache, "a"), "first");
    assert_non_null(cache_find(cache, "a", 1, &len_bytes));
    assert_int_equal(len_bytes, sizeof text);
    assert_true(put(cache, "a", "second"));
    assert_string_equal(value_of(cache, "a"), "second");
    assert_string_equal(value_of(cache, "ab"), "-");
    assert_true(cache_put(cache, "k\0a", 3, "1", 2) && cache_put(cache, "k\0b", 3, "2", 2));
    assert_string_equal(cache_find(cache, "k\0a", 3, NULL), "1");
    assert_true(cache_put(cache, "none", 4, NULL, 0));
    assert_non_null(cache_find(cache, "none", 4, &len_bytes));
    assert_int_equal(len_bytes, 0);
    cache_free(cache);
    cache_free(NULL);
}

static void test_reserved_room_is_aligned_and_stays(void **state)
{
    (void)state;
    struct cache *cache = cache_new(10, 1000);
    void *room = cache_reserve(cache, "a", 1, 40);
    assert_non_null(room);
    assert_int_equal((uintptr_t)room % _Alignof(max_align_t), 0);
    memset(room, 'x', 40);
    assert_true(put(cache, "b", "1"));
    assert_ptr_equal(cache_find(cache, "a", 1, NULL), room);
    assert_null(cache_reserve(cache, "a", 1, 1000));
    assert_null(cache_reserve(cache, "a", 1, SIZE_MAX));
    assert_null(cache_find(cache, "a", 1, NULL));
    cache_free(cache);
}

/* Entries of all sizes in any order, against a model that knows when each key was used last. */
static void test_against_a_model(void **state)
{
    (void)state;
    enum { STEPS = 20000, KEYS = 40, MAX_ENTRIES = 12, MAX_BYTES = 4000 };
    struct {
        size_t len_bytes; /* 0: not there */
        int used_at;
    } model[KEYS] = {{0, 0}};
    static char bytes[MAX_BYTES];
    struct cache *cache = cache_new(MAX_ENTRIES, MAX_BYTES);
    srand(5);
    for (int now = 1; now <= STEPS; now++) {
        int key = rand() % KEYS;
        size_t len_bytes = 0;
        if (rand() % 2) {
            bool is_found = cache_find(cache, &key, sizeof key, &len_bytes) != NULL;
            assert_int_equal(is_found, model[key].len_bytes > 0);
            assert_int_equal(len_bytes, model[key].len_bytes);
            model[key].used_at = now;
            continue;
        }
        len_bytes = 1 + (size_t)rand() % 900;
        assert_true(cache_put(cache, &key, sizeof key, bytes, len_bytes));
        model[key].len_bytes = len_bytes;
        model[key].used_at = now;
        for (;;) {
            size_t total = 0, count = 0;
            int oldest = -1;
            for (int i = 0; i < KEYS; i++) {
                if (model[i].len_bytes == 0)
                    continue;
                count++;
                total += model[i].len_bytes + sizeof key;
                if (oldest < 0 || model[i].used_at < model[oldest].used_at)
                    oldest = i;
            }
            if (count <= MAX_ENTRIES && total <= MAX_BYTES) {
                assert_int_equal(cache_bytes(cache), total);
                break;
            }
            model[oldest].len_bytes = 0;
        }
    }
    cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_which_entry_is_dropped),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_reserved_room_is_aligned_and_stays),
        cmocka_unit_test(test_against_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
