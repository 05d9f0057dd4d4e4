/* The states of a request: what a look-up, the end of a refresh, and time make of it. The fetcher is a socket
 * of the test's own; there is no database. */
#include "unit.h"

#include "api/api.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { TTL_MS = 3000, WAIT_MS = 300, STALE_MS = 10000, STALE_ERROR_MS = 300000, CHECKED_MS = 1000 };

#define TAKEN_AT INT64_C(1795000000000000)

#define ROW "9\t/a\tA\n"

struct scene {
    struct settings settings;
    struct api *api;
    int listener, fetcher;
    char folder[40];
    char socket[80];
    struct request request;
};

static struct scene scene;

static int set_up(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)state;
    memset(&scene, 0, sizeof scene);
    snprintf(scene.folder, sizeof scene.folder, "/tmp/upbeat-request-XXXXXX");
    if (!mkdtemp(scene.folder))
        return -1;
    snprintf(scene.socket, sizeof scene.socket, "%s/fetch.sock", scene.folder);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", scene.socket);
    scene.listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(scene.listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(scene.listener, 4) != 0)
        return -1;
    scene.settings = (struct settings){
        .database = "host=/nonexistent",
        .database_read = "",
        .run_dir = scene.folder,
        .fetch_socket = "",
        .drop_parameters = "",
        .ttl_ms = TTL_MS,
        .wait_ms = WAIT_MS,
        .stale_ms = STALE_MS,
        .stale_error_ms = STALE_ERROR_MS,
        .deadline_ms = 4500,
        .waiting_max = 2,
    };
    if (api_new(&scene.api, &scene.settings) != STATUS_OK)
        return -1;
    (void)api_tend(scene.api, clock_monotonic_ms());
    scene.fetcher = accept(scene.listener, NULL, NULL);
    request_init(&scene.request);
    return scene.fetcher >= 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    api_forget(scene.api, &scene.request);
    request_release(&scene.request);
    api_free(scene.api);
    close(scene.fetcher);
    close(scene.listener);
    unlink(scene.socket);
    rmdir(scene.folder);
    return 0;
}

static void begin(struct request *request, const char *path)
{
    request_clear(request);
    request->head = (struct request_head){
        .method = "GET", .path = path, .query = "host=a.example", .key = "key-0000000001", .id = "1"};
    request_begin(request, scene.api);
}

/* As if the look-up had brought this. */
static void take(struct request *request, struct cache_row_state row, int64_t after_ms)
{
    request->lookup.view = row;
    if (row.has_snapshot) {
        request->lookup.taken_at = TAKEN_AT;
        request->lookup.pages = ROW;
        request->lookup.pages_bytes = strlen(ROW);
    }
    request_take_row(request, scene.api, STATUS_OK, request->started_ms + after_ms);
}

static struct cache_row_state row_of(int64_t age_ms, int failures)
{
    return (struct cache_row_state){true, age_ms, KEY_ACCEPTED, CHECKED_MS, failures};
}

/* The next message that the worker has sent. */
static struct refresh_message heard(void)
{
    unsigned char bytes[REFRESH_MESSAGE_BYTES];
    struct refresh_message message = {0};
    assert_int_equal(recv(scene.fetcher, bytes, sizeof bytes, MSG_WAITALL), sizeof bytes);
    assert_int_equal(refresh_decode(bytes, &message), STATUS_OK);
    return message;
}

static bool has_heard_nothing(void)
{
    char byte;
    return recv(scene.fetcher, &byte, 1, MSG_DONTWAIT) < 0;
}

static void say_done(enum refresh_outcome outcome, int wait_ms, const struct refresh_message *asked)
{
    unsigned char bytes[REFRESH_MESSAGE_BYTES];
    struct refresh_message message = *asked;
    message.type = REFRESH_DONE;
    message.has_key = false;
    message.key[0] = '\0';
    message.outcome = outcome;
    message.wait_ms = wait_ms;
    refresh_encode(&message, bytes);
    assert_int_equal(send(scene.fetcher, bytes, sizeof bytes, 0), sizeof bytes);
    (void)api_tend(scene.api, clock_monotonic_ms());
}

