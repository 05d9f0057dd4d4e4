#include "unit.h"

#include "orders.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { QUIET_MS = 250, PUT_OFF_MS = 100, PUT_OFF_MAX = 20, LONG_MS = 60000 };

/* The ranks of those who are told. */
enum { FIRST = 1, SECOND = 2 };

/* The clock of the orders is ours. */
static int64_t now_ms;

int64_t __wrap_clock_monotonic_ms(void);
int64_t __wrap_clock_monotonic_ms(void)
{
    return now_ms;
}

struct fixture {
    char folder[64];
    struct orders *workers[SECOND + 1];
};

static const struct digest KEY = {{1, 2, 3}};
static const struct digest OTHER_KEY = {{9}};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    if (!fixture)
        return -1;
    snprintf(fixture->folder, sizeof fixture->folder, "/tmp/upbeat-orders-XXXXXX");
    now_ms = 1000000;
    if (!mkdtemp(fixture->folder))
        return -1;
    for (int rank = 0; rank <= SECOND; rank++) {
        if (orders_new(&fixture->workers[rank], fixture->folder, rank, QUIET_MS) != STATUS_OK)
            return -1;
    }
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    char path[128];
    for (int rank = 0; rank <= SECOND; rank++) {
        orders_free(fixture->workers[rank]);
        snprintf(path, sizeof path, "%s/refresh.%d", fixture->folder, rank);
        unlink(path);
    }
    int result = rmdir(fixture->folder); /* and nothing else was left there */
    free(fixture);
    return result;
}

/* Steps of a table: what is done, when (since the start), and what comes of it. */
struct step {
    enum { END, WANT, WANT_OLD, TAKE, TELL, PUT_OFF, WAIT } what;
    int at_ms;
    const char *host; /* TAKE: NULL where none is due; TELL, PUT_OFF: the one that was taken last */
    int ms; /* WANT: due in, of a row that is new; WANT_OLD: age of the row, due at once; WAIT: how long;
               TELL: whom; TAKE: who was told in vain, 0 for nobody */
};

static const struct {
    const char *name;
    struct step steps[16];
} RUNS[] = {
    {"nothing is wanted", {{TAKE, 0, NULL, 0}, {WAIT, 0, NULL, LONG_MS}}},
    {"at once", {{WANT, 0, "a", 0}, {WAIT, 0, NULL, 0}, {TAKE, 0, "a", 0}, {TAKE, 0, NULL, 0}}},
    {"not before it is due",
     {{WANT, 0, "a", 800},
      {WAIT, 0, NULL, 800},
      {TAKE, 799, NULL, 0},
      {WAIT, 799, NULL, 1},
      {TAKE, 800, "a", 0},
      {WAIT, 800, NULL, LONG_MS}}},
    {"overdue is no wait", {{WANT, 0, "a", 5}, {WAIT, 900, NULL, 0}, {TAKE, 900, "a", 0}}},
    {"one of many who ask",
     {{WANT, 0, "a", 0}, {WANT, 0, "a", 0}, {WANT, 1, "a", 0}, {TAKE, 1, "a", 0}, {TAKE, 1, NULL, 0}}},
    {"a later wish changes nothing",
     {{WANT, 0, "a", 100}, {WANT, 10, "a", 800}, {TAKE, 100, "a", 0}, {TAKE, 5000, NULL, 0}}},
    {"an earlier one does",
     {{WANT, 0, "a", 800}, {WANT, 10, "a", 0}, {TAKE, 10, "a", 0}, {TAKE, 5000, NULL, 0}}},
    {"two hosts, the first to be due first",
     {{WANT, 0, "a", 50},
      {WANT, 0, "b", 20},
      {WAIT, 0, NULL, 20},
      {TAKE, 20, "b", 0},
      {WAIT, 20, NULL, 30},
      {TAKE, 50, "a", 0}}},
    {"quiet after it was taken, to the millisecond",
     {{WANT, 0, "a", 0},
      {TAKE, 7, "a", 0},
      {WANT, 7 + QUIET_MS - 1, "a", 0},
      {TAKE, 7 + QUIET_MS - 1, NULL, 0},
      {WANT, 7 + QUIET_MS, "a", 0},
      {TAKE, 7 + QUIET_MS, "a", 0}}},
    {"in vain where the row is older than the last time that it was due, however long ago",
     {{WANT_OLD, 0, "a", LONG_MS},
      {TAKE, 0, "a", 0},
      {TELL, 0, NULL, FIRST},
      {WANT_OLD, 1000, "a", 1001},
      {WANT, 1001, "a", 0},
      {TAKE, 1004, "a", FIRST},
      {TELL, 1004, NULL, SECOND},
      {WANT_OLD, 5000, "a", 5000 - 1004},
      {TAKE, 5000, "a", 0},
      {TELL, 5000, NULL, FIRST},
      {WANT_OLD, 90000, "a", 85001},
      {TAKE, 90000, "a", FIRST}}},
    {"in vain by whom it was told, whoever was told of another host meanwhile",
     {{WANT, 0, "a", 0},
      {WANT, 0, "b", 0},
      {TAKE, 0, "a", 0},
      {TELL, 0, NULL, FIRST},
      {TAKE, 0, "b", 0},
      {TELL, 0, NULL, SECOND},
      {WANT_OLD, 1000, "a", LONG_MS},
      {WANT_OLD, 1000, "b", LONG_MS},
      {TAKE, 1000, "a", FIRST},
      {TAKE, 1000, "b", SECOND}}},
    {"nobody else where we did it ourselves, or it is another host that has the place now",
     {{WANT, 0, "h3", 0},
      {TAKE, 0, "h3", 0},
      {WANT_OLD, 1000, "h3", LONG_MS},
      {TAKE, 1000, "h3", 0},
      {TELL, 1000, NULL, FIRST},
      {WANT_OLD, 2000, "h31", LONG_MS},
      {TAKE, 2000, "h31", 0}}},
    {"quiet is one host's alone",
     {{WANT, 0, "a", 0}, {TAKE, 0, "a", 0}, {WANT, 1, "b", 0}, {TAKE, 1, "b", 0}}},
    {"put off", /* and who asks meanwhile does not bring it forward */
     {{WANT, 0, "a", 0},
      {TAKE, 0, "a", 0},
      {PUT_OFF, 5, NULL, 0},
      {WAIT, 5, NULL, PUT_OFF_MS},
      {WANT, 6, "a", 0},
      {TAKE, 6, NULL, 0},
      {TAKE, 5 + PUT_OFF_MS, "a", 0},
      {TAKE, LONG_MS, NULL, 0}}},
    /* Both fall on one of 256 places. */
    {"the later of two on one place", {{WANT, 0, "h3", 0}, {WANT, 1, "h31", 9}, {TAKE, 10, "h31", 0}}},
};

