/* How a call ended: one enumeration for all modules, in which 0 is success. */
#ifndef UPBEAT_BASE_STATUS_H
#define UPBEAT_BASE_STATUS_H

/* The compiler refuses code that ignores the result of a function with this mark. */
#define MUST_CHECK __attribute__((warn_unused_result))

enum status {
    STATUS_OK = 0,
    STATUS_INVALID,      /* what was given or received is not of the form it must have */
    STATUS_TOO_LARGE,    /* a declared maximum would be passed */
    STATUS_NO_MEMORY,    /* memory has run out */
    STATUS_TIMEOUT,      /* the deadline passed */
    STATUS_UNREACHABLE,  /* no connection: refused, not resolved, lost */
    STATUS_REFUSED,      /* the other side does not accept the key or the host */
    STATUS_RATE_LIMITED, /* the other side says: too many requests */
    STATUS_FAILED,       /* the other side answered with an error of its own */
    STATUS_RESULTS       /* how many there are; not a result */
};

/* The status in words for a log line or a message, in lower case and without a full stop. Static storage. Any
 * value is allowed. */
const char *status_text(enum status result);

#endif
