#include "unit.h"

#include "base/secret_box.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/upbeat-secret_box-XXXXXX";
static char file[sizeof folder + 8];

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(file, sizeof file, "%s/secret", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(file);
    return rmdir(folder);
}

static void write_secret(const char *bytes, size_t len_bytes, mode_t mode)
{
    unlink(file);
    FILE *out = fopen(file, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, len_bytes, out), len_bytes);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(chmod(file, mode), 0);
}

static struct secret_box secret_box_of(const char *secret)
{
    struct secret_box secret_box;
    const char *why = NULL;
    write_secret(secret, strlen(secret), 0600);
    assert_int_equal(secret_box_init(&secret_box, file, &why), STATUS_OK);
    return secret_box;
}

#define SECRET "0123456789abcdef0123456789abcdef"

static void test_modes(void **state)
{
    (void)state;
    static const struct {
        mode_t mode;
        enum status result;
    } cases[] = {
        {0600, STATUS_OK},      {0400, STATUS_OK},      {0640, STATUS_OK},      {0440, STATUS_OK},
        {0644, STATUS_INVALID}, {0604, STATUS_INVALID}, {0601, STATUS_INVALID}, {0602, STATUS_INVALID},
        {0666, STATUS_INVALID}, {0700, STATUS_INVALID}, {0620, STATUS_INVALID}, {0610, STATUS_INVALID},
        {0777, STATUS_INVALID},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct secret_box secret_box;
        const char *why = "";
        char name[20];
        snprintf(name, sizeof name, "%o", (unsigned)cases[i].mode);
        write_secret(BYTES(SECRET), cases[i].mode);
        assert_case_int(name, secret_box_init(&secret_box, file, &why), cases[i].result);
        assert_case(name, cases[i].result == STATUS_OK || strstr(why, "open to others"));
    }
}

static void test_lengths(void **state)
{
    (void)state;
    static char secret[SECRET_MAX_BYTES + 10];
    static const struct {
        size_t len_bytes;
        const char *why; /* NULL: taken */
    } cases[] = {
        {0, "fewer than 32"},
        {31, "fewer than 32"},
        {32, NULL},
        {33, NULL},
        {SECRET_MAX_BYTES, NULL},
        {SECRET_MAX_BYTES + 1, "more than 4096"},
        {SECRET_MAX_BYTES + 10, "more than 4096"},
    };
    memset(secret, 's', sizeof secret);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct secret_box secret_box;
        const char *why = NULL;
        write_secret(secret, cases[i].len_bytes, 0600);
        assert_int_equal(secret_box_init(&secret_box, file, &why), cases[i].why ? STATUS_INVALID : STATUS_OK);
        if (cases[i].why)
            assert_case(cases[i].why, strstr(why, cases[i].why));
    }
    struct secret_box secret_box;
    const char *why = NULL;
    write_secret(BYTES("                                        "), 0600);
    assert_int_equal(secret_box_init(&secret_box, file, &why), STATUS_INVALID);
}

static void test_trailing_space_does_not_count(void **state)
{
    (void)state;
    struct secret_box plain = secret_box_of(SECRET);
    static const char *const same[] = {SECRET "\n", SECRET "\r\n", SECRET " \t\n\n"};
    static const char *const others[] = {" " SECRET, SECRET "x", SECRET "\nx"};
    for (size_t i = 0; i < COUNT(same); i++) {
        struct secret_box secret_box = secret_box_of(same[i]);
        assert_memory_equal(&secret_box, &plain, sizeof plain);
    }
    for (size_t i = 0; i < COUNT(others); i++) {
        struct secret_box secret_box = secret_box_of(others[i]);
        assert_memory_not_equal(&secret_box, &plain, sizeof plain);
    }
}

static void test_what_is_no_file(void **state)
{
    (void)state;
    struct secret_box secret_box = {.sealing_key = "untouched"};
    const char *why = NULL;
    assert_int_equal(secret_box_init(&secret_box, "/nonexistent/secret", &why), STATUS_INVALID);
    assert_string_equal(why, "cannot be read");
    assert_int_equal(secret_box_init(&secret_box, "", &why), STATUS_INVALID);
    assert_int_equal(secret_box_init(&secret_box, folder, &why), STATUS_INVALID);
    assert_string_equal(why, "is not a file");
    assert_int_equal(secret_box_init(&secret_box, "/dev/zero", &why), STATUS_INVALID);
    assert_string_equal((char *)secret_box.sealing_key, "untouched");
}

static void test_digest(void **state)
{
    (void)state;
    static const unsigned char wanted[] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea};
    struct digest digest;
    assert_int_equal(secret_box_digest("abcdef", 3, &digest), STATUS_OK);
    assert_memory_equal(digest.bytes, wanted, sizeof wanted);
}

static void test_seal_and_open(void **state)
{
    (void)state;
    struct secret_box secret_box = secret_box_of(SECRET);
    char key[KEY_MAX_BYTES];
    memset(key, 'k', sizeof key);
    for (size_t len = 0; len <= KEY_MAX_BYTES; len++) {
        struct digest digest;
        struct sealed sealed;
        char opened[KEY_MAX_BYTES + 1];
        assert_int_equal(secret_box_digest(key, len, &digest), STATUS_OK);
        assert_int_equal(secret_box_seal(&secret_box, key, len, &digest, &sealed), STATUS_OK);
        assert_int_equal(sealed.len_bytes, SEAL_NONCE_BYTES + SEAL_TAG_BYTES + len);
        assert_int_equal(secret_box_open(&secret_box, &sealed, &digest, opened), STATUS_OK);
        assert_int_equal(strlen(opened), len);
        assert_memory_equal(opened, key, len);
    }
}

