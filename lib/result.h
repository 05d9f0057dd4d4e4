/* How a call ended. One enumeration for the whole library; 0 is success. */
#ifndef UPBEAT_RESULT_H
#define UPBEAT_RESULT_H

/* A result that is thrown away is a bug: the compiler refuses it. */
#define MUST_CHECK __attribute__((warn_unused_result))

enum up_result {
    UP_OK = 0,
    UP_INVALID,     /* what was given or received is not of the form it must have */
    UP_TOO_LARGE,   /* a declared maximum would be passed */
    UP_NO_MEMORY,   /* malloc said no */
    UP_TIMEOUT,     /* the deadline passed */
    UP_UNREACHABLE, /* no connection: refused, not resolved, lost */
    UP_REFUSED,     /* the other side does not accept the key or the host */
    UP_LIMITED,     /* the other side says: too many requests */
    UP_FAILED,      /* the other side answered with an error of its own */
    UP_RESULTS      /* how many there are; not a result */
};

/* The result in words, for a log line or a message: lower case, no full stop. Static storage; any value is
 * allowed. */
const char *result_text(enum up_result result);

#endif
