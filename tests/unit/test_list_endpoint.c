#include "unit.h"

#include "api/list_endpoint.h"

static const struct policy_bounds BOUNDS = {.ttl_ms = 3000, .stale_ms = 10000, .stale_error_ms = 300000};

#define PREVIOUS "10\t/a\tOne\n20\t/b\t=Two\n5\t/c\tThree, \"3\"\n9\t/gone\tGone\n"
#define NEWEST   "99\t/new\tNew\n23\t/b\t=Two\n11\t/a\tOne\n8\t/c\tThree, \"3\"\n"

/* One answer and what it is made from. */
struct scene {
    struct arena arena;
    struct response response;
    struct request_head input;
    struct request_params request;
    struct store_lookup lookup;
    enum answer_freshness freshness;
    char pages[1000];
    char previous_pages[1000];
};

static struct scene scene;

/* 2026-11-24 03:50:00.250 UTC, and 3.125 seconds before it. */
enum { BETWEEN_US = 3125000 };
static const time_us TAKEN_AT = 1795492200250000;

static int set_up(void **state)
{
    (void)state;
    memset(&scene, 0, sizeof scene);
    arena_init(&scene.arena, 1 << 20);
    response_init(&scene.response);
    snprintf(scene.pages, sizeof scene.pages, "%s", NEWEST);
    snprintf(scene.previous_pages, sizeof scene.previous_pages, "%s", PREVIOUS);
    scene.input = (struct request_head){.method = "GET", .id = "id-1"};
    scene.request = (struct request_params){.host = "example.com", .limit = LIMIT_MAX};
    scene.lookup = (struct store_lookup){
        .host = "example.com",
        .view = {.has_snapshot = true, .age_ms = 1250, .key_status = KEY_ACCEPTED, .check_age_ms = 1000},
        .taken_at = TAKEN_AT,
        .previous_at = TAKEN_AT - BETWEEN_US,
        .rate_limit = 200,
        .rate_remaining = 150,
        .pages = scene.pages,
        .pages_bytes = strlen(NEWEST),
        .previous_pages = scene.previous_pages,
        .previous_pages_bytes = strlen(PREVIOUS),
    };
    scene.freshness = ANSWER_FRESH;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    response_release(&scene.response);
    arena_release(&scene.arena);
    return 0;
}

static enum status answer(void)
{
    enum status result = answer_increase(&scene.response, &scene.input, &scene.request, &scene.lookup,
                                         &BOUNDS, scene.freshness, NULL, &scene.arena);
    response_end(&scene.response, false);
    return result;
}

/* The value of a header, "" where it is absent. */
static const char *header(const char *name)
{
    static char value[300];
    char start[100];
    value[0] = '\0';
    snprintf(start, sizeof start, "\r\n%s: ", name);
    const char *at = strstr(scene.response.head.data, start);
    if (at) {
        at += strlen(start);
        snprintf(value, sizeof value, "%.*s", (int)strcspn(at, "\r"), at);
    }
    return value;
}

static void test_json(void **state)
{
    (void)state;
    assert_int_equal(answer(), STATUS_OK);
    assert_string_equal(scene.response.body.data,
                        "[{\"i\":\"=Two\",\"path\":\"/b\",\"visitors\":23,\"change\":3},\n"
                        "{\"i\":\"Three, \\\"3\\\"\",\"path\":\"/c\",\"visitors\":8,\"change\":3},\n"
                        "{\"i\":\"One\",\"path\":\"/a\",\"visitors\":11,\"change\":1}]\n");
    assert_string_equal(header("Content-Type"), "application/json");
}

static void test_jsonp(void **state)
{
    (void)state;
    scene.request.callback = "a.b";
    scene.request.limit = 1;
    assert_int_equal(answer(), STATUS_OK);
    assert_string_equal(scene.response.body.data,
                        "/**/a.b([{\"i\":\"=Two\",\"path\":\"/b\",\"visitors\":23,\"change\":3}]);\n");
    assert_string_equal(header("Content-Type"), "application/javascript; charset=utf-8");
    assert_string_equal(header("X-Content-Type-Options"), "nosniff");
}