static void test_what_a_look_up_makes_of_it(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct cache_row_state row;
        enum request_state goes_to;
        int status; /* where it is done */
        bool asks, checks;
    } cases[] = {
        {"fresh", {true, 0, KEY_ACCEPTED, CHECKED_MS, 0}, REQUEST_DONE, 200, false, false},
        {"older than the TTL", {true, 3001, KEY_ACCEPTED, CHECKED_MS, 0}, REQUEST_WAITING, 0, true, false},
        {"stale, and Chartbeat fails",
         {true, 3001, KEY_ACCEPTED, CHECKED_MS, 1},
         REQUEST_DONE,
         200,
         true,
         false},
        {"too old", {true, 10001, KEY_ACCEPTED, CHECKED_MS, 0}, REQUEST_WAITING, 0, true, false},
        {"no row", {false, 0, KEY_ACCEPTED, CHECKED_MS, 0}, REQUEST_WAITING, 0, true, false},
        {"unknown key", {true, 0, KEY_UNKNOWN, 0, 0}, REQUEST_WAITING, 0, true, true},
        {"key not checked for too long", {true, 0, KEY_ACCEPTED, 300001, 0}, REQUEST_WAITING, 0, true, true},
        {"refused key", {true, 0, KEY_REFUSED, 0, 0}, REQUEST_DONE, 400, false, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (i > 0) {
            tear_down(NULL);
            assert_int_equal(set_up(NULL), 0);
        }
        begin(&scene.request, "/api/v1.0/increasingconcurrents");
        assert_case_int(cases[i].name, scene.request.state, REQUEST_LOOKUP);
        take(&scene.request, cases[i].row, 1);
        assert_case_int(cases[i].name, scene.request.state, cases[i].goes_to);
        if (cases[i].status)
            assert_case_int(cases[i].name, scene.request.response.status, cases[i].status);
        if (cases[i].asks) {
            const struct refresh_message message = heard();
            assert_case_int(cases[i].name, message.type, REFRESH_ASK);
            assert_case_int(cases[i].name, message.check, cases[i].checks);
            assert_string_equal(message.host, "a.example");
            assert_string_equal(message.key, "key-0000000001");
        }
        if (cases[i].status == 200 && !cases[i].asks)
            assert_case_int(cases[i].name, heard().type, REFRESH_ASKED);
        assert_true(has_heard_nothing());
    }
}

static void test_the_end_of_a_refresh(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum refresh_outcome outcome;
        int64_t age_ms; /* of the row that is then found; -1: none */
        int status;
        const char *warning; /* in the head; NULL: there is none */
    } cases[] = {
        {"stored, and there", REFRESH_STORED, 10, 200, NULL},
        {"unreachable, a row to serve", REFRESH_UNREACHABLE, 20000, 200, "Warning: 111"},
        {"unreachable, nothing to serve", REFRESH_UNREACHABLE, -1, 503, NULL},
        {"timed out", REFRESH_TIMED_OUT, -1, 504, NULL},
        {"of no use", REFRESH_USELESS, -1, 502, NULL},
        {"too many bad keys", REFRESH_BAD_KEYS, -1, 429, NULL},
        {"back-off", REFRESH_BACKOFF, 400000, 503, NULL},
        {"no key", REFRESH_NO_KEY, -1, 503, NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (i > 0) {
            tear_down(NULL);
            assert_int_equal(set_up(NULL), 0);
        }
        begin(&scene.request, "/api/v1.0/increasingconcurrents");
        take(&scene.request, (struct cache_row_state){false, 0, KEY_ACCEPTED, CHECKED_MS, 0}, 1);
        const struct refresh_message asked = heard();
        say_done(cases[i].outcome, 5000, &asked);
        assert_ptr_equal(api_next_woken(scene.api), &scene.request);
        assert_case_int(cases[i].name, scene.request.state, REQUEST_LOOKUP);
        take(&scene.request,
             cases[i].age_ms < 0 ? (struct cache_row_state){false, 0, KEY_ACCEPTED, CHECKED_MS, 0}
                                 : row_of(cases[i].age_ms, 0),
             200);
        assert_case_int(cases[i].name, scene.request.state, REQUEST_DONE);
        assert_case_int(cases[i].name, scene.request.response.status, cases[i].status);
        const char *head = scene.request.response.head.data;
        assert_case_int(cases[i].name, strstr(head, cases[i].warning ? cases[i].warning : "Warning:") != NULL,
                        cases[i].warning != NULL);
        assert_case_int(cases[i].name, strstr(head, "Retry-After: 5\r\n") != NULL, cases[i].status >= 429);
    }
}

