/* What every unit test needs: cmocka in the order that it wants, and cases that say their name when they
 * fail. */
#ifndef UPBEAT_UNIT_H
#define UPBEAT_UNIT_H

/* cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof *(table))

/* Bytes that may hold a NUL: pointer and length of a literal. */
#define BYTES(literal) (literal), sizeof(literal) - 1

/* Fails the test with the name of the case unless the condition holds. */
#define assert_case(name, condition)                                                                         \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            fail_msg("%s: not so: %s", (name), #condition);                                                  \
    } while (0)

#define assert_case_text(name, is, wanted)                                                                   \
    do {                                                                                                     \
        const char *is_ = (is);                                                                              \
        const char *wanted_ = (wanted);                                                                      \
        if (!is_ || strcmp(is_, wanted_) != 0)                                                               \
            fail_msg("%s: \"%s\" in place of \"%s\"", (name), is_ ? is_ : "(null)", wanted_);                \
    } while (0)

#define assert_case_bytes(name, is, is_bytes, wanted)                                                        \
    do {                                                                                                     \
        size_t is_bytes_ = (is_bytes);                                                                       \
        if (is_bytes_ != strlen(wanted) || memcmp((is), (wanted), is_bytes_) != 0)                           \
            fail_msg("%s: \"%.*s\" in place of \"%s\"", (name), (int)is_bytes_, (is), (wanted));             \
    } while (0)

#define assert_case_int(name, is, wanted)                                                                    \
    do {                                                                                                     \
        long long is_ = (long long)(is);                                                                     \
        long long wanted_ = (long long)(wanted);                                                             \
        if (is_ != wanted_)                                                                                  \
            fail_msg("%s: %s is %lld in place of %lld", (name), #is, is_, wanted_);                          \
    } while (0)

#endif