static void do_step(const char *name, struct orders *orders, const struct step *step, struct order *taken)
{
    switch (step->what) {
    case WANT:
        orders_want(orders, step->host, &KEY, 0, step->ms);
        break;
    case WANT_OLD:
        orders_want(orders, step->host, &KEY, step->ms, 0);
        break;
    case TELL:
        assert_case(name, orders_hand_over(orders, taken, step->ms));
        break;
    case PUT_OFF:
        orders_put_off(orders, taken);
        break;
    case WAIT:
        assert_case_int(name, orders_wait_ms(orders, LONG_MS), step->ms);
        break;
    default:
        assert_case_int(name, orders_take_due(orders, taken), step->host != NULL);
        if (step->host) {
            assert_case_text(name, taken->host, step->host);
            assert_case(name, memcmp(&taken->digest, &KEY, sizeof KEY) == 0);
            assert_case_int(name, taken->in_vain, step->ms > 0 ? step->ms : -1);
        }
        break;
    }
}

static void test_runs(void **state)
{
    const struct fixture *fixture = *state;
    for (size_t i = 0; i < COUNT(RUNS); i++) {
        struct orders *orders = NULL;
        struct order taken = {0};
        int64_t started_ms = now_ms;
        assert_int_equal(orders_new(&orders, fixture->folder, 0, QUIET_MS), STATUS_OK);
        for (const struct step *step = RUNS[i].steps; step->what != END; step++) {
            now_ms = started_ms + step->at_ms;
            do_step(RUNS[i].name, orders, step, &taken);
        }
        orders_free(orders);
    }
}

static void test_put_off_not_for_ever(void **state)
{
    const struct fixture *fixture = *state;
    struct order order = {.host = "a", .digest = KEY};
    int times = 0;
    orders_put_off(fixture->workers[0], &order);
    for (now_ms += PUT_OFF_MS; orders_take_due(fixture->workers[0], &order); now_ms += PUT_OFF_MS) {
        times++;
        assert_true(times <= PUT_OFF_MAX);
        orders_put_off(fixture->workers[0], &order);
    }
    assert_int_equal(times, PUT_OFF_MAX);
    orders_want(fixture->workers[0], "a", &KEY, 0, 0); /* who asks later starts anew */
    assert_false(orders_take_due(fixture->workers[0], &order));
    now_ms += QUIET_MS;
    orders_want(fixture->workers[0], "a", &KEY, 0, 0);
    assert_true(orders_take_due(fixture->workers[0], &order));
    assert_int_equal(order.put_off, 0);
}

/* Two who hand it to each other don't do so for ever either. */
static void test_put_off_is_counted_on_the_way(void **state)
{
    const struct fixture *fixture = *state;
    struct order order = {.host = "a", .digest = KEY};
    int times = 0;
    for (int at = 0; times <= PUT_OFF_MAX; at = 1 - at, times++) {
        orders_put_off(fixture->workers[at], &order);
        now_ms += PUT_OFF_MS;
        if (!orders_take_due(fixture->workers[at], &order))
            break;
        assert_true(orders_hand_over(fixture->workers[at], &order, 1 - at));
        assert_true(orders_receive(fixture->workers[1 - at], &order));
    }
    assert_int_equal(times, PUT_OFF_MAX);
}

