/* The worker's own accept loop over FastCGI connections. Knows libfcgi; the service behind it does not. */
#ifndef UPBEAT_FCGI_WORKER_H
#define UPBEAT_FCGI_WORKER_H

#include "base/secret_box.h"
#include "base/settings.h"
#include "base/status.h"

struct worker;

/* A server on the listening socket listen_fd (which it makes non-blocking), with a service of its own. Blocks
 * TERM, USR1 and INT from now on but in its wait, and ignores HUP and PIPE. STATUS_INVALID: listen_fd is no
 * listening socket; STATUS_FAILED, with errno: no epoll, or the run folder can't be written to;
 * STATUS_NO_MEMORY. On an error *worker_r is untouched. */
enum status worker_new(struct worker **worker_r, int listen_fd, const struct settings *settings,
                       const struct secret_box *secret_box) MUST_CHECK;

/* NULL is allowed. */
void worker_free(struct worker *worker);

/* Serves until TERM, USR1 or INT; what was read by then is answered first. STATUS_FAILED, with errno: epoll
 * failed. */
enum status worker_run(struct worker *worker) MUST_CHECK;

#endif
