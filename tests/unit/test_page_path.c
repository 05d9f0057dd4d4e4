#include "unit.h"

#include "pages/page_path.h"

#include <stdlib.h>

#define DROPPED "utm_* fbclid gclid dclid msclkid mc_cid mc_eid igshid"

static const struct page_path_rules RULES = {"demo.example", DROPPED};

/* In memory of exactly its size, so that a sanitizer sees a step beyond it. */
static enum status spell(const char *text, size_t len_bytes, const struct page_path_rules *rules,
                         char path_r[PATH_MAX_BYTES], size_t *path_bytes_r)
{
    char *exact = malloc(len_bytes > 0 ? len_bytes : 1);
    assert_non_null(exact);
    memcpy(exact, text, len_bytes);
    enum status result = page_path_normal(exact, len_bytes, rules, path_r, path_bytes_r);
    free(exact);
    return result;
}

struct path_case {
    const char *text;
    const char *path;
};

static void check(const struct path_case *cases, size_t count, const struct page_path_rules *rules)
{
    for (size_t i = 0; i < count; i++) {
        char path[PATH_MAX_BYTES];
        char again[PATH_MAX_BYTES];
        size_t path_bytes = 0;
        size_t again_bytes = 0;
        assert_case_int(cases[i].text, spell(cases[i].text, strlen(cases[i].text), rules, path, &path_bytes),
                        STATUS_OK);
        assert_case_bytes(cases[i].text, path, path_bytes, cases[i].path);
        assert_case_int(cases[i].text, spell(path, path_bytes, rules, again, &again_bytes), STATUS_OK);
        assert_case_bytes(cases[i].text, again, again_bytes, cases[i].path);
    }
}

static void test_hosts(void **state)
{
    (void)state;
    static const struct path_case cases[] = {
        {"/x", "/x"},
        {"/", "/"},
        {"", "/"},
        {"demo.example", "/"},
        {"demo.example/", "/"},
        {"demo.example/live", "/live"},
        {"DEMO.example/Live", "/Live"},
        {"www.demo.example/live", "/live"},
        {"WWW.demo.example", "/"},
        {"demo.example.", "/"},
        {"demo.example./x", "/x"},
        {"demo.example:443/x", "/x"},
        {"demo.example:8080/x", "/x"},
        {"demo.example?a=1", "/?a=1"},
        {"demo.example#/b", "/#/b"},
        {"demo.example#top", "/"},
        {"demo.example/x/y/", "/x/y/"},
        {"http://demo.example", "/"},
        {"https://demo.example/x", "/x"},
        {"HTTP://DEMO.EXAMPLE/Up", "/Up"},
        {"hTTps://www.Demo.Example/x", "/x"},
        {"https://demo.example:443/x", "/x"},
        {"https://me:secret@demo.example/x", "/x"},
        {"https://demo.example?a=/b", "/?a=/b"},
        {"//demo.example/y", "/y"},
        {"//www.demo.example", "/"},
        {"https:///x", "/x"},
        {"https://", "/"},
        {"blog.demo.example/", "blog.demo.example/"},
        {"Blog.Demo.Example/A", "blog.demo.example/A"},
        {"sport.demo.example/live", "sport.demo.example/live"},
        {"https://blog.demo.example", "blog.demo.example/"},
        {"https://blog.demo.example?a=1", "blog.demo.example/?a=1"},
        {"//blog.demo.example/x", "blog.demo.example/x"},
        {"http://me@blog.demo.example:81/x", "blog.demo.example/x"},
        {"demo.example.evil.example/x", "demo.example.evil.example/x"},
        {"notdemo.example/x", "notdemo.example/x"},
        {"www.blog.demo.example/x", "www.blog.demo.example/x"},
        {"blog.demo.xn--p1ai/x", "blog.demo.xn--p1ai/x"},
        {"my_blog.demo.example/x", "my_blog.demo.example/x"},
        {"http://localhost:8080/x", "//localhost/x"},
        {"http://10.0.0.1/x", "//10.0.0.1/x"},
        {"HTTP://LocalHost", "//localhost"},
        {"//x", "//x"},
        {"///demo.example/x", "///demo.example/x"},
        {"/demo.example/x", "/demo.example/x"},
        {"demo.example//demo.example/x", "/demo.example/x"},
        {"demo.example//blog.demo.example/x", "/blog.demo.example/x"},
        {"/a/..//blog.demo.example/x", "/blog.demo.example/x"},
        {"/x?next=https://other.example/y", "/x?next=https://other.example/y"},
    };
    check(cases, COUNT(cases), &RULES);
}

