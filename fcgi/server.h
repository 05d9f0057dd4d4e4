/* The worker's own accept loop over FastCGI connections. Knows libfcgi; the service behind it does not. */
#ifndef UPBEAT_SERVER_H
#define UPBEAT_SERVER_H

#include "keyring.h"
#include "result.h"
#include "settings.h"

struct server;

/* A server on the listening socket listen_fd (which it makes non-blocking), with a service of its own. Blocks
 * TERM, USR1 and INT from now on but in its wait, and ignores HUP and PIPE. UP_INVALID: listen_fd is no
 * listening socket; UP_FAILED, with errno: no epoll, or the run folder can't be written to; UP_NO_MEMORY. On
 * an error *server_r is untouched. */
enum up_result server_new(struct server **server_r, int listen_fd, const struct settings *settings,
                          const struct keyring *keyring) MUST_CHECK;

/* NULL is allowed. */
void server_free(struct server *server);

/* Serves until TERM, USR1 or INT; what was read by then is answered first. UP_FAILED, with errno: epoll
 * failed. */
enum up_result server_run(struct server *server) MUST_CHECK;

#endif
