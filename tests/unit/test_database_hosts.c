#include "unit.h"

#include "db/database_hosts.h"

static void test_split(void **state)
{
    static const struct {
        const char *names, *addresses, *ports;
        enum status status;
        size_t count;
        const char *last[3]; /* name, address and port of the last host */
    } rows[] = {
        {NULL, NULL, NULL, STATUS_OK, 1, {"", "", ""}},
        {"", "", "5433", STATUS_OK, 1, {"", "", "5433"}},
        {"a", NULL, NULL, STATUS_OK, 1, {"a", "", ""}},
        {"a,b", "", "5432", STATUS_OK, 2, {"b", "", "5432"}},
        {"a,b", "", "1,2", STATUS_OK, 2, {"b", "", "2"}},
        {"a,b", "", "1,", STATUS_OK, 2, {"b", "", ""}},
        {"a,b,/run/pg", "10.0.0.1,10.0.0.2,", "1", STATUS_OK, 3, {"/run/pg", "", "1"}},
        {"", "10.0.0.1,::1", "1,2", STATUS_OK, 2, {"", "::1", "2"}},
        {"a,b", "10.0.0.1", "1", STATUS_INVALID, 0, {0}},
        {"a,b,c", "", "1,2", STATUS_INVALID, 0, {0}},
        {"1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", "", "", STATUS_TOO_LARGE, 0, {0}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct database_hosts hosts;
        assert_int_equal(database_hosts_split(&hosts, rows[i].names, rows[i].addresses, rows[i].ports),
                         rows[i].status);
        if (rows[i].status != STATUS_OK)
            continue;
        assert_int_equal(hosts.count, rows[i].count);
        const struct database_host *last = &hosts.all[hosts.count - 1];
        assert_string_equal(last->name, rows[i].last[0]);
        assert_string_equal(last->address, rows[i].last[1]);
        assert_string_equal(last->port, rows[i].last[2]);
    }
}

static void test_a_list_that_is_too_long(void **state)
{
    struct database_hosts hosts;
    char name[DATABASE_HOSTS_TEXT_BYTES + 1];
    (void)state;
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_int_equal(database_hosts_split(&hosts, name, "", ""), STATUS_TOO_LARGE);
}

static void test_order(void **state)
{
    enum { G = HOST_GOOD, R = HOST_REFUSED, S = HOST_SILENT };
    static const struct {
        unsigned char ranks[3];
        const char *order;
    } rows[] = {
        {{G, G, G}, "012"}, {{S, G, G}, "120"}, {{R, G, G}, "120"}, {{S, R, G}, "210"},
        {{R, S, R}, "021"}, {{G, G, S}, "012"}, {{S, S, R}, "201"}, {{S, S, S}, "012"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct database_hosts hosts = {.count = 3};
        unsigned char order[DATABASE_HOSTS_MAX];
        char text[4] = "";
        for (size_t k = 0; k < 3; k++)
            hosts.all[k].rank = (enum database_host_rank)rows[i].ranks[k];
        database_hosts_order(&hosts, order);
        for (size_t k = 0; k < 3; k++)
            text[k] = (char)('0' + order[k]);
        assert_string_equal(text, rows[i].order);
    }
}

static void test_which_names_are_looked_up(void **state)
{
    static const struct {
        const char *name, *address;
        bool is_looked_up;
    } rows[] = {
        {"", "", false},
        {"/run/postgresql", "", false},
        {"@abstract", "", false},
        {"10.0.0.1", "", false},
        {"::1", "", false},
        {"db.example", "", true},
        {"localhost", "", true},
        {"10.0.0", "", true},
        {"db.example", "10.0.0.1", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct database_host host = {rows[i].name, rows[i].address, "", HOST_GOOD};
        assert_int_equal(database_host_needs_look_up(&host), rows[i].is_looked_up);
    }
}

static void test_back_off(void **state)
{
    static const struct {
        int failures;
        uint32_t random;
        int ms;
    } rows[] = {
        {1, 0, 25}, {1, 25, 50}, {2, 0, 50}, {4, 200, 400}, {5, 250, 500}, {9, 0, 250}, {1000000, 250, 500},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(database_hosts_back_off_ms(rows[i].failures, rows[i].random), rows[i].ms);
    for (uint32_t random = 0; random < 5000; random += 7)
        assert_in_range(database_hosts_back_off_ms(7, random * 858993u), 250, 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split),    cmocka_unit_test(test_a_list_that_is_too_long),
        cmocka_unit_test(test_order),    cmocka_unit_test(test_which_names_are_looked_up),
        cmocka_unit_test(test_back_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
