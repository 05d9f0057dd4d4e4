#include "unit.h"

#include "base/token.h"

#define ZERO "ubt_000000000000000000000000000"

static void test_writing(void **state)
{
    (void)state;
    static const struct {
        unsigned char byte; /* of all bytes */
        const char *digits; /* of the number, by Python's int.from_bytes() and divmod() */
    } cases[] = {
        {0x00, "000000000000000000000000000"},
        {0x01, "08scxQNHVpFTZAuVqZq347lZyZV"},
        {0xff, "aWgEPTl1tmebfsQzFP4bxwgy80V"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        unsigned char random[TOKEN_RANDOM_BYTES];
        char text[TOKEN_BYTES + 1];
        const char *why = NULL;
        memset(random, cases[i].byte, sizeof random);
        token_write(random, text);
        assert_case(cases[i].digits, strlen(text) == TOKEN_BYTES);
        assert_case(cases[i].digits, token_check(text, strlen(text), &why) == STATUS_OK);
        assert_case(cases[i].digits, memcmp(text, "ubt_", 4) == 0);
        assert_case_bytes(cases[i].digits, text + 4, (size_t)27, cases[i].digits);
    }
}

static void test_checking(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len_bytes;
        const char *why; /* words that the reason holds */
    } cases[] = {
        {BYTES("ubt_"), "cut off"},
        {BYTES(""), "cut off"},
        {BYTES(ZERO "00000"), "cut off"},
        {BYTES(ZERO "0000000"), "longer"},
        {BYTES(ZERO "000000"), "checksum"},
        {BYTES("ubt_00000000000000000000000000-000000"), "neither"},
        {BYTES("ubt_00000000000000000000000000\0"
               "000000"),
         "neither"},
        {BYTES("ubt_0000000000000000000000000\xc3\xa4"
               "000000"),
         "neither"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *why = NULL;
        assert_case(cases[i].text, token_check(cases[i].text, cases[i].len_bytes, &why) == STATUS_INVALID);
        assert_case(cases[i].text, why && strstr(why, cases[i].why));
    }
}

/* Each single character that is another one, and each two neighbours that changed places. */
static void test_typing_errors(void **state)
{
    (void)state;
    static const unsigned char random[TOKEN_RANDOM_BYTES] = {7, 200, 13, 99, 1, 2, 3, 4, 5, 6, 250};
    char text[TOKEN_BYTES + 1];
    const char *why = NULL;
    token_write(random, text);
    for (size_t i = 4; i < TOKEN_BYTES; i++) {
        char was = text[i];
        for (const char *other = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"; *other;
             other++) {
            text[i] = *other;
            assert_case(text, (token_check(text, TOKEN_BYTES, &why) == STATUS_OK) == (*other == was));
        }
        text[i] = was;
        if (i + 1 < TOKEN_BYTES && text[i] != text[i + 1]) {
            text[i] = text[i + 1];
            text[i + 1] = was;
            assert_case(text, token_check(text, TOKEN_BYTES, &why) == STATUS_INVALID);
            text[i + 1] = text[i];
            text[i] = was;
        }
    }
}

static void test_words(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned fields; /* 0: refused */
    } cases[] = {
        {"i", 1},      {"i,path", 3},
        {"path,i", 3}, {"visitors,change", 12},
        {"i,i", 1},    {"i,path,visitors,change", 15},
        {"", 0},       {",", 0},
        {"i,", 0},     {",i", 0},
        {"I", 0},      {"i path", 0},
        {"rank", 0},   {"pathx", 0},
        {"pat", 0},
    };
    enum token_may may = TOKEN_MAYS;
    for (size_t i = 0; i < COUNT(cases); i++) {
        unsigned fields = 0;
        enum status wanted = cases[i].fields ? STATUS_OK : STATUS_INVALID;
        assert_case(cases[i].text, token_fields_parse(cases[i].text, &fields) == wanted);
        assert_case_int(cases[i].text, fields, cases[i].fields);
    }
    assert_int_equal(token_may_parse("lis", &may), STATUS_INVALID);
    assert_int_equal(token_may_parse("", &may), STATUS_INVALID);
    assert_int_equal(may, TOKEN_MAYS);
    assert_int_equal(token_may_parse("box", &may), STATUS_OK);
    assert_int_equal(may, TOKEN_BOX);
    assert_true(token_has_mark("ubt_"));
    assert_true(token_has_mark("ubt_x"));
    assert_false(token_has_mark("ubt"));
    assert_false(token_has_mark("UBT_x"));
    assert_false(token_has_mark(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writing),
        cmocka_unit_test(test_checking),
        cmocka_unit_test(test_typing_errors),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