static void test_names_that_are_no_hosts(void **state)
{
    (void)state;
    static const struct path_case cases[] = {
        {"home_screen", "/home_screen"},
        {"article-4711", "/article-4711"},
        {"sport/live", "/sport/live"},
        {"news/live", "/news/live"},
        {"article.html", "/article.html"},
        {"blog.demo.example", "/blog.demo.example"},
        {"blog.demo.example?a=1", "/blog.demo.example?a=1"},
        {"v1.2/notes", "/v1.2/notes"},
        {"10.0.0.1/x", "/10.0.0.1/x"},
        {".well-known/x", "/.well-known/x"},
        {"a..b/x", "/a..b/x"},
        {"two words.de/x", "/two%20words.de/x"},
        {"someone@blog.example/x", "/someone@blog.example/x"},
        {"Story: it's done", "/Story:%20it's%20done"},
        {"demo%2Eexample/x", "/demo.example/x"},
        {"\xd0\xbd\xd0\xbe.\xd1\x80\xd1\x84/x", "/%D0%BD%D0%BE.%D1%80%D1%84/x"},
        {"android-app://com.demo.example/x", "/android-app://com.demo.example/x"},
    };
    check(cases, COUNT(cases), &RULES);
}

static void test_spelling(void **state)
{
    (void)state;
    static const struct path_case cases[] = {
        {"/caf%C3%A9", "/caf%C3%A9"},
        {"/caf%c3%a9", "/caf%C3%A9"},
        {"/caf\xc3\xa9", "/caf%C3%A9"},
        {"/%41%7e%2D%5f%2e5", "/A~-_.5"},
        {"/a%2Fb%2fc", "/a%2Fb%2Fc"},
        {"/a%3Fb", "/a%3Fb"},
        {"/a b", "/a%20b"},
        {"/a+b", "/a+b"},
        {"/a%2Bb", "/a%2Bb"},
        {"/100%", "/100%25"},
        {"/100%25", "/100%25"},
        {"/%zz%4", "/%25zz%254"},
        {"/%%341", "/%2541"},
        {"/%2541", "/%2541"},
        {"/%00", "/%00"},
        {"/%E9", "/%E9"},
        {"/a\tb\nc", "/a%09b%0Ac"},
        {"/a|b^c`d{e}", "/a%7Cb%5Ec%60d%7Be%7D"},
        {"/a\"<>\\", "/a%22%3C%3E%5C"},
        {"/!$&'()*+,;=:@[]", "/!$&'()*+,;=:@[]"},
        {"/%F0%9f%98%80", "/%F0%9F%98%80"},
        {"/X", "/X"},
        {"/a/./b", "/a/b"},
        {"/a/../b", "/b"},
        {"/a/%2e%2E/b", "/b"},
        {"/../../b", "/b"},
        {"/a/b/..", "/a/"},
        {"/a/.", "/a/"},
        {"..", "/"},
        {"/a//../b", "/a/b"},
        {"/a/...", "/a/..."},
        {"blog.demo.example/../b", "blog.demo.example/b"},
        {"/a//b/", "/a//b/"},
    };
    check(cases, COUNT(cases), &RULES);
}

static void test_queries_and_fragments(void **state)
{
    (void)state;
    static const struct path_case cases[] = {
        {"/x?a=1&b=2", "/x?a=1&b=2"},
        {"/x?b=2&a=1", "/x?b=2&a=1"},
        {"/x?", "/x"},
        {"/x?&", "/x"},
        {"/x?a&&b", "/x?a&b"},
        {"/x?q=caf\xc3\xa9&r=%7e", "/x?q=caf%C3%A9&r=~"},
        {"/x?a=1?b", "/x?a=1?b"},
        {"/s?utm_source=x", "/s"},
        {"/s?fbclid=1", "/s"},
        {"/s?id=7", "/s?id=7"},
        {"/s?utm_source=x&id=7&utm_medium=y", "/s?id=7"},
        {"/s?id=7&gclid=a%20b", "/s?id=7"},
        {"/s?UTM_Source=x", "/s"},
        {"/s?utm%5Fsource=x", "/s"},
        {"/s?utm_=1&utm=2", "/s?utm=2"},
        {"/s?gclid", "/s"},
        {"/s?gclidx=1&xgclid=2", "/s?gclidx=1&xgclid=2"},
        {"/s?id=7&dclid=1&msclkid=2&mc_cid=3&mc_eid=4&igshid=5&z=9", "/s?id=7&z=9"},
        {"demo.example?utm_source=x", "/"},
        {"/a#top", "/a"},
        {"/a#", "/a"},
        {"/x?a=1#part", "/x?a=1"},
        {"/x#a#b", "/x"},
        {"#part", "/"},
        {"/#/story/1", "/#/story/1"},
        {"#/part", "/#/part"},
        {"https://demo.example/#/story/1", "/#/story/1"},
        {"/live#!/match/2", "/live#!/match/2"},
        {"/live#!", "/live#!"},
        {"/#/a?utm_source=x&id=1", "/#/a?id=1"},
        {"/#/caf\xc3\xa9#part", "/#/caf%C3%A9#part"},
        {"/a?utm_source=x#/b", "/a#/b"},
        {"/a?b#/c?d", "/a?b#/c?d"},
        {"/a#:~:text=word", "/a"},
        {"blog.demo.example/#/b", "blog.demo.example/#/b"},
    };
    check(cases, COUNT(cases), &RULES);
}

