#include "unit.h"

#include "upstream/toppages.h"

enum { ARENA_MAX_BYTES = 24 * 1024 * 1024 };

static struct arena arena;

static const struct page_path_rules RULES = {"demo.example", "utm_*"};

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, ARENA_MAX_BYTES);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

/* The list as compact text, in a buffer of exactly its size, so that a sanitizer sees a step beyond the body.
 */
static enum status parse(const char *body, size_t len_bytes, struct toppages *toppages, const char **why)
{
    char *copy = test_malloc(len_bytes + 1);
    char *exact = copy + 1;
    if (len_bytes > 0)
        memcpy(exact, body, len_bytes);
    *why = NULL;
    enum status result = toppages_parse(exact, len_bytes, &RULES, &arena, toppages, why);
    test_free(copy);
    return result;
}

static const char *flat(const struct toppages *toppages)
{
    static struct buffer out;
    buffer_release(&out);
    buffer_init(&out, PAGES_TEXT_MAX_BYTES);
    pages_encode(&toppages->pages, &out);
    return out.data ? out.data : "";
}

struct good_case {
    const char *name;
    const char *body;
    const char *flat;
    size_t refused_rows;
};

static void check_good(const struct good_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct toppages toppages;
        const char *why = NULL;
        enum status result = parse(cases[i].body, strlen(cases[i].body), &toppages, &why);
        if (result != STATUS_OK)
            fail_msg("%s: %s (%s)", cases[i].name, status_text(result), why);
        assert_case_text(cases[i].name, flat(&toppages), cases[i].flat);
        assert_case_int(cases[i].name, toppages.refused_rows, cases[i].refused_rows);
    }
}

#define V3(rows)                 "{\"pages\":[" rows "]}"
#define ROW(path, title, people) "{\"path\":" path ",\"title\":" title ",\"stats\":{\"people\":" people "}}"
#define COUNTED(people)          V3(ROW("\"/\"", "\"t\"", people))

static void test_forms(void **state)
{
    (void)state;
    static const struct good_case cases[] = {
        {"v3", V3(ROW("\"/\"", "\"Front\"", "40")), "40\t/\tFront\n", 0},
        {"v3, two pages", V3(ROW("\"/\"", "\"F\"", "4") "," ROW("\"/a\"", "\"A\"", "5")),
         "5\t/a\tA\n4\t/\tF\n", 0},
        {"v3 with more members",
         "{\"x\":1,\"pages\":[{\"authors\":[\"x\"],\"stats\":{\"crowd\":null,\"read\":1,\"people\":3,"
         "\"toprefs\":[{\"domain\":\"d\",\"visitors\":9}],\"loyalty\":{\"new\":1}},\"title\":\"T\","
         "\"path\":\"/\"}],\"y\":{}}",
         "3\t/\tT\n", 0},
        {"legacy", "[{\"i\":\"Title\",\"path\":\"/\",\"visitors\":40}]", "40\t/\tTitle\n", 0},
        {"legacy, empty", "[]", "", 0},
        {"legacy, no title", "[{\"path\":\"/\",\"visitors\":40}]", "40\t/\t\n", 0},
        {"legacy, null title", "[{\"i\":null,\"path\":\"/\",\"visitors\":40}]", "40\t/\t\n", 0},
        {"legacy does not look at stats", "[{\"i\":\"x\",\"path\":\"/\",\"stats\":{\"people\":4}}]", "", 1},
        {"v3 does not look at visitors", V3("{\"path\":\"/\",\"i\":\"x\",\"visitors\":4}"), "", 1},
        {"a quiet site: none", "{\"pages\":[]}", "", 0},
        {"a message beside a list", "{\"message\":\"ok\",\"pages\":[]}", "", 0},
        {"space around", " \r\n\t{\"pages\":[]} \r\n\t", "", 0},
        {"byte-order mark", "\xef\xbb\xbf" COUNTED("1"), "1\t/\tt\n", 0},
        {"space everywhere",
         "{ \"x\" : [ ] ,\n\"pages\"\t:\r[ {\"path\" : \"/\" , \"stats\" : { \"people\" : 1 } } , {} ] , "
         "\"y\" : 1 } ",
         "1\t/\t\n", 1},
        {"pages given twice: the first", "{\"pages\":[" ROW("\"/a\"", "\"\"", "1") "],\"pages\":{}}",
         "1\t/a\t\n", 0},
        {"a name with escapes", "{\"p\\u0061ges\":[{\"p\\u0061th\":\"/a\",\"stats\":{\"people\":1}}]}",
         "1\t/a\t\n", 0},
        {"broken names",
         "{\"\xff\":1,\"\\ud83d\":2,\"pages\":[{\"path\xff\":7,\"path\":\"/a\",\"stats\":{\"people\":1}}]}",
         "1\t/a\t\n", 0},
        {"a message behind a list", "{\"pages\":[],\"error\":\"none\"}", "", 0},
        {"names are case-sensitive in rows", V3("{\"Path\":\"/\",\"stats\":{\"people\":1}}"), "", 1},
        {"names are case-sensitive in stats", V3("{\"path\":\"/\",\"stats\":{\"People\":1}}"), "", 1},
        {"a name given twice: the first", V3("{\"path\":\"/a\",\"path\":\"/b\",\"stats\":{\"people\":1}}"),
         "1\t/a\t\n", 0},
    };
    check_good(cases, COUNT(cases));
}

