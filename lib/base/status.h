/* How a call ended. One enumeration for the whole library; 0 is success. */
#ifndef UPBEAT_BASE_STATUS_H
#define UPBEAT_BASE_STATUS_H

/* A result that is thrown away is a bug: the compiler refuses it. */
#define MUST_CHECK __attribute__((warn_unused_result))

enum status {
    STATUS_OK = 0,
    STATUS_INVALID,      /* what was given or received is not of the form it must have */
    STATUS_TOO_LARGE,    /* a declared maximum would be passed */
    STATUS_NO_MEMORY,    /* malloc said no */
    STATUS_TIMEOUT,      /* the deadline passed */
    STATUS_UNREACHABLE,  /* no connection: refused, not resolved, lost */
    STATUS_REFUSED,      /* the other side does not accept the key or the host */
    STATUS_RATE_LIMITED, /* the other side says: too many requests */
    STATUS_FAILED,       /* the other side answered with an error of its own */
    STATUS_RESULTS       /* how many there are; not a result */
};

/* The result in words, for a log line or a message: lower case, no full stop. Static storage; any value is
 * allowed. */
const char *status_text(enum status result);

#endif
