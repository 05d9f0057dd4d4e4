#include "unit.h"

#include "base/settings.h"

#include <stdlib.h>

static const char *const NAMES[] = {
    "UPBEAT_DATABASE",        "UPBEAT_DATABASE_READ", "CHARTBEAT_URL",   "CHARTBEAT_LIMIT",
    "UPBEAT_DROP_PARAMETERS", "UPBEAT_TTL_MS",        "UPBEAT_STALE_MS", "UPBEAT_STALE_ERROR_MS",
    "UPBEAT_WORKERS",         "UPBEAT_DEADLINE_MS",   "UPBEAT_PREPARE",  "UPBEAT_RATE_PER_MINUTE",
    "UPBEAT_SECRET_FILE",     "UPBEAT_RUN_DIR",       "UPBEAT_LOG",      "UPBEAT_UPSTREAM_TIMEOUT_MS",
    "UPBEAT_ALERT_PROXY",
};

static int set_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(NAMES); i++)
        unsetenv(NAMES[i]);
    return 0;
}

static void test_presets(void **state)
{
    (void)state;
    for (int round = 0; round < 2; round++) {
        struct settings settings;
        struct buffer fault;
        buffer_init(&fault, 1000);
        assert_int_equal(settings_read(&settings, &fault), STATUS_OK);
        assert_int_equal(fault.len_bytes, 0);
        assert_string_equal(settings.database, "");
        assert_string_equal(settings.database_read, "");
        assert_string_equal(settings.chartbeat_url, "https://api.chartbeat.com/live/toppages/v3/");
        assert_int_equal(settings.chartbeat_limit, 100);
        /* Here empty has a meaning of its own: none. */
        assert_string_equal(settings.drop_parameters,
                            round > 0 ? "" : "utm_* fbclid gclid dclid msclkid mc_cid mc_eid igshid");
        assert_int_equal(settings.ttl_ms, 3000);
        assert_int_equal(settings.stale_ms, 10000);
        assert_int_equal(settings.stale_error_ms, 300000);
        assert_int_equal(settings.upstream_timeout_ms, 3000);
        assert_int_equal(settings.deadline_ms, 4500);
        assert_int_equal(settings.workers, 2);
        assert_int_equal(settings.rate_per_minute, 200);
        assert_true(settings.prepare);
        assert_int_equal(settings.log_level, LEVEL_INFO);
        /* Empty is as good as absent. */
        for (size_t i = 0; i < COUNT(NAMES); i++)
            setenv(NAMES[i], "", 1);
    }
}

#define LIST  "names of letters, digits, _ . and -, some with a * at the end, a space between them, or empty"
#define TTL   "a whole number from 100 to 60000"
#define URL   "http(s)://HOST[:PORT]/PATH without user, query or fragment"
#define PROXY "http(s)://[USER:PASSWORD@]HOST:PORT, or empty"