static void test_csv(void **state)
{
    (void)state;
    scene.request.format = FORMAT_CSV;
    assert_int_equal(answer(), STATUS_OK);
    assert_string_equal(scene.response.body.data, "i,path,visitors,change\r\n"
                                                  "\"'=Two\",\"/b\",23,3\r\n"
                                                  "\"Three, \"\"3\"\"\",\"/c\",8,3\r\n"
                                                  "\"One\",\"/a\",11,1\r\n");
    assert_string_equal(header("Content-Type"), "text/csv; charset=utf-8; header=present");
}

static void test_the_first_request(void **state)
{
    (void)state;
    static const char *const bodies[] = {"[]\n", "/**/f([]);\n", "i,path,visitors,change\r\n"};
    for (int form = 0; form < 3; form++) {
        tear_down(NULL);
        set_up(NULL);
        scene.lookup.previous_at = 0;
        scene.lookup.previous_pages = NULL;
        scene.lookup.previous_pages_bytes = 0;
        scene.request.callback = form == 1 ? "f" : NULL;
        scene.request.format = form == 2 ? FORMAT_CSV : FORMAT_JSON;
        assert_int_equal(answer(), STATUS_OK);
        assert_string_equal(scene.response.body.data, bodies[form]);
        assert_string_equal(header("X-Snapshot-Interval"), "");
    }
}

static void test_limits(void **state)
{
    (void)state;
    static const int limits[] = {1, 2, 3, 4, LIMIT_MAX};
    static const int rows[] = {1, 2, 3, 3, 3};
    for (size_t i = 0; i < COUNT(limits); i++) {
        tear_down(NULL);
        set_up(NULL);
        scene.request.limit = limits[i];
        assert_int_equal(answer(), STATUS_OK);
        int found = 0;
        for (const char *at = scene.response.body.data; (at = strstr(at, "\"path\"")); at++)
            found++;
        assert_int_equal(found, rows[i]);
    }
}

static void test_headers(void **state)
{
    (void)state;
    assert_int_equal(answer(), STATUS_OK);
    assert_int_equal(scene.response.status, 200);
    assert_string_equal(header("Last-Modified"), "Tue, 24 Nov 2026 03:50:00 GMT");
    assert_string_equal(header("Age"), "1");
    assert_string_equal(header("Cache-Control"),
                        "private, max-age=3, stale-while-revalidate=1, stale-if-error=300");
    assert_string_equal(header("Vary"), "Accept, Authorization, X-CB-AK");
    assert_string_equal(header("X-RateLimit-Limit"), "200");
    assert_string_equal(header("X-RateLimit-Remaining"), "150");
    assert_string_equal(header("X-Snapshot-Interval"), "3.125");
    assert_string_equal(header("X-Request-Id"), "id-1");
    assert_string_equal(header("Warning"), "");
    assert_string_equal(header("X-Accel-Expires"), "");
}