static void test_paths(void **state)
{
    (void)state;
    static const struct good_case cases[] = {
        {"a path", V3(ROW("\"/x\"", "\"\"", "1")), "1\t/x\t\n", 0},
        {"host and path", V3(ROW("\"demo.example/x\"", "\"\"", "1")), "1\t/x\t\n", 0},
        {"an address", V3(ROW("\"https://demo.example/x\"", "\"\"", "1")), "1\t/x\t\n", 0},
        {"escaped slashes", V3(ROW("\"https:\\/\\/demo.example\\/x\"", "\"\"", "1")), "1\t/x\t\n", 0},
        {"the bare host", V3(ROW("\"demo.example/\"", "\"\"", "1")), "1\t/\t\n", 0},
        {"the bare host without a slash", V3(ROW("\"demo.example\"", "\"\"", "1")), "1\t/\t\n", 0},
        {"an empty path", V3(ROW("\"\"", "\"\"", "1")), "1\t/\t\n", 0},
        {"a query is kept", V3(ROW("\"/x?a=1\"", "\"\"", "1")), "1\t/x?a=1\t\n", 0},
        {"a fragment is dropped", V3(ROW("\"/x#y\"", "\"\"", "1")), "1\t/x\t\n", 0},
        {"no path", V3("{\"title\":\"t\",\"stats\":{\"people\":1}}"), "", 1},
        {"null path", V3(ROW("null", "\"\"", "1")), "", 1},
        {"number for a path", V3(ROW("7", "\"\"", "1")), "", 1},
        {"list for a path", V3(ROW("[\"/\"]", "\"\"", "1")), "", 1},
        {"tab and line feed", V3(ROW("\"/a\\tb\\nc\"", "\"\"", "1")), "1\t/a%09b%0Ac\t\n", 0},
        {"twice: added up, the larger row's title",
         V3(ROW("\"/\"", "\"s\"", "1") "," ROW("\"demo.example/\"", "\"l\"", "2")), "3\t/\tl\n", 0},
        {"three forms of one",
         V3(ROW("\"/x\"", "\"a\"", "3") "," ROW("\"demo.example/x\"", "\"b\"",
                                                "2") "," ROW("\"http://demo.example/x#y\"", "\"c\"", "1")),
         "6\t/x\ta\n", 0},
    };
    check_good(cases, COUNT(cases));
}

