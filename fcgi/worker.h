/* A worker: one loop over nginx's connections and the socket to the fetcher. It knows libfcgi; lib/api, which
 * answers the requests, does not. It waits for nothing but its own look-up, which is bounded. */
#ifndef UPBEAT_FCGI_WORKER_H
#define UPBEAT_FCGI_WORKER_H

#include "base/settings.h"
#include "base/status.h"

struct worker;

/* A worker on the listening socket listen_fd (which it makes non-blocking). Blocks TERM, USR1 and INT from
 * now on but in its wait, and ignores HUP and PIPE. `settings` must outlive it. STATUS_INVALID: listen_fd is
 * no listening socket; STATUS_FAILED, with errno: no epoll; STATUS_TOO_LARGE: the path of the fetcher's
 * socket is too long; STATUS_NO_MEMORY. On an error *worker_r is untouched. */
enum status worker_new(struct worker **worker_r, int listen_fd, const struct settings *settings) MUST_CHECK;

/* NULL is allowed. */
void worker_free(struct worker *worker);

/* Serves until TERM, USR1 or INT; what was read by then is answered first. STATUS_FAILED, with errno: epoll
 * failed. */
enum status worker_run(struct worker *worker) MUST_CHECK;

#endif