static void test_its_time_is_up(void **state)
{
    (void)state;
    begin(&scene.request, "/api/v1.0/increasingconcurrents");
    take(&scene.request, row_of(4000, 0), 1);
    assert_int_equal(scene.request.state, REQUEST_WAITING);
    (void)api_tend(scene.api, scene.request.started_ms + WAIT_MS - 1);
    assert_null(api_next_woken(scene.api));
    (void)api_tend(scene.api, scene.request.started_ms + WAIT_MS);
    assert_ptr_equal(api_next_woken(scene.api), &scene.request);
    take(&scene.request, row_of(4300, 0), WAIT_MS);
    assert_int_equal(scene.request.state, REQUEST_DONE);
    assert_int_equal(scene.request.response.status, 200);
    assert_non_null(strstr(scene.request.response.head.data, "Warning: 110"));
}

/* Its last look-up needs time too, or it would be answered with an error of the database. */
static void test_it_does_not_wait_past_its_deadline(void **state)
{
    (void)state;
    scene.settings.deadline_ms = 1000;
    begin(&scene.request, "/api/v1.0/increasingconcurrents");
    take(&scene.request, (struct cache_row_state){false, 0, KEY_ACCEPTED, CHECKED_MS, 0}, 1);
    assert_int_equal(scene.request.state, REQUEST_WAITING);
    (void)api_tend(scene.api, scene.request.started_ms + 799);
    assert_null(api_next_woken(scene.api));
    (void)api_tend(scene.api, scene.request.started_ms + 800);
    assert_ptr_equal(api_next_woken(scene.api), &scene.request);
    take(&scene.request, (struct cache_row_state){false, 0, KEY_ACCEPTED, CHECKED_MS, 0}, 801);
    assert_int_equal(scene.request.response.status, 503);
    assert_non_null(strstr(scene.request.response.body.data, "has not answered yet"));
}

/* There is no database here: a look-up that asks it finds it unreachable, one that has no time left times
 * out. */
static void test_one_that_is_late_costs_the_others_nothing(void **state)
{
    (void)state;
    struct request late;
    struct request *both[] = {&late, &scene.request};
    size_t taken = 0;
    request_init(&late);
    begin(&late, "/api/v1.0/increasingconcurrents");
    begin(&scene.request, "/api/v1.0/increasingconcurrents");
    late.deadline = deadline_in(-1);
    api_look_up(scene.api, both, 1, &taken);
    assert_int_equal(late.response.status, 503);
    assert_false(store_is_away(scene.api->store));
    begin(&late, "/api/v1.0/increasingconcurrents");
    late.deadline = deadline_in(-1);
    api_look_up(scene.api, both, 2, &taken);
    assert_int_equal(taken, 2);
    assert_true(store_is_away(scene.api->store));
    request_release(&late);
}