static void test_titles(void **state)
{
    (void)state;
    static const struct good_case cases[] = {
        {"none", V3("{\"path\":\"/\",\"stats\":{\"people\":1}}"), "1\t/\t\n", 0},
        {"null", V3(ROW("\"/\"", "null", "1")), "1\t/\t\n", 0},
        {"a number", V3(ROW("\"/\"", "7", "1")), "1\t/\t\n", 0},
        {"a list", V3(ROW("\"/\"", "[\"x\"]", "1")), "1\t/\t\n", 0},
        {"entities stay", V3(ROW("\"/\"", "\"a &amp; b\"", "1")), "1\t/\ta &amp; b\n", 0},
        {"emoji", V3(ROW("\"/\"", "\"\xf0\x9f\x98\x80\"", "1")), "1\t/\t\xf0\x9f\x98\x80\n", 0},
        {"emoji, escaped", V3(ROW("\"/\"", "\"\\ud83d\\ude00\"", "1")), "1\t/\t\xf0\x9f\x98\x80\n", 0},
        {"right-to-left mark", V3(ROW("\"/\"", "\"\\u200f\xe2\x80\x8f\"", "1")),
         "1\t/\t\xe2\x80\x8f\xe2\x80\x8f\n", 0},
        {"controls", V3(ROW("\"/\"", "\"a\\u0001\\u001f\\t\"", "1")), "1\t/\ta\x01\x1f\\t\n", 0},
        {"quotes and backslashes", V3(ROW("\"/\"", "\"\\\"\\\\\"", "1")), "1\t/\t\"\\\\\n", 0},
        {"an escaped backslash before u0000", V3(ROW("\"/\"", "\"\\\\u0000\"", "1")), "1\t/\t\\\\u0000\n", 0},
    };
    check_good(cases, COUNT(cases));
}

