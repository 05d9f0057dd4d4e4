/* FastCGI records as bytes: has a request arrived as a whole? Pure. Asked before libfcgi may read, since its
 * reads block the worker until the connection sends the rest. Format: FastCGI Specification 1.0, section 3.3.
 */
#ifndef UPBEAT_FCGI_RECORD_H
#define UPBEAT_FCGI_RECORD_H

#include <stddef.h>

enum { RECORD_REQUEST_MAX_BYTES = 64 * 1024 }; /* of a request without a body */

enum record_state {
    RECORD_WHOLE,   /* up to the empty FCGI_STDIN that ends a request */
    RECORD_PARTIAL, /* more has to come */
    RECORD_BAD,     /* no request of a web worker, or longer than RECORD_REQUEST_MAX_BYTES */
};

/* The state of the request that starts at `bytes`. */
enum record_state record_state_of(const unsigned char *bytes, size_t len_bytes);

#endif