static void test_ages(void **state)
{
    (void)state;
    static const struct {
        int64_t age_ms;
        enum answer_freshness freshness;
        const char *age, *max_age, *warning;
    } cases[] = {
        {0, ANSWER_FRESH, "0", "private, max-age=3,", ""},
        {999, ANSWER_FRESH, "0", "private, max-age=3,", ""},
        {1000, ANSWER_FRESH, "1", "private, max-age=3,", ""},
        {3000, ANSWER_FRESH, "3", "private, max-age=3,", ""},
        {-500, ANSWER_FRESH, "0", "private, max-age=3,", ""},
        {9999, ANSWER_STALE, "9", "private, max-age=3,", "110 - \"Response is Stale\""},
        {299999, ANSWER_STALE_ERROR, "299", "private, max-age=3,", "111 - \"Revalidation Failed\""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        tear_down(NULL);
        set_up(NULL);
        scene.lookup.view.age_ms = cases[i].age_ms;
        scene.freshness = cases[i].freshness;
        assert_int_equal(answer(), STATUS_OK);
        assert_string_equal(header("Age"), cases[i].age);
        assert_case(cases[i].max_age,
                    strncmp(header("Cache-Control"), cases[i].max_age, strlen(cases[i].max_age)) == 0);
        assert_string_equal(header("Warning"), cases[i].warning);
    }
}

static void test_what_chartbeat_did_not_say(void **state)
{
    (void)state;
    scene.lookup.rate_limit = -1;
    scene.lookup.rate_remaining = 0;
    assert_int_equal(answer(), STATUS_OK);
    assert_string_equal(header("X-RateLimit-Limit"), "");
    assert_string_equal(header("X-RateLimit-Remaining"), "0");
}

/* The tag of an answer to this scene, changed by `change`. */
static void tag_of(void change(void), char *tag, size_t tag_bytes)
{
    tear_down(NULL);
    set_up(NULL);
    change();
    assert_int_equal(answer(), STATUS_OK);
    snprintf(tag, tag_bytes, "%s", header("ETag"));
    assert_true(strlen(tag) > 2 && tag[0] == '"' && tag[strlen(tag) - 1] == '"');
}

static void nothing(void)
{
}

static void another_age(void)
{
    scene.lookup.view.age_ms = 2000;
    scene.lookup.rate_remaining = 1;
}

static void another_time(void)
{
    scene.lookup.taken_at++;
}

static void another_time_before(void)
{
    scene.lookup.previous_at++;
}

static void another_limit(void)
{
    scene.request.limit = 7;
}

static void another_format(void)
{
    scene.request.format = FORMAT_CSV;
}

static void a_callback(void)
{
    scene.request.callback = "f";
}

static void another_callback(void)
{
    scene.request.callback = "g";
}

static void test_each_representation_has_its_own_tag(void **state)
{
    (void)state;
    static void (*const changes[])(void) = {nothing,        another_time, another_time_before, another_limit,
                                            another_format, a_callback,   another_callback};
    char tags[COUNT(changes)][100];
    char same[100];
    for (size_t i = 0; i < COUNT(changes); i++) {
        tag_of(changes[i], tags[i], sizeof tags[i]);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(tags[i], tags[j]);
    }
    tag_of(another_age, same, sizeof same);
    assert_string_equal(same, tags[0]);
}

static void test_not_modified(void **state)
{
    (void)state;
    char tag[100];
    tag_of(nothing, tag, sizeof tag);
    tear_down(NULL);
    set_up(NULL);
    scene.input.if_none_match = tag;
    assert_int_equal(answer(), STATUS_OK);
    assert_int_equal(scene.response.status, 304);
    assert_int_equal(scene.response.body.len_bytes, 0);
    assert_string_equal(header("ETag"), tag);
    assert_string_not_equal(header("Cache-Control"), "");
    assert_string_not_equal(header("Last-Modified"), "");
    assert_string_equal(header("Content-Type"), "");
    assert_string_equal(header("Content-Length"), "");

    tear_down(NULL);
    set_up(NULL);
    scene.input.if_none_match = "\"another\"";
    assert_int_equal(answer(), STATUS_OK);
    assert_int_equal(scene.response.status, 200);
}

/* A cache in front keeps a copy to the end of its second, and a second more while it asks where the row is
 * fresh for so long. */
static void test_copies(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t now_ms, age_ms;
        const char *expires, *stale, *age;
    } cases[] = {
        {"half a second left of the second", 1795492201500, 1250, "@1795492201", "1", "1"},
        {"a whole second", 1795492201000, 1250, "@1795492201", "1", "2"},
        {"both end together", 1795492201500, 2500, "@1795492201", "1", "3"},
        {"the row ends first", 1795492201500, 2501, "@1795492201", "0", "3"},
        {"a whole second too long", 1795492201000, 3000, "@1795492201", "0", "4"},
        {"stale", 1795492201500, 3500, "@1795492200", "0", "3"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char lines[300];
        tear_down(NULL);
        set_up(NULL);
        scene.input.is_behind_cache = true;
        scene.input.if_none_match = "*";
        scene.input.now_ms = cases[i].now_ms;
        scene.lookup.view.age_ms = cases[i].age_ms;
        assert_case_int(cases[i].name, answer(), STATUS_OK);
        assert_case_int(cases[i].name, scene.response.status, 200);
        assert_case_text(cases[i].name, header("Age"), cases[i].age);
        int64_t kept_s = (BOUNDS.stale_error_ms - cases[i].age_ms) / 1000;
        snprintf(
            lines, sizeof lines,
            "\r\nCache-Control: stale-while-revalidate=%s, stale-if-error=%d\r\nX-Accel-Expires: %s\r\n"
            "X-Upbeat-Good-In: %s\r\n"
            "X-Upbeat-Cache-Control: private, max-age=3, stale-while-revalidate=1, stale-if-error=300\r\n",
            cases[i].stale, (int)kept_s, cases[i].expires,
            strcmp(cases[i].name, "stale") == 0 ? "0 0" : "1795492201 1795492202");
        assert_case(cases[i].name, strstr(scene.response.head.data, lines) != NULL);
    }
}

static void test_a_row_that_is_damaged(void **state)
{
    (void)state;
    scene.pages[0] = 'x';
    assert_int_equal(answer(), STATUS_INVALID);
    tear_down(NULL);
    set_up(NULL);
    scene.previous_pages[0] = 'x';
    assert_int_equal(answer(), STATUS_INVALID);
}

static void test_without_memory(void **state)
{
    (void)state;
    arena_init(&scene.arena, 0);
    assert_int_equal(answer(), STATUS_NO_MEMORY);
}

#define ANSWER_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static void test_what_a_client_has_seen(void **state)
{
    static const struct {
        const char *name, *if_none_match, *if_modified_since;
        time_us seen_at;
    } cases[] = {
        {"nothing", NULL, NULL, 0},
        {"an ETag of ours", "\"660f6b9a80a90-0123456789abcdef\"", NULL, INT64_C(0x660f6b9a80a90)},
        {"a weak one, as nginx makes them", "W/\"660f6b9a80a90-0123456789abcdef\"", NULL,
         INT64_C(0x660f6b9a80a90)},
        {"the newest of several",
         "\"1-0123456789abcdef\", \"x\", W/\"3-0123456789abcdef\", \"2-0123456789abcdef\"", NULL, 3},
        {"any", "*", NULL, 0},
        {"somebody else's", "\"660f6b9a80a90\", \"abc-def\", \"-0123456789abcdef\", \"5-0123456789ABCDEF\"",
         NULL, 0},
        {"a hash that is too short, or too long", "\"5-0123456789abcde\", \"6-0123456789abcdef0\"", NULL, 0},
        {"not ended", "\"5-0123456789abcdef", NULL, 0},
        {"no number", "\" 5-0123456789abcdef\", \"+5-0123456789abcdef\"", NULL, 0},
        {"more than a time can be", "\"ffffffffffffffffff-0123456789abcdef\"", NULL, 0},
        {"a date", NULL, "Tue, 24 Nov 2026 03:50:00 GMT", INT64_C(1795492200000000)},
        {"a date and an older ETag", "\"1-0123456789abcdef\"", "Tue, 24 Nov 2026 03:50:00 GMT",
         INT64_C(1795492200000000)},
        {"no date", NULL, "yesterday", 0},
        {"a date of another form", NULL, "Tue, 24 Nov 2026 03:50:00 +0100", 0},
        {"", "", "", 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct request_head head = {.if_none_match = cases[i].if_none_match,
                                          .if_modified_since = cases[i].if_modified_since};
        assert_case_int(cases[i].name, answer_seen_at(&head), cases[i].seen_at);
    }
}

/* What the answer says is what the client comes back with. */
static void test_a_client_has_seen_what_it_was_told(void **state)
{
    char etag[64] = "";
    (void)state;
    assert_false(
        answer_begin(&scene.response, &scene.input, &scene.request, &scene.lookup, &BOUNDS, ANSWER_FRESH));
    const char *at = strstr(scene.response.head.data, "ETag: ");
    assert_non_null(at);
    assert_int_equal(sscanf(at, "ETag: %63s", etag), 1);
    const struct request_head head = {.if_none_match = etag};
    assert_int_equal(answer_seen_at(&head), TAKEN_AT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ANSWER_TEST(test_json),
        ANSWER_TEST(test_jsonp),
        ANSWER_TEST(test_csv),
        ANSWER_TEST(test_the_first_request),
        ANSWER_TEST(test_limits),
        ANSWER_TEST(test_headers),
        ANSWER_TEST(test_ages),
        ANSWER_TEST(test_what_chartbeat_did_not_say),
        ANSWER_TEST(test_each_representation_has_its_own_tag),
        ANSWER_TEST(test_not_modified),
        ANSWER_TEST(test_copies),
        ANSWER_TEST(test_a_row_that_is_damaged),
        ANSWER_TEST(test_without_memory),
        cmocka_unit_test(test_what_a_client_has_seen),
        cmocka_unit_test_setup_teardown(test_a_client_has_seen_what_it_was_told, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