static void test_counts(void **state)
{
    (void)state;
    static const struct {
        const char *people;
        const char *flat; /* NULL: the row is refused */
    } cases[] = {
        {"0", "0\t/\tt\n"},
        {"-0", "0\t/\tt\n"},
        {"7", "7\t/\tt\n"},
        {"7.0", "7\t/\tt\n"},
        {"7.4", "7\t/\tt\n"},
        {"7.5", "8\t/\tt\n"},
        {"1e3", "1000\t/\tt\n"},
        {"2147483647", "2147483647\t/\tt\n"},
        {"\"7\"", "7\t/\tt\n"},
        {"\"7.5\"", "8\t/\tt\n"},
        {"\"1e3\"", "1000\t/\tt\n"},
        {"\"2147483647\"", "2147483647\t/\tt\n"},
        {"-1", NULL},
        {"-0.5", NULL},
        {"2147483648", NULL},
        {"4294967297", NULL},
        {"1e999", NULL},
        {"-1e999", NULL},
        {"99999999999999999999", NULL},
        {"true", NULL},
        {"false", NULL},
        {"null", NULL},
        {"[]", NULL},
        {"[7]", NULL},
        {"{}", NULL},
        {"\"\"", NULL},
        {"\" 7\"", NULL},
        {"\"7 \"", NULL},
        {"\"+7\"", NULL},
        {"\"-1\"", NULL},
        {"\"7x\"", NULL},
        {"\"x\"", NULL},
        {"\"NaN\"", NULL},
        {"\"inf\"", NULL},
        {"\"1e999\"", NULL},
        {"\"2147483648\"", NULL},
        {"\"0x10\"", NULL},
        {"\"0x1p3\"", NULL},
        {"\"7,5\"", NULL},
        {"\"1_000\"", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char body[300];
        snprintf(body, sizeof body, COUNTED("%s"), cases[i].people);
        check_good(
            &(struct good_case){cases[i].people, body, cases[i].flat ? cases[i].flat : "", !cases[i].flat},
            1);
        snprintf(body, sizeof body, "[{\"i\":\"t\",\"path\":\"/\",\"visitors\":%s}]", cases[i].people);
        check_good(
            &(struct good_case){cases[i].people, body, cases[i].flat ? cases[i].flat : "", !cases[i].flat},
            1);
    }
}

#define STATS(stats) V3("{\"path\":\"/\",\"title\":\"t\",\"stats\":" stats "}")

static void test_stats_and_rows(void **state)
{
    (void)state;
    static const struct good_case cases[] = {
        {"people before visits", STATS("{\"visits\":9,\"people\":4}"), "4\t/\tt\n", 0},
        {"visits in place of people", STATS("{\"visits\":9}"), "9\t/\tt\n", 0},
        {"visits in place of null", STATS("{\"visits\":9,\"people\":null}"), "9\t/\tt\n", 0},
        {"not visits in place of nonsense", STATS("{\"visits\":9,\"people\":\"x\"}"), "", 1},
        {"nobody is a count", STATS("{\"visits\":9,\"people\":0}"), "0\t/\tt\n", 0},
        {"no count", STATS("{}"), "", 1},
        {"null stats", STATS("null"), "", 1},
        {"list for stats", STATS("[4]"), "", 1},
        {"number for stats", STATS("4"), "", 1},
        {"no stats", V3("{\"path\":\"/\",\"title\":\"t\"}"), "", 1},
        {"rows that are none", V3("null,1,\"x\",[],true,{},[{\"path\":\"/\"}]"), "", 7},
        {"the rest is kept", V3("null," ROW("\"/a\"", "\"\"", "-1") "," ROW("\"/b\"", "\"\"", "2") ",{}"),
         "2\t/b\t\n", 3},
        {"legacy: the rest is kept",
         "[7,{\"path\":\"/b\",\"visitors\":2},{\"path\":\"/c\",\"visitors\":\"x\"}]", "2\t/b\t\n", 2},
    };
    check_good(cases, COUNT(cases));
}

static void test_broken_texts(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        size_t len_bytes;
        const char *flat;
        size_t mended, broken_paths;
    } cases[] = {
        {BYTES(V3(ROW("\"/\"", "\"goal \\ud83d\"", "1"))), "1\t/\tgoal \xef\xbf\xbd\n", 1, 0},
        {BYTES(V3(ROW("\"/\"", "\"Go\\u0000al\"", "1"))),
         "1\t/\tGo\xef\xbf\xbd"
         "al\n",
         1, 0},
        {BYTES(V3(ROW("\"/\"", "\"Go\0al\"", "1"))),
         "1\t/\tGo\xef\xbf\xbd"
         "al\n",
         1, 0},
        {BYTES(V3(ROW("\"/\"", "\"caf\xe9\"", "1"))), "1\t/\tcaf\xef\xbf\xbd\n", 1, 0},
        {BYTES(V3(ROW("\"/\"", "\"\xef\xbf\xbd\"", "1"))), "1\t/\t\xef\xbf\xbd\n", 0, 0},
        {BYTES("[{\"i\":\"\xff\",\"path\":\"/\",\"visitors\":1}]"), "1\t/\t\xef\xbf\xbd\n", 1, 0},
        {BYTES(V3("{\"path\":\"/"
                  "\",\"x\":\"\\ud83d\",\"y\":[\"\0\",{\"\xff\":\"\\q\"}],\"stats\":{\"people\":1}}")),
         "1\t/\t\n", 0, 0},
        {BYTES(V3(ROW("\"/a\\ud83d\"", "\"\"", "9") "," ROW("\"/b\"", "\"\"", "1"))), "1\t/b\t\n", 1, 1},
        {BYTES(V3(ROW("\"/a\\u0000\"", "\"\"", "9") "," ROW("\"/b\"", "\"\"", "1"))), "1\t/b\t\n", 1, 1},
        {BYTES(V3(ROW("\"/a\0\"", "\"\"", "9") "," ROW("\"/b\"", "\"\"", "1"))), "1\t/b\t\n", 1, 1},
        {BYTES(V3(ROW("\"/a\xe9\"", "\"\xe9\"", "9") "," ROW("\"/b\"", "\"\"", "1"))), "1\t/b\t\n", 2, 1},
        {BYTES(V3(ROW("\"/a\xef\xbf\xbd\"", "\"\"", "1"))), "1\t/a%EF%BF%BD\t\n", 0, 0},
        {BYTES(V3("{\"path\":\"/a\",\"path\":\"\xff\",\"stats\":{\"people\":1}}")), "1\t/a\t\n", 0, 0},
        {BYTES("{\"pages\":[" ROW("\"/a\"", "\"\"", "1") "],\"x\":\"\\ud83d\"}"), "1\t/a\t\n", 0, 0},
        {BYTES("[{\"path\":\"/\",\"visitors\":1}]\0 \0\n"), "1\t/\t\n", 0, 0},
        {BYTES(V3(ROW("\"/\"", "\"t\"", "\"7\xff\"") "," ROW("\"/b\"", "\"\"", "1"))), "1\t/b\t\n", 1, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct toppages toppages;
        const char *why = NULL;
        if (parse(cases[i].body, cases[i].len_bytes, &toppages, &why) != STATUS_OK)
            fail_msg("%s: %s", cases[i].body, why);
        assert_case_text(cases[i].body, flat(&toppages), cases[i].flat);
        assert_case_int(cases[i].body, toppages.mended_texts, cases[i].mended);
        assert_case_int(cases[i].body, toppages.refused[ROW_BROKEN_PATH], cases[i].broken_paths);
    }
}

static void test_numbers_that_are_none(void **state)
{
    (void)state;
    static const char *const cases[] = {"NaN", "-Infinity", "Infinity",  "1e999", "01", "+1",
                                        ".5",  "0x10",      "undefined", "None",  "-",  "True"};
    for (size_t i = 0; i < COUNT(cases); i++) {
        char body[600];
        snprintf(
            body, sizeof body,
            "{\"x\":%s,\"pages\":[{\"path\":\"/"
            "a\",\"y\":[%s,{\"z\":%s}],\"title\":%s,\"sections\":%s,\"stats\":"
            "{\"people\":1,\"search\":%s,\"engaged_time\":{\"avg\":%s}}},{\"path\":\"/"
            "b\",\"stats\":{\"people\":"
            "%s,\"visits\":7}},{\"path\":%s,\"stats\":{\"people\":1}},{\"path\":\"/c\",\"stats\":%s},%s]}",
            cases[i], cases[i], cases[i], cases[i], cases[i], cases[i], cases[i], cases[i], cases[i],
            cases[i], cases[i]);
        struct toppages toppages;
        const char *why = NULL;
        if (parse(body, strlen(body), &toppages, &why) != STATUS_OK)
            fail_msg("%s: %s", cases[i], why);
        assert_case_text(cases[i], flat(&toppages), "1\t/a\t\n");
        assert_case_int(cases[i], toppages.pages.items[0].sources[SOURCE_SEARCH], 0);
        assert_case_int(cases[i], toppages.refused[ROW_NO_COUNT], 2);
        assert_case_int(cases[i], toppages.refused[ROW_NO_PATH], 1);
        assert_case_int(cases[i], toppages.refused[ROW_NO_OBJECT], 1);
    }
}

static void test_long_numbers(void **state)
{
    (void)state;
    static const struct good_case cases[] = {
        {"digits behind the point",
         COUNTED("7.00000000000000000000000000000000000000000000000000000000000000000000000000000000001"),
         "7\t/\tt\n", 0},
        {"zeros",
         COUNTED("7000000000000000000000000000000000000000000000000000000000000000000000000000000000000e-84"),
         "7\t/\tt\n", 0},
        {"too large",
         COUNTED("7000000000000000000000000000000000000000000000000000000000000000000000000000000000000"), "",
         1},
    };
    check_good(cases, COUNT(cases));
}

static void test_what_was_refused_in_words(void **state)
{
    (void)state;
    static const struct toppages all = {.rows = 100, .refused_rows = 15, .refused = {1, 2, 3, 4, 5}};
    static const struct toppages one = {.rows = 2, .refused_rows = 1, .refused = {[ROW_NO_COUNT] = 1}};
    static const struct toppages none = {.rows = 2};
    struct buffer out;
    buffer_init(&out, 1000);
    toppages_say_refused(&none, &out);
    assert_int_equal(out.len_bytes, 0);
    toppages_say_refused(&one, &out);
    assert_string_equal(out.data, "1 of 2 rows: 1 without a count");
    buffer_clear(&out, 1000);
    toppages_say_refused(&all, &out);
    assert_string_equal(out.data,
                        "15 of 100 rows: 1 that are no objects, 2 without a path, 3 with a broken path, "
                        "4 with a path that is too long, 5 without a count");
    buffer_release(&out);
}

static void test_refused_answers(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *body;
        size_t len_bytes;
        const char *why;
    } cases[] = {
        {"nothing", BYTES(""), "empty"},
        {"space", BYTES(" \n"), "empty"},
        {"HTML", BYTES("<html><body>502 Bad Gateway</body></html>"), "neither"},
        {"text", BYTES("no"), "neither"},
        {"cut short", BYTES("{\"pages\":[{\"path\":\"/\""), "not JSON"},
        {"cut short in a string", BYTES("{\"pages\":[{\"path\":\"/"), "not JSON"},
        {"cut short in an escape", BYTES("{\"pages\":[{\"path\":\"/\\u00"), "not JSON"},
        {"cut short in a literal", BYTES("[nul"), "not JSON"},
        {"cut short by its end", BYTES("{\"pages\":[]"), "not JSON"},
        {"a list", BYTES("[1,]"), "not JSON"},
        {"a list without commas", BYTES("{\"pages\":[{}{}]}"), "not JSON"},
        {"a list that ends as an object", BYTES("{\"pages\":[{}}}"), "not JSON"},
        {"members without commas", BYTES("{\"a\":1 \"b\":2}"), "not JSON"},
        {"a comma after the last member", BYTES("{\"a\":1,}"), "not JSON"},
        {"a name without a value", BYTES("{\"a\"}"), "not JSON"},
        {"a name without a value behind its colon", BYTES("{\"a\":}"), "not JSON"},
        {"a name that is none", BYTES("{1:2}"), "not JSON"},
        {"pages not closed", BYTES("{\"pages\":[{}]"), "not JSON"},
        {"byte-order mark inside", BYTES("[\xef\xbb\xbf{}]"), "not JSON"},
        {"byte-order mark alone", BYTES("\xef\xbb\xbf"), "empty"},
        {"quotes of another kind", BYTES("{'pages':[]}"), "not JSON"},
        {"trailing junk", BYTES("{\"pages\":[]}x"), "behind"},
        {"two answers", BYTES("{\"pages\":[]}{\"pages\":[]}"), "behind"},
        {"a comma behind", BYTES("[],"), "behind"},
        {"junk behind a NUL", BYTES("{\"pages\":[]}\0x"), "behind"},
        {"NUL in front", BYTES("\0{}"), "neither"},
        {"gzip", BYTES("\x1f\x8b\x08\x01"), "neither"},
        {"an object", BYTES("{}"), "without a list"},
        {"maintenance", BYTES("{\"status\":\"error\",\"reason\":\"maintenance\"}"), "without a list"},
        {"data", BYTES("{\"data\":{}}"), "without a list"},
        {"pages is null", BYTES("{\"pages\":null}"), "no list"},
        {"pages is null first", BYTES("{\"pages\":null,\"pages\":[{}]}"), "no list"},
        {"pages inside another member", BYTES("{\"x\":{\"pages\":[]}}"), "without a list"},
        {"names are case-sensitive", BYTES("{\"Pages\":[]}"), "without a list"},
        {"NUL in a name", BYTES("{\"pages\0\":[]}"), "without a list"},
        {"NUL between values", BYTES("{\"pages\":[\0]}"), "not JSON"},
        {"bare NaN", BYTES("NaN"), "neither"},
        {"null", BYTES("null"), "neither"},
        {"a number", BYTES("7"), "neither"},
        {"a string", BYTES("\"pages\""), "neither"},
        {"true", BYTES("true"), "neither"},
        {"pages is an object", BYTES("{\"pages\":{}}"), "no list"},
        {"pages is a string", BYTES("{\"pages\":\"\"}"), "no list"},
        {"pages is a number", BYTES("{\"pages\":0}"), "no list"},
        {"pages is false", BYTES("{\"pages\":false}"), "no list"},
        {"an error", BYTES("{\"error\":\"bad key\"}"), "without a list"},
        {"a message", BYTES("{\"message\":\"over the limit\"}"), "without a list"},
        {"an error and null", BYTES("{\"error\":\"x\",\"pages\":null}"), "no list"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct toppages toppages = {.refused_rows = 77};
        const char *why = NULL;
        assert_case_int(cases[i].name, parse(cases[i].body, cases[i].len_bytes, &toppages, &why),
                        STATUS_INVALID);
        if (!why || !strstr(why, cases[i].why))
            fail_msg("%s: \"%s\"", cases[i].name, why);
        assert_case_int(cases[i].name, toppages.refused_rows, 77);
    }
}

static char *repeated(const char *text, size_t times)
{
    size_t len = strlen(text);
    char *all = test_malloc(len * times + 1);
    for (size_t i = 0; i < times; i++)
        memcpy(all + i * len, text, len);
    all[len * times] = '\0';
    return all;
}

static void test_nesting(void **state)
{
    (void)state;
    static const char *const opens[] = {"[", "{\"pages\":", "[{\"a\":", "{\"pages\":["};
    for (size_t i = 0; i < COUNT(opens); i++) {
        char *body = repeated(opens[i], 100000);
        struct toppages toppages;
        const char *why = NULL;
        assert_case_int(opens[i], parse(body, strlen(body), &toppages, &why), STATUS_INVALID);
        test_free(body);
    }
}

static void test_what_takes_too_much_memory(void **state)
{
    (void)state;
    static const char *const bodies[] = {",1", ",[]", ",{}", ",\"\""};
    for (size_t i = 0; i < COUNT(bodies); i++) {
        char *body = repeated(bodies[i], 2 * 1024 * 1024 / strlen(bodies[i]) - 2);
        body[0] = '[';
        struct toppages toppages;
        const char *why = NULL;
        enum status result = parse(body, strlen(body), &toppages, &why);
        assert_case(bodies[i], result == STATUS_TOO_LARGE || result == STATUS_INVALID);
        assert_case(bodies[i], arena.total_bytes <= ARENA_MAX_BYTES);
        test_free(body);
        arena_release(&arena);
    }
    char *body = repeated(",{\"path\":\"/\",\"visitors\":1}", 50000);
    struct arena small;
    struct toppages toppages;
    const char *why = NULL;
    body[0] = '[';
    body[strlen(body) - 1] = ']';
    arena_init(&small, 1024 * 1024);
    assert_int_equal(toppages_parse(body, strlen(body), &RULES, &small, &toppages, &why), STATUS_TOO_LARGE);
    assert_non_null(strstr(why, "memory"));
    test_free(body);
    arena_release(&small);
}

/* An answer of full size in every arena that is too small for it: an error, and never anything else. */
static void test_every_size_of_arena(void **state)
{
    (void)state;
    struct buffer body;
    buffer_init(&body, 1 << 20);
    buffer_append_text(&body, "{\"pages\":[");
    for (int i = 0; i < 2000; i++)
        buffer_append_format(&body,
                             "%s{\"path\":\"/%d\",\"title\":\"Title\",\"sections\":[\"a\",\"b\"],"
                             "\"stats\":{\"people\":%d}}",
                             i ? "," : "", i, i);
    buffer_append_text(&body, "]}");
    bool was_ok = false;
    int failed = 0;
    for (size_t max = 0; max < (4 << 20); max += 32 * 1024) {
        struct arena small;
        struct toppages toppages;
        const char *why = NULL;
        arena_init(&small, max);
        enum status result = toppages_parse(body.data, body.len_bytes, &RULES, &small, &toppages, &why);
        assert_true(result == STATUS_OK || result == STATUS_TOO_LARGE);
        assert_true(result == STATUS_OK || why);
        assert_true(!was_ok || result == STATUS_OK);
        was_ok = result == STATUS_OK;
        failed += result != STATUS_OK;
        if (was_ok)
            assert_int_equal(toppages.pages.count, 2000);
        arena_release(&small);
    }
    assert_true(was_ok && failed > 10);
    buffer_release(&body);
}

static void test_lengths(void **state)
{
    (void)state;
    static const struct {
        size_t path_bytes, title_bytes;
        size_t refused_rows, kept_title_bytes;
    } cases[] = {
        {PATH_MAX_BYTES, 0, 0, 0},
        {PATH_MAX_BYTES + 1, 0, 1, 0},
        {1, TITLE_MAX_BYTES, 0, TITLE_MAX_BYTES},
        {1, TITLE_MAX_BYTES + 1, 0, TITLE_MAX_BYTES},
        {1, 100000, 0, TITLE_MAX_BYTES},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *path = repeated("/", cases[i].path_bytes);
        char *title = repeated("t", cases[i].title_bytes);
        struct buffer body;
        struct toppages toppages;
        const char *why = NULL;
        buffer_init(&body, 1 << 20);
        buffer_append_format(&body, V3(ROW("\"%s\"", "\"%s\"", "1")), path, title);
        assert_int_equal(parse(body.data, body.len_bytes, &toppages, &why), STATUS_OK);
        assert_int_equal(toppages.refused_rows, cases[i].refused_rows);
        if (toppages.pages.count > 0)
            assert_int_equal(toppages.pages.items[0].title_bytes, cases[i].kept_title_bytes);
        buffer_release(&body);
        test_free(path);
        test_free(title);
    }
}

static void test_a_long_title_is_cut_at_a_character(void **state)
{
    (void)state;
    char *title = repeated("\xe2\x82\xac", 2000);
    struct buffer body;
    struct toppages toppages;
    const char *why = NULL;
    buffer_init(&body, 1 << 20);
    buffer_append_format(&body, V3(ROW("\"/\"", "\"%s\"", "1")), title);
    assert_int_equal(parse(body.data, body.len_bytes, &toppages, &why), STATUS_OK);
    assert_int_equal(toppages.pages.items[0].title_bytes, 3999);
    buffer_release(&body);
    test_free(title);
}

static void test_sections(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        const char *sections;
    } cases[] = {
        {"[\"news\",\"sport\"]", "news\x1fsport"},
        {"[\"news\"]", "news"},
        {"[]", ""},
        {"null", ""},
        {"\"news\"", ""},
        {"{\"a\":\"news\"}", ""},
        {"7", ""},
        {"[null,7,\"\",[\"x\"],\"news\",{},\"sport\"]", "news\x1fsport"},
        {"[\"\xc3\xa9t\xc3\xa9\"]", "\xc3\xa9t\xc3\xa9"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char body[300];
        struct toppages toppages;
        const char *why = NULL;
        snprintf(body, sizeof body, V3("{\"path\":\"/\",\"sections\":%s,\"stats\":{\"people\":1}}"),
                 cases[i].json);
        assert_case_int(cases[i].json, parse(body, strlen(body), &toppages, &why), STATUS_OK);
        assert_case_bytes(cases[i].json, toppages.pages.items[0].sections,
                          toppages.pages.items[0].sections_bytes, cases[i].sections);
    }
}

static void test_sections_that_do_not_fit_are_left_out(void **state)
{
    (void)state;
    char *name = repeated("s", 400);
    char *huge = repeated("h", 100000);
    struct buffer body;
    struct toppages toppages;
    const char *why = NULL;
    buffer_init(&body, 1 << 20);
    buffer_append_format(
        &body,
        V3("{\"path\":\"/\",\"sections\":[\"%s\",\"%s\",\"%s\",\"%s\",\"x\"],\"stats\":{\"people\":1}}"),
        huge, name, name, name);
    assert_int_equal(parse(body.data, body.len_bytes, &toppages, &why), STATUS_OK);
    assert_int_equal(toppages.pages.items[0].sections_bytes, 400 + 1 + 400 + 1 + 1);
    buffer_release(&body);
    test_free(name);
    test_free(huge);
}

static void test_sources(void **state)
{
    (void)state;
    static const char body[] =
        STATS("{\"people\":9,\"search\":1,\"social\":\"2\",\"links\":3.5,\"direct\":-1,\"internal\":null}");
    static const uint32_t wanted[PAGE_SOURCES] = {
        [SOURCE_SEARCH] = 1, [SOURCE_SOCIAL] = 2, [SOURCE_LINKS] = 4};
    struct toppages toppages;
    const char *why = NULL;
    assert_int_equal(parse(body, strlen(body), &toppages, &why), STATUS_OK);
    assert_int_equal(toppages.pages.items[0].visitors, 9);
    assert_memory_equal(toppages.pages.items[0].sources, wanted, sizeof wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_titles),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_stats_and_rows),
        cmocka_unit_test(test_broken_texts),
        cmocka_unit_test(test_numbers_that_are_none),
        cmocka_unit_test(test_long_numbers),
        cmocka_unit_test(test_what_was_refused_in_words),
        cmocka_unit_test(test_refused_answers),
        cmocka_unit_test(test_nesting),
        cmocka_unit_test(test_what_takes_too_much_memory),
        cmocka_unit_test(test_every_size_of_arena),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_a_long_title_is_cut_at_a_character),
        cmocka_unit_test(test_sections),
        cmocka_unit_test(test_sections_that_do_not_fit_are_left_out),
        cmocka_unit_test(test_sources),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