/* What was answered last is repeated while the database can't be had, as long as the policy allows. */
static void test_the_last_answer_is_repeated(void **state)
{
    static const struct {
        const char *name, *path, *key;
        int64_t age_ms, since_ms;
        int status;
    } cases[] = {
        {"fresh", "/api/v1.0/increasingconcurrents", "key-0000000001", 1000, 0, 200},
        {"by and by", "/api/v1.0/increasingconcurrents", "key-0000000001", 1000, 200000, 200},
        {"too old", "/api/v1.0/increasingconcurrents", "key-0000000001", 1000, 299001, 503},
        {"another key", "/api/v1.0/increasingconcurrents", "key-0000000002", 1000, 0, 503},
        {"another question", "/api/v1.0/usual", "key-0000000001", 1000, 0, 503},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        begin(&scene.request, "/api/v1.0/increasingconcurrents");
        take(&scene.request, row_of(cases[i].age_ms, 0), 1);
        assert_case_int(cases[i].name, scene.request.response.status, 200);
        request_clear(&scene.request);
        scene.request.head = (struct request_head){.method = "GET",
                                                   .path = cases[i].path,
                                                   .query = "host=a.example",
                                                   .key = cases[i].key,
                                                   .id = "2"};
        request_begin(&scene.request, scene.api);
        struct cached_answer kept;
        if (answer_cache_find(scene.api->answers, &scene.request.head, &scene.request.params, &kept)) {
            kept.looked_up_ms -= cases[i].since_ms;
            answer_cache_put(scene.api->answers, &scene.request.head, &scene.request.params, &kept, true);
        }
        request_take_row(&scene.request, scene.api, STATUS_UNREACHABLE, clock_monotonic_ms());
        assert_case_int(cases[i].name, scene.request.response.status, cases[i].status);
        bool is_marked = strstr(scene.request.response.head.data, "Warning: 111") != NULL;
        assert_case(cases[i].name, is_marked == (cases[i].status == 200));
    }
}

/* The primary is away, and a standby has had to do: nobody waits, and a standby that knows less than this
 * worker is not asked for its opinion. */
