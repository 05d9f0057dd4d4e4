#include "base/networks.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

static const char *const NOT_PUBLIC[] = {
    "0.0.0.0/8",     "10.0.0.0/8",      "100.64.0.0/10",  "127.0.0.0/8",    "169.254.0.0/16",
    "172.16.0.0/12", "192.0.0.0/24",    "192.0.2.0/24",   "192.88.99.0/24", "192.168.0.0/16",
    "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4",    "240.0.0.0/4",
    "2001::/23",     "2001:db8::/32",   "2002::/16",      "3fff::/20",
};

enum { ADDRESS_BITS = 128, MAPPED_BITS = 96, WORD_BYTES = 64 };

static struct in6_addr map_v4(const struct in_addr *address)
{
    struct in6_addr mapped = {.s6_addr = {[10] = 0xff, [11] = 0xff}};
    memcpy(&mapped.s6_addr[12], address, sizeof *address);
    return mapped;
}

static bool read_sockaddr(const struct sockaddr *address, struct in6_addr *address_r)
{
    if (address->sa_family == AF_INET)
        *address_r = map_v4(&((const struct sockaddr_in *)(const void *)address)->sin_addr);
    else if (address->sa_family == AF_INET6)
        *address_r = ((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    else
        return false;
    return true;
}

static bool has_bit(const struct in6_addr *address, int bit)
{
    return address->s6_addr[bit / 8] & 0x80U >> bit % 8;
}

static bool contains(const struct network *network, const struct in6_addr *address)
{
    for (int bit = 0; bit < network->bits; bit++) {
        if (has_bit(&network->address, bit) != has_bit(address, bit))
            return false;
    }
    return true;
}

/* `word` is changed. */
static bool read_network(char *word, struct network *network)
{
    struct in_addr v4;
    char *slash = strchr(word, '/');
    char *end = NULL;
    if (slash)
        *slash = '\0';
    bool is_v4 = inet_pton(AF_INET, word, &v4) == 1;
    int most = is_v4 ? 32 : ADDRESS_BITS;
    long bits = most;
    if (is_v4)
        network->address = map_v4(&v4);
    else if (inet_pton(AF_INET6, word, &network->address) != 1)
        return false;
    if (slash) {
        bits = strtol(slash + 1, &end, 10);
        if (slash[1] < '0' || slash[1] > '9' || *end || bits > most)
            return false;
    }
    network->bits = (int)bits + (is_v4 ? MAPPED_BITS : 0);
    for (int bit = network->bits; bit < ADDRESS_BITS; bit++) {
        if (has_bit(&network->address, bit))
            return false;
    }
    return true;
}

enum status networks_read(const char *text, struct networks *networks_r)
{
    struct networks networks = {.count = 0};
    for (const char *at = text + strspn(text, " ,"); *at; at += strspn(at, " ,")) {
        char word[WORD_BYTES];
        size_t len = strcspn(at, " ,");
        if (len >= sizeof word || networks.count == NETWORKS_MAX)
            return STATUS_INVALID;
        memcpy(word, at, len);
        word[len] = '\0';
        if (!read_network(word, &networks.items[networks.count++]))
            return STATUS_INVALID;
        at += len;
    }
    *networks_r = networks;
    return STATUS_OK;
}

bool networks_contain(const struct networks *networks, const struct sockaddr *address)
{
    struct in6_addr wanted;
    if (!read_sockaddr(address, &wanted))
        return false;
    for (size_t i = 0; i < networks->count; i++) {
        if (contains(&networks->items[i], &wanted))
            return true;
    }
    return false;
}

bool networks_is_public(const struct sockaddr *address)
{
    struct in6_addr wanted;
    struct network network;
    char word[WORD_BYTES];
    if (!read_sockaddr(address, &wanted))
        return false;
    /* All of IPv6 that was ever given out to anybody is in 2000::/3. */
    if (!IN6_IS_ADDR_V4MAPPED(&wanted) && (wanted.s6_addr[0] & 0xe0) != 0x20)
        return false;
    for (size_t i = 0; i < sizeof NOT_PUBLIC / sizeof *NOT_PUBLIC; i++) {
        memcpy(word, NOT_PUBLIC[i], strlen(NOT_PUBLIC[i]) + 1);
        if (!read_network(word, &network) || contains(&network, &wanted))
            return false;
    }
    return true;
}