static void test_each_setting(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value;
        const char *fault; /* what follows "NAME=value: "; NULL: taken */
    } cases[] = {
        {"UPBEAT_TTL_MS", "100", NULL},
        {"UPBEAT_TTL_MS", "5000", NULL},
        {"UPBEAT_TTL_MS", "99", "must be " TTL},
        {"UPBEAT_TTL_MS", "60001", "must be " TTL},
        {"UPBEAT_TTL_MS", "-1", "must be " TTL},
        {"UPBEAT_TTL_MS", "x", "must be " TTL},
        {"UPBEAT_TTL_MS", "3s", "must be " TTL},
        {"UPBEAT_TTL_MS", "3000 ", "must be " TTL},
        {"UPBEAT_TTL_MS", " 3000", "must be " TTL},
        {"UPBEAT_TTL_MS", "+3000", "must be " TTL},
        {"UPBEAT_TTL_MS", "3e3", "must be " TTL},
        {"UPBEAT_TTL_MS", "0x1000", "must be " TTL},
        {"UPBEAT_TTL_MS", "3000.0", "must be " TTL},
        {"UPBEAT_TTL_MS", "4294970296", "must be " TTL},
        {"UPBEAT_TTL_MS", "99999999999999999999999999", "must be " TTL},
        {"UPBEAT_TTL_MS", "\v3000", "must be " TTL},
        {"UPBEAT_STALE_MS", "3000", NULL},
        {"UPBEAT_STALE_MS", "99", "must be a whole number from 100 to 600000"},
        {"UPBEAT_STALE_MS", "2999", "must be at least UPBEAT_TTL_MS, which is 3000"},
        {"UPBEAT_STALE_ERROR_MS", "10000", NULL},
        {"UPBEAT_STALE_ERROR_MS", "9999", "must be at least UPBEAT_STALE_MS, which is 10000"},
        {"UPBEAT_STALE_ERROR_MS", "300001", "must be a whole number from 100 to 300000"},
        {"UPBEAT_UPSTREAM_TIMEOUT_MS", "50", NULL},
        {"UPBEAT_UPSTREAM_TIMEOUT_MS", "49", "must be a whole number from 50 to 4000"},
        {"UPBEAT_UPSTREAM_TIMEOUT_MS", "4001", "must be a whole number from 50 to 4000"},
        {"UPBEAT_UPSTREAM_TIMEOUT_MS", "4000", NULL},
        {"UPBEAT_DEADLINE_MS", "3500", NULL},
        {"UPBEAT_DEADLINE_MS", "999", "must be a whole number from 1000 to 5000"},
        {"UPBEAT_DEADLINE_MS", "5001", "must be a whole number from 1000 to 5000"},
        {"UPBEAT_WORKERS", "1", NULL},
        {"UPBEAT_WORKERS", "0", "must be a whole number from 1 to 256"},
        {"UPBEAT_WORKERS", "257", "must be a whole number from 1 to 256"},
        {"CHARTBEAT_LIMIT", "10000", NULL},
        {"CHARTBEAT_LIMIT", "0", "must be a whole number from 1 to 10000"},
        {"CHARTBEAT_LIMIT", "10001", "must be a whole number from 1 to 10000"},
        {"UPBEAT_RATE_PER_MINUTE", "3", NULL},
        {"UPBEAT_RATE_PER_MINUTE", "2", "must be a whole number from 3 to 60000"},
        {"UPBEAT_PREPARE", "on", NULL},
        {"UPBEAT_PREPARE", "off", NULL},
        {"UPBEAT_PREPARE", "yes", "must be on or off"},
        {"UPBEAT_PREPARE", "ON", "must be on or off"},
        {"UPBEAT_PREPARE", "1", "must be on or off"},
        {"UPBEAT_DROP_PARAMETERS", "", NULL},
        {"UPBEAT_DROP_PARAMETERS", "utm_*", NULL},
        {"UPBEAT_DROP_PARAMETERS", "ref s.id a-b *", NULL},
        {"UPBEAT_DROP_PARAMETERS", " ref", "must be " LIST},
        {"UPBEAT_DROP_PARAMETERS", "ref ", "must be " LIST},
        {"UPBEAT_DROP_PARAMETERS", "a  b", "must be " LIST},
        {"UPBEAT_DROP_PARAMETERS", "a*b", "must be " LIST},
        {"UPBEAT_DROP_PARAMETERS", "*a", "must be " LIST},
        {"UPBEAT_DROP_PARAMETERS", "a,b", "must be " LIST},
        {"UPBEAT_DROP_PARAMETERS", "a=1", "must be " LIST},
        {"UPBEAT_LOG", "error", NULL},
        {"UPBEAT_LOG", "warning", NULL},
        {"UPBEAT_LOG", "debug", NULL},
        {"UPBEAT_LOG", "verbose", "must be one of error, warning, info, debug"},
        {"UPBEAT_LOG", "INFO", "must be one of error, warning, info, debug"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct settings settings = {.workers = 77};
        struct buffer fault;
        char wanted[300];
        set_up(NULL);
        setenv(cases[i].name, cases[i].value, 1);
        buffer_init(&fault, 1000);
        snprintf(wanted, sizeof wanted, "%s=%s: %s", cases[i].name, cases[i].value, cases[i].fault);
        enum status result = settings_read(&settings, &fault);
        assert_case_int(wanted, result, cases[i].fault ? STATUS_INVALID : STATUS_OK);
        assert_case_text(wanted, fault.data ? fault.data : "", cases[i].fault ? wanted : "");
        assert_case(wanted, (settings.workers == 77) == (cases[i].fault != NULL));
        buffer_release(&fault);
    }
}

/* The address may hold a password where it should not: it is never shown. */
static void test_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        bool is_good;
        bool is_proxy; /* else it is Chartbeat's */
    } cases[] = {
        {"http://proxy.example:3128", true, true},
        {"https://user:secret@[::1]:1", true, true},
        {"proxy.example:3128", false, true},
        {"http://proxy.example", false, true},
        {"http://proxy.example:", false, true},
        {"http://:3128", false, true},
        {"http://secret@:3128", false, true},
        {"http://proxy.example:3128/", false, true},
        {"http://proxy.example:123456", false, true},
        {"socks5://proxy.example:3128", false, true},
        {"http://user:secret word@proxy.example:3128", false, true},
        {"https://api.chartbeat.com/live/toppages/v3/", true, false},
        {"http://127.0.0.1:8081/live/toppages/", true, false},
        {"http://[::1]:8081/", true, false},
        {"https://x/", true, false},
        {"https://x", false, false},
        {"https:///x", false, false},
        {"https://", false, false},
        {"http://", false, false},
        {"ftp://x/", false, false},
        {"file:///etc/passwd", false, false},
        {"HTTPS://x/", false, false},
        {"x/y", false, false},
        {"//x/y", false, false},
        {"https://user:secret@x/", false, false},
        {"https://x/@secret", false, false},
        {"https://x/?apikey=secret", false, false},
        {"https://x/#secret", false, false},
        {"https://x/a b", false, false},
        {"https://x/\nsecret", false, false},
        {"https://x/\x7f", false, false},
        {"https://x/\xc3\xa9", false, false},
        {"https://x\\secret/", false, false},
        {"https://x/<secret>", false, false},
        {"https://x/\"secret\"", false, false},
        {" https://x/", false, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct settings settings;
        struct buffer fault;
        set_up(NULL);
        setenv(cases[i].is_proxy ? "UPBEAT_ALERT_PROXY" : "CHARTBEAT_URL", cases[i].url, 1);
        buffer_init(&fault, 1000);
        assert_case_int(cases[i].url, settings_read(&settings, &fault),
                        cases[i].is_good ? STATUS_OK : STATUS_INVALID);
        if (cases[i].is_good)
            assert_case_text(cases[i].url, cases[i].is_proxy ? settings.alert_proxy : settings.chartbeat_url,
                             cases[i].url);
        else
            assert_case_text(cases[i].url, fault.data,
                             cases[i].is_proxy ? "UPBEAT_ALERT_PROXY=(not shown): must be " PROXY
                                               : "CHARTBEAT_URL=(not shown): must be " URL);
        buffer_release(&fault);
    }
}

