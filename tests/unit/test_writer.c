#include "unit.h"

#include "base/writer.h"

static const char *const COLUMNS[] = {"i", "n", "d", "b", "t", "x", "r"};

/* Rows, each with every kind of field, inside what `is_nested` says. */
static void write(struct buffer *out, enum writer_format format, const char *callback, bool is_nested,
                  int rows)
{
    struct writer writer;
    writer_begin(&writer, out, format, callback);
    writer_header(&writer, COLUMNS, COUNT(COLUMNS));
    if (is_nested) {
        writer_object_begin(&writer, NULL);
        writer_text(&writer, "host", "a.example", 9);
        writer_object_begin(&writer, "site");
        writer_int(&writer, "n", 1);
        writer_null(&writer, "m");
        writer_object_end(&writer);
    }
    writer_rows_begin(&writer, is_nested ? "rows" : NULL);
    for (int i = 0; i < rows; i++) {
        writer_row_begin(&writer);
        writer_text(&writer, "i", BYTES("=a\"b"));
        writer_int(&writer, "n", -i);
        writer_decimal(&writer, "d", 1.23456, 4);
        writer_bool(&writer, "b", i > 0);
        writer_time(&writer, "t", INT64_C(1764259200000000));
        writer_text(&writer, "x", NULL, 0);
        writer_raw(&writer, "r", i > 0 ? "7" : NULL, 1);
        writer_row_end(&writer);
    }
    writer_rows_end(&writer);
    if (is_nested) {
        writer_rows_begin(&writer, "none");
        writer_rows_end(&writer);
        writer_object_end(&writer);
    }
    writer_end(&writer);
}

#define JSON_ROW                                                                                             \
    "{\"i\":\"=a\\\"b\",\"n\":0,\"d\":1.2346,\"b\":false,\"t\":\"2025-11-27T16:00:00.000Z\",\"x\":null,"     \
    "\"r\":null}"
#define JSON_ROW_2                                                                                           \
    "{\"i\":\"=a\\\"b\",\"n\":-1,\"d\":1.2346,\"b\":true,\"t\":\"2025-11-27T16:00:00.000Z\",\"x\":null,"     \
    "\"r\":7}"

static void test_formats(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum writer_format format;
        const char *callback;
        bool is_nested;
        int rows;
        const char *text;
    } cases[] = {
        {"no rows", WRITE_JSON, NULL, false, 0, "[]\n"},
        {"a row", WRITE_JSON, NULL, false, 1, "[" JSON_ROW "]\n"},
        {"two rows", WRITE_JSON, NULL, false, 2, "[" JSON_ROW ",\n" JSON_ROW_2 "]\n"},
        {"JSONP", WRITE_JSON, "f.g", false, 0, "/**/f.g([]);\n"},
        {"nested", WRITE_JSON, NULL, true, 1,
         "{\"host\":\"a.example\",\"site\":{\"n\":1,\"m\":null},\"rows\":[" JSON_ROW "],\"none\":[]}\n"},
        {"nested JSONP", WRITE_JSON, "f", true, 0,
         "/**/f({\"host\":\"a.example\",\"site\":{\"n\":1,\"m\":null},\"rows\":[],\"none\":[]});\n"},
        {"JSON lines", WRITE_JSON_LINES, "f", false, 2, JSON_ROW "\n" JSON_ROW_2 "\n"},
        {"CSV", WRITE_CSV, "f", false, 2,
         "i,n,d,b,t,x,r\r\n\"'=a\"\"b\",0,1.2346,false,2025-11-27T16:00:00.000Z,,\r\n"
         "\"'=a\"\"b\",-1,1.2346,true,2025-11-27T16:00:00.000Z,,7\r\n"},
        {"TSV", WRITE_TSV, NULL, false, 1,
         "i\tn\td\tb\tt\tx\tr\n=a\"b\t0\t1.2346\t0\t2025-11-27T16:00:00.000Z\t\t\n"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buffer out;
        buffer_init(&out, 4096);
        write(&out, cases[i].format, cases[i].callback, cases[i].is_nested, cases[i].rows);
        assert_int_equal(out.status, STATUS_OK);
        assert_case_text(cases[i].name, out.data, cases[i].text);
        buffer_release(&out);
    }
}

static void test_a_full_buffer_says_so(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 100);
    write(&out, WRITE_JSON, NULL, true, 2);
    assert_int_equal(out.status, STATUS_TOO_LARGE);
    buffer_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_a_full_buffer_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
