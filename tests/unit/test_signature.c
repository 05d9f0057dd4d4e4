#include "unit.h"

#include "alert/signature.h"

#include <string.h>

/* The vector of the reference libraries of Standard Webhooks. */
#define SECRET    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define ID        "msg_p5jXN8AQM9LWM0D4loKWxJek"
#define BODY      "{\"test\": 2432232314}"
#define SIGNATURE "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

static const int64_t TIMESTAMP_S = 1614265330;

static void the_published_vector(void **state)
{
    (void)state;
    char signature[SIGNATURE_MAX_BYTES + 1];
    assert_int_equal(signature_make(SECRET, NULL, ID, TIMESTAMP_S, BODY, strlen(BODY), signature), STATUS_OK);
    assert_string_equal(signature, SIGNATURE);
}

static void two_secrets(void **state)
{
    (void)state;
    char signature[SIGNATURE_MAX_BYTES + 1];
    assert_int_equal(signature_make(SECRET, SECRET, ID, TIMESTAMP_S, BODY, strlen(BODY), signature),
                     STATUS_OK);
    assert_string_equal(signature, SIGNATURE " " SIGNATURE);
}

static void every_byte_counts(void **state)
{
    (void)state;
    char signature[SIGNATURE_MAX_BYTES + 1];
    static const char body[] = "{\"test\": 2432232315}";
    assert_int_equal(signature_make(SECRET, NULL, ID, TIMESTAMP_S, body, strlen(body), signature), STATUS_OK);
    assert_string_not_equal(signature, SIGNATURE);
    assert_int_equal(signature_make(SECRET, NULL, ID, TIMESTAMP_S + 1, BODY, strlen(BODY), signature),
                     STATUS_OK);
    assert_string_not_equal(signature, SIGNATURE);
}

static void what_is_no_secret(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "whsec_",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa",   /* no multiple of four */
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2La",     /* too short */
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa*w", /* no base64 */
        "whsec_"
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char signature[SIGNATURE_MAX_BYTES + 1] = "as it was";
        if (signature_make(cases[i], NULL, ID, TIMESTAMP_S, BODY, strlen(BODY), signature) != STATUS_INVALID)
            fail_msg("%s", cases[i]);
        assert_string_equal(signature, "as it was");
        assert_int_equal(signature_make(SECRET, cases[i], ID, TIMESTAMP_S, BODY, strlen(BODY), signature),
                         STATUS_INVALID);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_vector),
        cmocka_unit_test(two_secrets),
        cmocka_unit_test(every_byte_counts),
        cmocka_unit_test(what_is_no_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
