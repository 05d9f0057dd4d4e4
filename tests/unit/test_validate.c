#include "unit.h"

#include "base/validate.h"

#define A63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A61 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void test_hosts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len_bytes;
        const char *host; /* NULL: refused */
        const char *why;  /* words that the reason holds */
    } cases[] = {
        {BYTES("example.com"), "example.com", NULL},
        {BYTES("ExAmple.COM"), "example.com", NULL},
        {BYTES("localhost"), "localhost", NULL},
        {BYTES("a"), "a", NULL},
        {BYTES("1.2.3.4"), "1.2.3.4", NULL},
        {BYTES("xn--bcher-kva.example"), "xn--bcher-kva.example", NULL},
        {BYTES("a--b.c"), "a--b.c", NULL},
        {BYTES(A63 ".b"), A63 ".b", NULL},
        {BYTES(A63 "." A63 "." A63 "." A61), A63 "." A63 "." A63 "." A61, NULL},
        {BYTES(A63 "." A63 "." A63 "." A61 "b"), NULL, "longer than 253 bytes"},
        {BYTES(A63 "a.b"), NULL, "longer than 63 bytes"},
        {BYTES(""), NULL, "is empty"},
        {BYTES("."), NULL, "empty label"},
        {BYTES(".example.com"), NULL, "empty label"},
        {BYTES("example.com."), NULL, "empty label"},
        {BYTES("example..com"), NULL, "empty label"},
        {BYTES("-example.com"), NULL, "hyphen"},
        {BYTES("example-.com"), NULL, "hyphen"},
        {BYTES("a.-b"), NULL, "hyphen"},
        {BYTES("-"), NULL, "hyphen"},
        {BYTES("example.com:80"), NULL, "has a port"},
        {BYTES("example.com:"), NULL, "has a port"},
        {BYTES("http://example.com"), NULL, "has a scheme"},
        {BYTES("https://example.com/x"), NULL, "has a scheme"},
        {BYTES("example.com/x"), NULL, "has a path"},
        {BYTES("example.com/"), NULL, "has a path"},
        {BYTES("exa mple.com"), NULL, "has a character"},
        {BYTES("exa_mple.com"), NULL, "has a character"},
        {BYTES("b\xc3\xbc"
               "cher.example"),
         NULL, "has a character"},
        {BYTES("exam\0ple"), NULL, "has a character"},
        {BYTES("example.com\n"), NULL, "has a character"},
        {BYTES("[::1]"), NULL, "has a character"},
        {BYTES("::1"), NULL, "has a port"},
        {BYTES("*.example.com"), NULL, "has a character"},
        {BYTES("user@example.com"), "user@example.com", NULL},
        {BYTES("Video@Example.COM"), "video@example.com", NULL},
        {BYTES("my-app_2.x@a"), "my-app_2.x@a", NULL},
        {BYTES(A63 "@a"), A63 "@a", NULL},
        {BYTES(A63 "a@a"), NULL, "63 bytes in front"},
        {BYTES("@example.com"), NULL, "nothing in front"},
        {BYTES("a@b@example.com"), NULL, "has a character"},
        {BYTES("a b@example.com"), NULL, "in front of the @"},
        {BYTES("a@"), NULL, "is empty"},
        {BYTES("a@."), NULL, "empty label"},
        {BYTES("a@x_y"), NULL, "has a character"},
        {BYTES("http://user@example.com"), NULL, "has a scheme"},
        {BYTES("user:secret@example.com"), NULL, "has a port"},
        {BYTES("a@" A63 "." A63 "." A63 "." A61), NULL, "longer than 253 bytes"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char host[HOST_MAX_BYTES + 1] = "untouched";
        const char *why = "";
        enum status result = validate_host(cases[i].text, cases[i].len_bytes, host, &why);
        assert_case_int(cases[i].text, result, cases[i].host ? STATUS_OK : STATUS_INVALID);
        assert_case_text(cases[i].text, host, cases[i].host ? cases[i].host : "untouched");
        assert_case(cases[i].text, cases[i].host || strstr(why, cases[i].why));
    }
}

static void test_a_host_need_not_end_in_nul(void **state)
{
    (void)state;
    char host[HOST_MAX_BYTES + 1];
    const char *why = NULL;
    assert_int_equal(validate_host("example.com:80", 11, host, &why), STATUS_OK);
    assert_string_equal(host, "example.com");
}

static void test_keys(void **state)
{
    (void)state;
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    char longest[KEY_MAX_BYTES + 2];
    memset(longest, 'k', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    const struct {
        const char *name;
        const char *text;
        size_t len_bytes;
        enum status result;
    } cases[] = {
        {"every character", letters, 64, STATUS_OK},
        {"shortest", BYTES("12345678"), STATUS_OK},
        {"too short", BYTES("1234567"), STATUS_INVALID},
        {"empty", BYTES(""), STATUS_INVALID},
        {"longest", longest, KEY_MAX_BYTES, STATUS_OK},
        {"too long", longest, KEY_MAX_BYTES + 1, STATUS_INVALID},
        {"space", BYTES("1234 5678"), STATUS_INVALID},
        {"line feed at its end", BYTES("12345678\n"), STATUS_INVALID},
        {"carriage return", BYTES("1234\r5678"), STATUS_INVALID},
        {"NUL", BYTES("1234\0005678"), STATUS_INVALID},
        {"not ASCII",
         BYTES("1234\xc3\xa9"
               "5678"),
         STATUS_INVALID},
        {"quote", BYTES("1234'5678"), STATUS_INVALID},
        {"dot", BYTES("1234.5678"), STATUS_INVALID},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *why = NULL;
        assert_case_int(cases[i].name, validate_key(cases[i].text, cases[i].len_bytes, &why),
                        cases[i].result);
        assert_case(cases[i].name, (why != NULL) == (cases[i].result != STATUS_OK));
        assert_case(cases[i].name, !why || cases[i].len_bytes == 0 || !strstr(why, cases[i].text));
    }
}

static void test_what_is_said_of_a_key(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len_bytes;
        const char *fault;
    } cases[] = {
        {BYTES(""), "is empty"},
        {BYTES("x"), "is too short: it has 1 characters, and a key has 8 to 128"},
        {BYTES("1234567"), "is too short: it has 7 characters"},
        {BYTES(A63 A63 "abc"), "is too long: it has 129 characters"},
        {BYTES("SEC RET"), "has a space as character 4 of 7"},
        {BYTES("SECRET78\n"), "has a tab or line break as character 9 of 9"},
        {BYTES("'SECRET'"), "has a quotation mark as character 1 of 8"},
        {BYTES("SECRET.8"), "has a punctuation mark as character 7 of 8"},
        {BYTES("SECRET\0018"), "has a control character as character 7 of 8"},
        {BYTES("SECRET\xc3\xa9"), "has a byte that is not ASCII as character 7 of 8"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char fault[KEY_FAULT_BYTES];
        validate_key_fault(cases[i].text, cases[i].len_bytes, fault);
        assert_case(cases[i].text, strncmp(fault, cases[i].fault, strlen(cases[i].fault)) == 0);
        assert_case(cases[i].text, !strstr(fault, "SECRET"));
    }
}

static void test_every_byte_in_a_key(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        char key[] = "abcd_fgh";
        const char *why = NULL;
        key[4] = (char)byte;
        bool is_good = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                       (byte >= '0' && byte <= '9') || byte == '_' || byte == '-';
        assert_int_equal(validate_key(key, 8, &why) == STATUS_OK, is_good);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_a_host_need_not_end_in_nul),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_what_is_said_of_a_key),
        cmocka_unit_test(test_every_byte_in_a_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