static void test_a_long_address(void **state)
{
    (void)state;
    char url[600];
    struct settings settings;
    struct buffer fault;
    memset(url, 'a', sizeof url);
    memcpy(url, "https://x/", 10);
    buffer_init(&fault, 1000);
    url[500] = '\0';
    setenv("CHARTBEAT_URL", url, 1);
    assert_int_equal(settings_read(&settings, &fault), STATUS_OK);
    url[500] = 'a';
    url[501] = '\0';
    setenv("CHARTBEAT_URL", url, 1);
    assert_int_equal(settings_read(&settings, &fault), STATUS_INVALID);
    buffer_release(&fault);
}

static void test_rules_between_settings(void **state)
{
    (void)state;
    static const struct {
        const char *names[3], *values[3];
        const char *fault; /* NULL: taken */
    } cases[] = {
        {{"UPBEAT_TTL_MS", "UPBEAT_STALE_MS", "UPBEAT_STALE_ERROR_MS"}, {"60000", "60000", "60000"}, NULL},
        {{"UPBEAT_TTL_MS"},
         {"10001"},
         "UPBEAT_STALE_MS=10000: must be at least UPBEAT_TTL_MS, which is 10001"},
        {{"UPBEAT_STALE_MS"},
         {"300001"},
         "UPBEAT_STALE_ERROR_MS=300000: must be at least UPBEAT_STALE_MS, which is 300001"},
        {{"UPBEAT_UPSTREAM_TIMEOUT_MS", "UPBEAT_DEADLINE_MS"}, {"500", "1000"}, NULL},
        {{"UPBEAT_UPSTREAM_TIMEOUT_MS", "UPBEAT_DEADLINE_MS"},
         {"501", "1000"},
         "UPBEAT_UPSTREAM_TIMEOUT_MS=501: must be at least 500 below UPBEAT_DEADLINE_MS, which is 1000"},
        {{"UPBEAT_DEADLINE_MS"},
         {"3499"},
         "UPBEAT_UPSTREAM_TIMEOUT_MS=3000: must be at least 500 below UPBEAT_DEADLINE_MS, which is 3499"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct settings settings;
        struct buffer fault;
        set_up(NULL);
        for (size_t at = 0; at < 3 && cases[i].names[at]; at++)
            setenv(cases[i].names[at], cases[i].values[at], 1);
        buffer_init(&fault, 1000);
        assert_int_equal(settings_read(&settings, &fault), cases[i].fault ? STATUS_INVALID : STATUS_OK);
        assert_string_equal(fault.data ? fault.data : "", cases[i].fault ? cases[i].fault : "");
        buffer_release(&fault);
    }
}

static void test_a_long_value_is_cut_in_the_message(void **state)
{
    (void)state;
    char value[5000];
    struct settings settings;
    struct buffer fault;
    memset(value, '9', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    setenv("UPBEAT_TTL_MS", value, 1);
    buffer_init(&fault, 1000);
    assert_int_equal(settings_read(&settings, &fault), STATUS_INVALID);
    assert_true(fault.status == STATUS_OK && fault.len_bytes < 200);
    buffer_release(&fault);
}

static void test_help_names_every_setting(void **state)
{
    (void)state;
    struct buffer help;
    buffer_init(&help, 100000);
    settings_help(&help);
    for (size_t i = 0; i < COUNT(NAMES); i++) {
        char line[100];
        snprintf(line, sizeof line, "  %s=", NAMES[i]);
        assert_case(NAMES[i], strstr(help.data, line));
    }
    buffer_release(&help);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_presets, set_up),
        cmocka_unit_test_setup(test_each_setting, set_up),
        cmocka_unit_test_setup(test_addresses, set_up),
        cmocka_unit_test_setup(test_a_long_address, set_up),
        cmocka_unit_test_setup(test_rules_between_settings, set_up),
        cmocka_unit_test_setup(test_a_long_value_is_cut_in_the_message, set_up),
        cmocka_unit_test_setup(test_help_names_every_setting, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
