#include "unit.h"

#include "keyring.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/upbeat-keyring-XXXXXX";
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

static struct keyring keyring_of(const char *secret)
{
    struct keyring keyring;
    const char *why = NULL;
    write_secret(secret, strlen(secret), 0600);
    assert_int_equal(keyring_init(&keyring, file, &why), UP_OK);
    return keyring;
}

#define SECRET "0123456789abcdef0123456789abcdef"

static void test_modes(void **state)
{
    (void)state;
    static const struct {
        mode_t mode;
        enum up_result result;
    } cases[] = {
        {0600, UP_OK},      {0400, UP_OK},      {0640, UP_OK},      {0440, UP_OK},      {0644, UP_INVALID},
        {0604, UP_INVALID}, {0601, UP_INVALID}, {0602, UP_INVALID}, {0666, UP_INVALID}, {0700, UP_INVALID},
        {0620, UP_INVALID}, {0610, UP_INVALID}, {0777, UP_INVALID},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct keyring keyring;
        const char *why = "";
        char name[20];
        snprintf(name, sizeof name, "%o", (unsigned)cases[i].mode);
        write_secret(BYTES(SECRET), cases[i].mode);
        assert_case_int(name, keyring_init(&keyring, file, &why), cases[i].result);
        assert_case(name, cases[i].result == UP_OK || strstr(why, "open to others"));
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
        struct keyring keyring;
        const char *why = NULL;
        write_secret(secret, cases[i].len_bytes, 0600);
        assert_int_equal(keyring_init(&keyring, file, &why), cases[i].why ? UP_INVALID : UP_OK);
        if (cases[i].why)
            assert_case(cases[i].why, strstr(why, cases[i].why));
    }
    struct keyring keyring;
    const char *why = NULL;
    write_secret(BYTES("                                        "), 0600);
    assert_int_equal(keyring_init(&keyring, file, &why), UP_INVALID);
}

static void test_trailing_space_does_not_count(void **state)
{
    (void)state;
    struct keyring plain = keyring_of(SECRET);
    static const char *const same[] = {SECRET "\n", SECRET "\r\n", SECRET " \t\n\n"};
    static const char *const others[] = {" " SECRET, SECRET "x", SECRET "\nx"};
    for (size_t i = 0; i < COUNT(same); i++) {
        struct keyring keyring = keyring_of(same[i]);
        assert_memory_equal(&keyring, &plain, sizeof plain);
    }
    for (size_t i = 0; i < COUNT(others); i++) {
        struct keyring keyring = keyring_of(others[i]);
        assert_memory_not_equal(&keyring, &plain, sizeof plain);
    }
}

static void test_what_is_no_file(void **state)
{
    (void)state;
    struct keyring keyring = {.sealing_key = "untouched"};
    const char *why = NULL;
    assert_int_equal(keyring_init(&keyring, "/nonexistent/secret", &why), UP_INVALID);
    assert_string_equal(why, "cannot be read");
    assert_int_equal(keyring_init(&keyring, "", &why), UP_INVALID);
    assert_int_equal(keyring_init(&keyring, folder, &why), UP_INVALID);
    assert_string_equal(why, "is not a file");
    assert_int_equal(keyring_init(&keyring, "/dev/zero", &why), UP_INVALID);
    assert_string_equal((char *)keyring.sealing_key, "untouched");
}

static void test_digest(void **state)
{
    (void)state;
    static const unsigned char wanted[] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea};
    struct digest digest;
    assert_int_equal(keyring_digest("abcdef", 3, &digest), UP_OK);
    assert_memory_equal(digest.bytes, wanted, sizeof wanted);
}

static void test_seal_and_open(void **state)
{
    (void)state;
    struct keyring keyring = keyring_of(SECRET);
    char key[KEY_MAX_BYTES];
    memset(key, 'k', sizeof key);
    for (size_t len = 0; len <= KEY_MAX_BYTES; len++) {
        struct digest digest;
        struct sealed sealed;
        char opened[KEY_MAX_BYTES + 1];
        assert_int_equal(keyring_digest(key, len, &digest), UP_OK);
        assert_int_equal(keyring_seal(&keyring, key, len, &digest, &sealed), UP_OK);
        assert_int_equal(sealed.len_bytes, SEAL_NONCE_BYTES + SEAL_TAG_BYTES + len);
        assert_int_equal(keyring_open(&keyring, &sealed, &digest, opened), UP_OK);
        assert_int_equal(strlen(opened), len);
        assert_memory_equal(opened, key, len);
    }
}

static void test_the_key_is_not_in_what_is_sealed(void **state)
{
    (void)state;
    struct keyring keyring = keyring_of(SECRET);
    struct digest digest = {{1}};
    struct sealed first;
    struct sealed second;
    assert_int_equal(keyring_seal(&keyring, "demo-key-0001", 13, &digest, &first), UP_OK);
    assert_int_equal(keyring_seal(&keyring, "demo-key-0001", 13, &digest, &second), UP_OK);
    assert_null(memmem(first.bytes, first.len_bytes, "demo", 4));
    assert_memory_not_equal(first.bytes, second.bytes, SEAL_NONCE_BYTES);
    assert_memory_not_equal(first.bytes + SEAL_NONCE_BYTES, second.bytes + SEAL_NONCE_BYTES,
                            SEAL_TAG_BYTES + 13);
}

static void assert_closed(const char *name, const struct keyring *keyring, const struct sealed *sealed,
                          const struct digest *digest)
{
    char opened[KEY_MAX_BYTES + 1];
    memset(opened, 'x', sizeof opened);
    assert_case_int(name, keyring_open(keyring, sealed, digest, opened), UP_INVALID);
    assert_case(name, !memmem(opened, sizeof opened, "demo", 4));
}

static void test_what_does_not_open(void **state)
{
    (void)state;
    struct keyring other = keyring_of("another secret of at least 32 bytes");
    struct keyring keyring = keyring_of(SECRET);
    struct digest digest = {{1}};
    struct digest other_digest = {{2}};
    struct sealed sealed;
    assert_int_equal(keyring_seal(&keyring, "demo-key-0001", 13, &digest, &sealed), UP_OK);
    assert_closed("another secret", &other, &sealed, &digest);
    assert_closed("another digest", &keyring, &sealed, &other_digest);
    for (size_t i = 0; i < sealed.len_bytes; i++) {
        struct sealed bad = sealed;
        bad.bytes[i] ^= 1;
        assert_closed("a flipped bit", &keyring, &bad, &digest);
    }
    for (size_t len = 0; len < sealed.len_bytes; len++) {
        struct sealed bad = sealed;
        bad.len_bytes = len;
        assert_closed("cut short", &keyring, &bad, &digest);
    }
    struct sealed longer = sealed;
    longer.len_bytes++;
    assert_closed("a byte more", &keyring, &longer, &digest);
    longer.len_bytes = SEALED_MAX_BYTES + 1;
    assert_closed("longer than it may be", &keyring, &longer, &digest);
}

static void test_too_long_a_key_is_not_sealed(void **state)
{
    (void)state;
    struct keyring keyring = keyring_of(SECRET);
    struct digest digest = {{1}};
    struct sealed sealed;
    char key[KEY_MAX_BYTES + 1] = {0};
    assert_int_equal(keyring_seal(&keyring, key, sizeof key, &digest, &sealed), UP_INVALID);
}

static void test_release_wipes(void **state)
{
    (void)state;
    static const struct keyring none;
    struct keyring keyring = keyring_of(SECRET);
    keyring_release(&keyring);
    assert_memory_equal(&keyring, &none, sizeof none);
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
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