static void test_other_rules(void **state)
{
    (void)state;
    static const struct path_case video[] = {
        {"video@demo.example/x", "/x"},
        {"demo.example/x", "/x"},
        {"www.demo.example/x", "/x"},
        {"https://video@demo.example/x", "/x"},
        {"blog.demo.example/x", "blog.demo.example/x"},
    };
    static const struct path_case nothing[] = {
        {"demo.example/x", "demo.example/x"},
        {"demo.example", "/demo.example"},
        {"http:///x?utm_source=1", "/x?utm_source=1"},
        {"www./x", "/www./x"},
    };
    static const struct path_case plain[] = {{"localhost/x", "/x"}, {"http://localhost:1/x", "/x"}};
    static const struct path_case others[] = {{"/x?a=1&abc=2&b=3&B.c=4", "/x?b=3"}};
    check(video, COUNT(video), &(struct page_path_rules){"video@demo.example", DROPPED});
    check(nothing, COUNT(nothing), &(struct page_path_rules){"", ""});
    check(plain, COUNT(plain), &(struct page_path_rules){"localhost", ""});
    check(others, COUNT(others), &(struct page_path_rules){"localhost", "a* b.c"});
}

static void test_lengths(void **state)
{
    (void)state;
    static const struct {
        const char *start;
        char with;
        size_t len_bytes;  /* in all */
        size_t path_bytes; /* 0: too large */
    } cases[] = {
        {"/", 'a', PATH_MAX_BYTES, PATH_MAX_BYTES},
        {"/", 'a', PATH_MAX_BYTES + 1, 0},
        {"a", 'a', PATH_MAX_BYTES - 1, PATH_MAX_BYTES},
        {"a", 'a', PATH_MAX_BYTES, 0},
        {"https://demo.example/", 'a', PATH_MAX_BYTES + 20, PATH_MAX_BYTES},
        {"/", ' ', 667, 1 + 3 * 666},
        {"/", ' ', 668, 0},
        {"/?utm_x=", 'a', PATH_INPUT_MAX_BYTES, 1},
        {"/?utm_x=", 'a', PATH_INPUT_MAX_BYTES + 1, 0},
        {"/", ' ', PATH_INPUT_MAX_BYTES, 0},
        {"/#/", ' ', PATH_INPUT_MAX_BYTES, 0},
        {"/#/", 'a', PATH_INPUT_MAX_BYTES + 1, 0},
        {"/#", 'a', 1000000, 1},
        {"http://", '.', PATH_INPUT_MAX_BYTES, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char path[PATH_MAX_BYTES];
        size_t path_bytes = 77;
        char *text = malloc(cases[i].len_bytes);
        assert_non_null(text);
        memset(text, cases[i].with, cases[i].len_bytes);
        memcpy(text, cases[i].start, strlen(cases[i].start));
        enum status result = spell(text, cases[i].len_bytes, &RULES, path, &path_bytes);
        assert_case_int(cases[i].start, result, cases[i].path_bytes > 0 ? STATUS_OK : STATUS_TOO_LARGE);
        assert_case_int(cases[i].start, path_bytes, cases[i].path_bytes > 0 ? cases[i].path_bytes : 77);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hosts),       cmocka_unit_test(test_names_that_are_no_hosts),
        cmocka_unit_test(test_spelling),    cmocka_unit_test(test_queries_and_fragments),
        cmocka_unit_test(test_other_rules), cmocka_unit_test(test_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
