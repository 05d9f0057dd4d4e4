#include "unit.h"

#include "alert/outbox.h"

static void what_becomes_of_a_message(void **state)
{
    (void)state;
    static const struct {
        enum channel_kind kind;
        int status;
        enum outbox_outcome outcome;
    } cases[] = {
        {CHANNEL_WEBHOOK, 200, OUTBOX_DELIVERED}, {CHANNEL_WEBHOOK, 204, OUTBOX_DELIVERED},
        {CHANNEL_WEBHOOK, 299, OUTBOX_DELIVERED}, {CHANNEL_WEBHOOK, 302, OUTBOX_RETRY},
        {CHANNEL_WEBHOOK, 400, OUTBOX_RETRY},     {CHANNEL_WEBHOOK, 404, OUTBOX_RETRY},
        {CHANNEL_WEBHOOK, 410, OUTBOX_OFF},       {CHANNEL_WEBHOOK, 429, OUTBOX_RETRY},
        {CHANNEL_WEBHOOK, 500, OUTBOX_RETRY},     {CHANNEL_WEBHOOK, -1, OUTBOX_RETRY},
        {CHANNEL_SLACK, 200, OUTBOX_DELIVERED},   {CHANNEL_SLACK, 400, OUTBOX_REFUSED},
        {CHANNEL_SLACK, 403, OUTBOX_OFF},         {CHANNEL_SLACK, 404, OUTBOX_OFF},
        {CHANNEL_SLACK, 410, OUTBOX_OFF},         {CHANNEL_SLACK, 429, OUTBOX_RETRY},
        {CHANNEL_SLACK, 500, OUTBOX_RETRY},       {CHANNEL_SLACK, -1, OUTBOX_RETRY},
        {CHANNEL_MAIL, 0, OUTBOX_DELIVERED},      {CHANNEL_MAIL, 75, OUTBOX_RETRY},
        {CHANNEL_MAIL, 64, OUTBOX_REFUSED},       {CHANNEL_MAIL, 67, OUTBOX_REFUSED},
        {CHANNEL_MAIL, 1, OUTBOX_RETRY},          {CHANNEL_MAIL, -1, OUTBOX_RETRY},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct outbox_answer answer = {.kind = cases[i].kind,
                                             .status = cases[i].status,
                                             .retry_after_s = -1,
                                             .word = "",
                                             .trouble = "x"};
        int wait_ms = -1;
        enum outbox_outcome outcome = outbox_judge(&answer, 1, 0, 0.5, &wait_ms);
        if (outcome != cases[i].outcome)
            fail_msg("case %zu: %s", i, outbox_outcome_name(outcome));
        assert_int_equal(wait_ms, outcome == OUTBOX_RETRY ? OUTBOX_WAIT_MIN_MS : 0);
        outcome = outbox_judge(&answer, 1, OUTBOX_KEEP_MS, 0.5, &wait_ms);
        assert_int_equal(outcome, cases[i].outcome == OUTBOX_RETRY ? OUTBOX_GIVEN_UP : cases[i].outcome);
    }
}

static void how_long_it_waits(void **state)
{
    (void)state;
    static const struct {
        int attempts;
        double random;
        int retry_after_s, wait_ms;
    } cases[] = {
        {1, 0, -1, 3750},       {1, 1, -1, 6250},        {2, 0.5, -1, 10000},
        {3, 0.5, -1, 20000},    {10, 0.5, -1, 2560000},  {11, 0.5, -1, 3600000},
        {1000, 1, -1, 4500000}, {1, 0.5, 1, 5000},       {1, 0.5, 0, 5000},
        {1, 0.5, 120, 120000},  {5, 0.5, 7200, 7200000}, {1, 0.5, 1000000000, 86400000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct outbox_answer answer = {
            .status = 503, .retry_after_s = cases[i].retry_after_s, .word = "", .trouble = ""};
        int wait_ms = 0;
        assert_int_equal(outbox_judge(&answer, cases[i].attempts, 0, cases[i].random, &wait_ms),
                         OUTBOX_RETRY);
        if (wait_ms != cases[i].wait_ms)
            fail_msg("case %zu: %d", i, wait_ms);
    }
}

static void what_is_said_of_it(void **state)
{
    (void)state;
    static const struct {
        struct outbox_answer answer;
        enum outbox_outcome outcome;
        const char *text;
    } cases[] = {
        {{CHANNEL_WEBHOOK, 200, -1, "", ""}, OUTBOX_DELIVERED, ""},
        {{CHANNEL_WEBHOOK, 500, -1, "", ""}, OUTBOX_RETRY, "HTTP 500"},
        {{CHANNEL_SLACK, 404, -1, "no_service", ""}, OUTBOX_OFF, "HTTP 404: no_service"},
        {{CHANNEL_WEBHOOK, -1, -1, "", "nobody listens there"}, OUTBOX_GIVEN_UP, "nobody listens there"},
        {{CHANNEL_MAIL, 75, -1, "", ""}, OUTBOX_RETRY, "sendmail ended with 75"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[100];
        outbox_say(&cases[i].answer, cases[i].outcome, text, sizeof text);
        assert_string_equal(text, cases[i].text);
    }
    char text[8];
    outbox_say(&cases[2].answer, cases[2].outcome, text, sizeof text);
    assert_string_equal(text, "HTTP 40");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_becomes_of_a_message),
        cmocka_unit_test(how_long_it_waits),
        cmocka_unit_test(what_is_said_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