/* What others put off earlier, of the same host, does not count: each order has its own tries. */
static void test_each_order_may_be_put_off(void **state)
{
    const struct fixture *fixture = *state;
    for (int i = 0; i < 2 * PUT_OFF_MAX; i++) {
        struct order order = {.host = "a", .digest = KEY};
        orders_put_off(fixture->workers[0], &order);
        now_ms += LONG_MS;
        assert_true(orders_take_due(fixture->workers[0], &order));
    }
}

static void test_hand_over(void **state)
{
    const struct fixture *fixture = *state;
    struct order order = {.host = "untouched", .digest = KEY};
    assert_false(orders_receive(fixture->workers[1], &order));
    assert_string_equal(order.host, "untouched");

    struct order given = {.host = "www.example", .digest = OTHER_KEY};
    assert_true(orders_hand_over(fixture->workers[0], &given, 1));
    assert_false(orders_receive(fixture->workers[0], &order));
    assert_true(orders_receive(fixture->workers[1], &order));
    assert_string_equal(order.host, "www.example");
    assert_memory_equal(&order.digest, &OTHER_KEY, sizeof OTHER_KEY);
    assert_false(orders_receive(fixture->workers[1], &order));
}

static void test_hand_over_to_nobody(void **state)
{
    struct fixture *fixture = *state;
    const struct order order = {.host = "a", .digest = KEY};
    assert_false(orders_hand_over(fixture->workers[0], &order, SECOND + 1)); /* never was there */
    orders_free(fixture->workers[1]);
    fixture->workers[1] = NULL;
    assert_false(orders_hand_over(fixture->workers[0], &order, 1)); /* was, and left its socket */
    assert_int_equal(orders_new(&fixture->workers[1], fixture->folder, 1, QUIET_MS), STATUS_OK);
    assert_true(orders_hand_over(fixture->workers[0], &order, 1)); /* has come again */
}

/* Who does not read, frozen or busy, blocks nobody. */
static void test_hand_over_to_a_full_one(void **state)
{
    const struct fixture *fixture = *state;
    struct order order = {.host = "a", .digest = KEY};
    int held = 0;
    while (held < 100000 && orders_hand_over(fixture->workers[0], &order, 1))
        held++;
    assert_in_range(held, 1, 99999);
    for (; held > 0; held--)
        assert_true(orders_receive(fixture->workers[1], &order));
    assert_true(orders_hand_over(fixture->workers[0], &order, 1));
}

static void test_receive_junk(void **state)
{
    const struct fixture *fixture = *state;
    static char too_long[sizeof(struct order) + 1]; /* but for its length it would do */
    static char no_end[sizeof(struct order)];
    memset(no_end, 'a', sizeof no_end);
    const struct {
        const char *name;
        const char *bytes;
        size_t len;
    } cases[] = {
        {"empty", "", 0},
        {"short", "a.example", 10},
        {"a byte short", too_long, sizeof(struct order) - 1},
        {"a byte more", too_long, sizeof too_long},
        {"a host that does not end", no_end, sizeof no_end},
    };
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/refresh.0", fixture->folder);
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct order order = {.host = "untouched"};
        ssize_t sent =
            sendto(fd, cases[i].bytes, cases[i].len, 0, (struct sockaddr *)&address, sizeof address);
        assert_case_int(cases[i].name, sent, cases[i].len);
        assert_case(cases[i].name, !orders_receive(fixture->workers[0], &order));
        assert_case_text(cases[i].name, order.host, "untouched");
    }
    /* It hides nothing that comes after it. */
    struct order order = {.host = "a", .digest = KEY};
    assert_int_equal(sendto(fd, "", 0, 0, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
    assert_true(orders_hand_over(fixture->workers[1], &order, 0));
    assert_true(orders_receive(fixture->workers[0], &order));
    assert_false(orders_receive(fixture->workers[0], &order));
}

static void test_no_socket(void **state)
{
    (void)state;
    static char deep[200] = "/tmp/";
    memset(deep + 5, 'a', sizeof deep - 6);
    const struct {
        const char *folder;
        int why;
    } cases[] = {{"/tmp/upbeat-no-such-folder", ENOENT}, {deep, ENAMETOOLONG}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct orders *orders = NULL;
        assert_case_int(cases[i].folder, orders_new(&orders, cases[i].folder, 0, QUIET_MS), STATUS_FAILED);
        assert_case_int(cases[i].folder, errno, cases[i].why);
        assert_null(orders);
    }
    orders_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_runs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_put_off_not_for_ever, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_put_off_is_counted_on_the_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_each_order_may_be_put_off, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_hand_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_hand_over_to_nobody, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_hand_over_to_a_full_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_receive_junk, set_up, tear_down),
        cmocka_unit_test(test_no_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
