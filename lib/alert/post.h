/* Requests of POST to strangers, several at a time. No other module of alerts calls libcurl.
 *
 * The addresses come from operators, the names behind them belong to others: so each address is checked where
 * the socket to it is opened, after all names were resolved, and a name that changes between a look and its
 * use gains nothing. No redirects, no reuse of connections.
 * A proxy that the operator names resolves names itself: which of them it leads to is the proxy's to say. It
 * is asked for names of the public internet, by https; addresses, names without a dot and plain http never
 * go through it, and are checked at their socket. The environment's http_proxy and no_proxy are not read.
 * Of an answer the status counts, once all of its headers are there: the message was taken then, and whoever
 * drips or goes on for a gigabyte is not listened to. Neither URL nor answer ever reaches a log. */
#ifndef UPBEAT_ALERT_POST_H
#define UPBEAT_ALERT_POST_H

#include "alert/outbox.h"
#include "base/networks.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    POST_MS = 5000,      /* of a request, in all */
    POST_MAX_MS = 15000, /* the same, with the time in which nobody polled */
    POST_ANSWER_MAX_BYTES = 65536,
    POST_HEADERS_MAX = 8,
    POST_HOST_MAX_BYTES = 255,
};

struct post;

struct post_config {
    struct networks allow; /* that may be spoken to although they are not public, and by plain http */
    const char *ca_file;   /* certificates to trust; "": the system's */
    const char *proxy;     /* http(s)://[USER:PASSWORD@]HOST:PORT; "": none; outlives the post */
    int requests;          /* at a time */
};

/* Strings may be freed after the start. */
struct post_request {
    const char *url;
    const char *headers[POST_HEADERS_MAX]; /* "name: value", up to the first NULL */
    const char *body;
    size_t body_bytes;
};

struct post_answer {
    int status;                           /* -1: none came */
    int retry_after_s;                    /* -1: none */
    char word[OUTBOX_WORD_MAX_BYTES + 1]; /* the body, if it is one word of [a-z_], as Slack's are */
    const char *trouble;                  /* why none came; static storage */
};

/* NULL: it may be asked. Else why not, in words (static storage). host_r (POST_HOST_MAX_BYTES + 1 bytes)
 * receives what of it may be shown. Resolves nothing. */
const char *post_check_url(const char *url, const struct networks *allow, char *host_r);

/* STATUS_NO_MEMORY, STATUS_INVALID (ca_file): *post_r is untouched. */
enum status post_new(struct post **post_r, const struct post_config *config) MUST_CHECK;

/* Ends all requests. NULL is allowed. */
void post_free(struct post *post);

/* Starts a request. STATUS_INVALID: as many as there may be are under way, or the URL is none. */
enum status post_start(struct post *post, const struct post_request *request, void *context) MUST_CHECK;

/* Waits until something happens, at most timeout_ms. */
void post_poll(struct post *post, int timeout_ms);

/* A request that has ended, if one has; *answer_r. */
bool post_next(struct post *post, void **context_r, struct post_answer *answer_r);

#endif
