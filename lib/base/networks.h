/* Networks in CIDR's form, and whether an address is one of the public internet. An IPv4 address that is
 * written as one of IPv6 (::ffff:10.0.0.1) counts as what it stands for. */
#ifndef UPBEAT_BASE_NETWORKS_H
#define UPBEAT_BASE_NETWORKS_H

#include "base/status.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

enum { NETWORKS_MAX = 32 };

struct network {
    struct in6_addr address; /* IPv4 as ::ffff:a.b.c.d */
    int bits;                /* of 128 */
};

struct networks {
    struct network items[NETWORKS_MAX];
    size_t count;
};

/* Reads "127.0.0.0/8 10.1.0.0/16, fd00::/8", with spaces or commas between them; one without a slash is a
 * single address. STATUS_INVALID: not of that form, bits behind the slash are set, or more than NETWORKS_MAX.
 */
enum status networks_read(const char *text, struct networks *networks_r) MUST_CHECK;

/* False for anything but IPv4 and IPv6. */
bool networks_contain(const struct networks *networks, const struct sockaddr *address);

/* Whether anybody on the internet may have this address: none that is private, shared (CGNAT), loopback,
 * link-local (cloud metadata), unique local, multicast, reserved, for documentation, or a translation (NAT64,
 * 6to4, Teredo) of such, by the special-purpose registries of IANA (RFC 6890). */
bool networks_is_public(const struct sockaddr *address);

#endif
