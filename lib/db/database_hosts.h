/* The servers that a connection string names, and in which order they are tried. A server that answered last
 * time comes first; then those that refused, among them the ones that are read-only where a program has to
 * write; a server that did not answer at all comes last. So both orders of a string behave alike, and a
 * frozen server costs its time limit only once the others have been asked. Pure. */
#ifndef UPBEAT_DB_DATABASE_HOSTS_H
#define UPBEAT_DB_DATABASE_HOSTS_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DATABASE_HOSTS_MAX = 16,
    DATABASE_HOSTS_TEXT_BYTES = 2048, /* of all names, addresses and ports together */
    DATABASE_BACK_OFF_MIN_MS = 50,
    DATABASE_BACK_OFF_MAX_MS = 500,
};

enum database_host_rank {
    HOST_GOOD,    /* it answered last time, or was never asked */
    HOST_REFUSED, /* it answered, and took no connection: refused, starting, or read-only */
    HOST_SILENT,  /* it did not answer in time */
};

/* The strings are owned by the set. */
struct database_host {
    const char *name;    /* a host name, an address, or the folder of a unix socket; "": libpq's default */
    const char *address; /* hostaddr; "": none was given */
    const char *port;    /* "": libpq's default */
    enum database_host_rank rank;
};

struct database_hosts {
    struct database_host all[DATABASE_HOSTS_MAX];
    size_t count;
    char text[DATABASE_HOSTS_TEXT_BYTES];
};

/* Takes libpq's lists apart ("a,b", one port for all or one for each). Each may be NULL or empty; where there
 * is neither a name nor an address there is one host, all of whose members are "". STATUS_INVALID: the lists
 * do not have the same length; STATUS_TOO_LARGE: more than DATABASE_HOSTS_MAX hosts, or longer than the text
 * may be. On an error *hosts_r is undefined. */
enum status database_hosts_split(struct database_hosts *hosts_r, const char *names, const char *addresses,
                                 const char *ports) MUST_CHECK;

/* The numbers of all hosts in the order in which they are to be tried: by rank, then as the string has them.
 */
void database_hosts_order(const struct database_hosts *hosts, unsigned char order_r[DATABASE_HOSTS_MAX]);

/* Has the name to be looked up before a connection is made? Not where there is an address, nor for the folder
 * of a unix socket. */
bool database_host_needs_look_up(const struct database_host *host);

/* How long to pause after this many rounds through all hosts have failed (1 and more): the longest pause
 * doubles from DATABASE_BACK_OFF_MIN_MS to DATABASE_BACK_OFF_MAX_MS, and `random` chooses from its upper
 * half, so that many programs that lost one server do not come back at the same moment. */
int database_hosts_back_off_ms(int failures, uint32_t random);

#endif