static void test_a_row_of_a_standby_that_may_be_behind(void **state)
{
    enum { KEPT_AGE_MS = 500 };
    static const struct {
        const char *name, *path;
        struct cache_row_state row;
        time_us older_us; /* than the answer that this worker has in memory */
        bool has_kept;
        int status;
        const char *said;
    } cases[] = {
        {"older than the TTL",
         "/api/v1.0/increasingconcurrents",
         {true, 3001, KEY_ACCEPTED, CHECKED_MS, 1},
         0,
         false,
         200,
         "Age: 3"},
        {"the same as in memory",
         "/api/v1.0/increasingconcurrents",
         {true, 3001, KEY_ACCEPTED, CHECKED_MS, 1},
         0,
         true,
         200,
         "Age: 3"},
        {"older than in memory",
         "/api/v1.0/increasingconcurrents",
         {true, 9001, KEY_ACCEPTED, CHECKED_MS, 1},
         9000000,
         true,
         200,
         "Age: 0"},
        {"too old",
         "/api/v1.0/increasingconcurrents",
         {true, 300001, KEY_ACCEPTED, CHECKED_MS, 1},
         0,
         false,
         503,
         ""},
        {"unknown key",
         "/api/v1.0/increasingconcurrents",
         {true, 3001, KEY_UNKNOWN, 0, 1},
         0,
         false,
         503,
         ""},
        {"key not checked for too long",
         "/api/v1.0/increasingconcurrents",
         {true, 3001, KEY_ACCEPTED, 300001, 1},
         0,
         false,
         503,
         ""},
        {"refused key",
         "/api/v1.0/increasingconcurrents",
         {true, 3001, KEY_REFUSED, 0, 1},
         9000000,
         true,
         400,
         ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (i > 0) {
            tear_down(NULL);
            assert_int_equal(set_up(NULL), 0);
        }
        begin(&scene.request, cases[i].path);
        if (cases[i].has_kept) {
            take(&scene.request, row_of(KEPT_AGE_MS, 0), 1);
            begin(&scene.request, cases[i].path);
        }
        scene.request.lookup.is_second_best = true;
        scene.request.lookup.view = cases[i].row;
        scene.request.lookup.taken_at = TAKEN_AT - cases[i].older_us;
        scene.request.lookup.pages = ROW;
        scene.request.lookup.pages_bytes = strlen(ROW);
        request_take_row(&scene.request, scene.api, STATUS_OK, clock_monotonic_ms());
        assert_case_int(cases[i].name, scene.request.state, REQUEST_DONE);
        assert_case_int(cases[i].name, scene.request.response.status, cases[i].status);
        assert_case(cases[i].name, strstr(scene.request.response.head.data, cases[i].said) != NULL);
        bool is_marked = strstr(scene.request.response.head.data, "Warning: 111") != NULL;
        assert_case(cases[i].name, is_marked == (cases[i].status == 200));
    }
}

static void test_a_key_that_was_refused_gives_way_to_the_next_but_not_for_ever(void **state)
{
    (void)state;
    const struct cache_row_state none = {false, 0, KEY_ACCEPTED, CHECKED_MS, 0};
    int rounds = 0;
    begin(&scene.request, "/api/v1.0/increasingconcurrents");
    for (take(&scene.request, none, 1); scene.request.state == REQUEST_WAITING;
         take(&scene.request, none, 1)) {
        const struct refresh_message asked = heard();
        say_done(REFRESH_KEY_REFUSED, 0, &asked);
        assert_ptr_equal(api_next_woken(scene.api), &scene.request);
        rounds++;
    }
    assert_int_equal(rounds, 4);
    assert_int_equal(scene.request.response.status, 503);
}

static void test_a_lost_fetcher(void **state)
{
    (void)state;
    begin(&scene.request, "/api/v1.0/increasingconcurrents");
    take(&scene.request, (struct cache_row_state){false, 0, KEY_ACCEPTED, CHECKED_MS, 0}, 1);
    (void)heard();
    close(scene.listener);
    unlink(scene.socket);
    close(scene.fetcher);
    (void)api_tend(scene.api, clock_monotonic_ms()); /* hears that it has closed */
    (void)api_tend(scene.api, clock_monotonic_ms());
    assert_ptr_equal(api_next_woken(scene.api), &scene.request);
    take(&scene.request, (struct cache_row_state){false, 0, KEY_ACCEPTED, CHECKED_MS, 0}, 5);
    assert_int_equal(scene.request.state, REQUEST_DONE);
    assert_int_equal(scene.request.response.status, 503);
    assert_non_null(strstr(scene.request.response.body.data, "fetcher"));
    begin(&scene.request, "/api/v1.0/increasingconcurrents");
    take(&scene.request, row_of(20000, 0), 1);
    assert_int_equal(scene.request.response.status, 200); /* stale */
}

static void test_a_report_needs_a_query_and_no_new_snapshot(void **state)
{
    (void)state;
    begin(&scene.request, "/api/v1.0/history");
    assert_int_equal(scene.request.state, REQUEST_LOOKUP);
    take(&scene.request, row_of(7200000, 0), 1);
    assert_int_equal(scene.request.state, REQUEST_QUERY);
    assert_int_equal(heard().type, REFRESH_ASK);
}

static void test_too_many_wait(void **state)
{
    (void)state;
    struct request others[2];
    for (size_t i = 0; i < COUNT(others); i++) {
        request_init(&others[i]);
        begin(&others[i], "/api/v1.0/increasingconcurrents");
        take(&others[i], (struct cache_row_state){false, 0, KEY_ACCEPTED, CHECKED_MS, 0}, 1);
        assert_int_equal(others[i].state, REQUEST_WAITING);
    }
    begin(&scene.request, "/api/v1.0/increasingconcurrents");
    take(&scene.request, (struct cache_row_state){false, 0, KEY_ACCEPTED, CHECKED_MS, 0}, 1);
    assert_int_equal(scene.request.state, REQUEST_DONE);
    assert_int_equal(scene.request.response.status, 503);
    for (size_t i = 0; i < COUNT(others); i++) {
        api_forget(scene.api, &others[i]);
        request_release(&others[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_a_look_up_makes_of_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_end_of_a_refresh, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_its_time_is_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_it_does_not_wait_past_its_deadline, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_that_is_late_costs_the_others_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_last_answer_is_repeated, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_row_of_a_standby_that_may_be_behind, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_key_that_was_refused_gives_way_to_the_next_but_not_for_ever,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_lost_fetcher, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_report_needs_a_query_and_no_new_snapshot, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_too_many_wait, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
