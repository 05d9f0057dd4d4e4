#include "unit.h"

#include "base/escape.h"

#include "base/utf8.h"

static void test_json(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len_bytes;
        const char *json;
    } cases[] = {
        {BYTES(""), "\"\""},
        {BYTES("plain"), "\"plain\""},
        {BYTES("a\"b\\c/d"), "\"a\\\"b\\\\c/d\""},
        {BYTES("\n\r\t"), "\"\\n\\r\\t\""},
        {BYTES("\x01\x08\x0c\x1f\x7f"), "\"\\u0001\\u0008\\u000c\\u001f\\u007f\""},
        {BYTES("a\0b"), "\"a\\u0000b\""},
        {BYTES("</script>"), "\"\\u003c/script>\""},
        {BYTES("&amp;'"), "\"&amp;'\""},
        {BYTES("\xe2\x80\xa8\xe2\x80\xa9"), "\"\\u2028\\u2029\""},
        {BYTES("x\xe2\x80\xa8y"), "\"x\\u2028y\""},
        {BYTES("\xe2\x80\xa7\xe2\x80\xaa\xe2\x82\xac"), "\"\xe2\x80\xa7\xe2\x80\xaa\xe2\x82\xac\""},
        {BYTES("\xc3\xa9\xf0\x9f\x98\x80"), "\"\xc3\xa9\xf0\x9f\x98\x80\""},
        {BYTES("\xe2\x80"), "\"\xe2\x80\""},
        {BYTES("\"\""), "\"\\\"\\\"\""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buffer out;
        buffer_init(&out, 1000);
        json_escape(&out, cases[i].text, cases[i].len_bytes);
        assert_case_text(cases[i].json, out.data, cases[i].json);
        buffer_release(&out);
    }
}

static void test_xml(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *xml;
    } cases[] = {
        {"", ""},
        {"plain", "plain"},
        {"<a href=\"x\">&amp;</a>", "&lt;a href=&quot;x&quot;&gt;&amp;amp;&lt;/a&gt;"},
        {"a\x01\x08\x0b\x1f z\t\r\n", "a z\t\r\n"},
        {"\xef\xbf\xbd\xef\xbf\xbe\xef\xbf\xbf", "\xef\xbf\xbd"},
        {"\xc3\xa9\xf0\x9f\x98\x80", "\xc3\xa9\xf0\x9f\x98\x80"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buffer out;
        buffer_init(&out, 1000);
        buffer_append_text(&out, "");
        xml_escape(&out, cases[i].text, strlen(cases[i].text));
        assert_case_text(cases[i].xml, out.data ? out.data : "", cases[i].xml);
        buffer_release(&out);
    }
}

static void test_csv(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *csv;
    } cases[] = {
        {"", "\"\""},
        {"plain", "\"plain\""},
        {"a,b", "\"a,b\""},
        {"a\"b", "\"a\"\"b\""},
        {"\"", "\"\"\"\""},
        {"\"\"", "\"\"\"\"\"\""},
        {"two\r\nlines", "\"two\r\nlines\""},
        {"=1+1", "\"'=1+1\""},
        {"+1", "\"'+1\""},
        {"-1", "\"'-1\""},
        {"@x", "\"'@x\""},
        {"\tx", "\"'\tx\""},
        {"\rx", "\"'\rx\""},
        {"=\"x\"", "\"'=\"\"x\"\"\""},
        {"1=1", "\"1=1\""},
        {"/-/", "\"/-/\""},
        {"\xc3\xa9", "\"\xc3\xa9\""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buffer out;
        buffer_init(&out, 1000);
        csv_escape(&out, cases[i].text, strlen(cases[i].text));
        assert_case_text(cases[i].text, out.data, cases[i].csv);
        buffer_release(&out);
    }
}

/* In a JSON string nothing is left that could end it, or a script it stands in. */
static void test_every_byte_in_json(void **state)
{
    (void)state;
    for (int byte = 0; byte < 128; byte++) {
        struct buffer out;
        char text[3] = {'a', (char)byte, 'b'};
        buffer_init(&out, 100);
        json_escape(&out, text, sizeof text);
        assert_true(utf8_valid(out.data, out.len_bytes));
        for (size_t i = 1; i + 1 < out.len_bytes; i++) {
            assert_true((unsigned char)out.data[i] >= 0x20 && out.data[i] != '<');
            assert_true(out.data[i] != '"' || out.data[i - 1] == '\\');
        }
        buffer_release(&out);
    }
}

static void test_too_large(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 10);
    json_escape(&out, "0123456789", 10);
    assert_int_equal(out.status, STATUS_TOO_LARGE);
    buffer_clear(&out, 0);
    csv_escape(&out, "01234567\"", 9);
    assert_int_equal(out.status, STATUS_TOO_LARGE);
    buffer_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),      cmocka_unit_test(test_xml),
        cmocka_unit_test(test_csv),       cmocka_unit_test(test_every_byte_in_json),
        cmocka_unit_test(test_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