static void test_the_key_is_not_in_what_is_sealed(void **state)
{
    (void)state;
    struct secret_box secret_box = secret_box_of(SECRET);
    struct digest digest = {{1}};
    struct sealed first;
    struct sealed second;
    assert_int_equal(secret_box_seal(&secret_box, "demo-key-0001", 13, &digest, &first), STATUS_OK);
    assert_int_equal(secret_box_seal(&secret_box, "demo-key-0001", 13, &digest, &second), STATUS_OK);
    assert_null(memmem(first.bytes, first.len_bytes, "demo", 4));
    assert_memory_not_equal(first.bytes, second.bytes, SEAL_NONCE_BYTES);
    assert_memory_not_equal(first.bytes + SEAL_NONCE_BYTES, second.bytes + SEAL_NONCE_BYTES,
                            SEAL_TAG_BYTES + 13);
}

static void assert_closed(const char *name, const struct secret_box *secret_box, const struct sealed *sealed,
                          const struct digest *digest)
{
    char opened[KEY_MAX_BYTES + 1];
    memset(opened, 'x', sizeof opened);
    assert_case_int(name, secret_box_open(secret_box, sealed, digest, opened), STATUS_INVALID);
    assert_case(name, !memmem(opened, sizeof opened, "demo", 4));
}

static void test_what_does_not_open(void **state)
{
    (void)state;
    struct secret_box other = secret_box_of("another secret of at least 32 bytes");
    struct secret_box secret_box = secret_box_of(SECRET);
    struct digest digest = {{1}};
    struct digest other_digest = {{2}};
    struct sealed sealed;
    assert_int_equal(secret_box_seal(&secret_box, "demo-key-0001", 13, &digest, &sealed), STATUS_OK);
    assert_closed("another secret", &other, &sealed, &digest);
    assert_closed("another digest", &secret_box, &sealed, &other_digest);
    for (size_t i = 0; i < sealed.len_bytes; i++) {
        struct sealed bad = sealed;
        bad.bytes[i] ^= 1;
        assert_closed("a flipped bit", &secret_box, &bad, &digest);
    }
    for (size_t len = 0; len < sealed.len_bytes; len++) {
        struct sealed bad = sealed;
        bad.len_bytes = len;
        assert_closed("cut short", &secret_box, &bad, &digest);
    }
    struct sealed longer = sealed;
    longer.len_bytes++;
    assert_closed("a byte more", &secret_box, &longer, &digest);
    longer.len_bytes = SEALED_MAX_BYTES + 1;
    assert_closed("longer than it may be", &secret_box, &longer, &digest);
}

static void test_too_long_a_key_is_not_sealed(void **state)
{
    (void)state;
    struct secret_box secret_box = secret_box_of(SECRET);
    struct digest digest = {{1}};
    struct sealed sealed;
    char key[KEY_MAX_BYTES + 1] = {0};
    assert_int_equal(secret_box_seal(&secret_box, key, sizeof key, &digest, &sealed), STATUS_INVALID);
}

static void test_release_wipes(void **state)
{
    (void)state;
    static const struct secret_box none;
    struct secret_box secret_box = secret_box_of(SECRET);
    secret_box_release(&secret_box);
    assert_memory_equal(&secret_box, &none, sizeof none);
}

static void test_text_opens_under_its_label_alone(void **state)
{
    (void)state;
    struct secret_box secret_box = secret_box_of("0123456789abcdef0123456789abcdef");
    struct sealed_text sealed;
    char text[SECRET_TEXT_MAX_BYTES + 1];
    char longest[SECRET_TEXT_MAX_BYTES + 2];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(secret_box_seal_text(&secret_box, longest, "a", &sealed), STATUS_INVALID);
    assert_int_equal(secret_box_seal_text(&secret_box, longest + 1, "a", &sealed), STATUS_OK);
    assert_int_equal(secret_box_open_text(&secret_box, &sealed, "a", text), STATUS_OK);
    assert_string_equal(text, longest + 1);
    assert_int_equal(secret_box_open_text(&secret_box, &sealed, "b", text), STATUS_INVALID);
    assert_string_equal(text, "");
    sealed.bytes[40] ^= 1;
    assert_int_equal(secret_box_open_text(&secret_box, &sealed, "a", text), STATUS_INVALID);
    secret_box_release(&secret_box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_trailing_space_does_not_count),
        cmocka_unit_test(test_what_is_no_file),
        cmocka_unit_test(test_digest),
        cmocka_unit_test(test_seal_and_open),
        cmocka_unit_test(test_the_key_is_not_in_what_is_sealed),
        cmocka_unit_test(test_what_does_not_open),
        cmocka_unit_test(test_too_long_a_key_is_not_sealed),
        cmocka_unit_test(test_release_wipes),
        cmocka_unit_test(test_text_opens_under_its_label_alone),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
