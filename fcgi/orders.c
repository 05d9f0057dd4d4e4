#include "orders.h"

#include "base/clock.h"

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    PLACES = 256, /* a power of two */
    PUT_OFF_MS = 100,
    PUT_OFF_MAX = 20, /* times */
};

struct place {
    bool is_wanted;
    int64_t due_ms; /* while it is wanted, and then of the last time */
    int told;       /* the rank that was told then; -1: none */
    struct order order;
};

struct orders {
    const char *run_dir;
    int fd;
    int quiet_ms;
    int wanted; /* places */
    struct place places[PLACES];
};

static bool address_of(const struct orders *orders, int rank, struct sockaddr_un *address_r)
{
    *address_r = (struct sockaddr_un){.sun_family = AF_UNIX};
    int len =
        snprintf(address_r->sun_path, sizeof address_r->sun_path, "%s/refresh.%d", orders->run_dir, rank);
    return len > 0 && (size_t)len < sizeof address_r->sun_path;
}

static int open_socket(const struct orders *orders, int rank)
{
    struct sockaddr_un address;
    errno = ENAMETOOLONG;
    if (!address_of(orders, rank, &address))
        return -1;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    unlink(address.sun_path); /* of a worker that was killed */
    if (fd >= 0 && fchmod(fd, 0600) == 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd; /* the mode of the file is that of the socket, whatever the umask */
    int why = errno;
    if (fd >= 0)
        close(fd);
    errno = why;
    return -1;
}

enum status orders_new(struct orders **orders_r, const char *run_dir, int rank, int quiet_ms)
{
    struct orders *orders = calloc(1, sizeof *orders);
    if (!orders)
        return STATUS_NO_MEMORY;
    orders->run_dir = run_dir;
    orders->quiet_ms = quiet_ms;
    orders->fd = open_socket(orders, rank);
    if (orders->fd < 0) {
        free(orders);
        return STATUS_FAILED;
    }
    *orders_r = orders;
    return STATUS_OK;
}

void orders_free(struct orders *orders)
{
    if (!orders)
        return;
    close(orders->fd);
    free(orders);
}

int orders_fd(const struct orders *orders)
{
    return orders->fd;
}

/* FNV-1a (Fowler, Noll, Vo). */
static size_t place_of(const char *host)
{
    uint32_t hash = 2166136261u;
    for (; *host; host++)
        hash = (hash ^ (unsigned char)*host) * 16777619u;
    return (hash ^ hash >> 16) % PLACES;
}

static void put(struct orders *orders, struct place *place, const char *host, const struct digest *digest,
                int put_off, int in_vain, int64_t due_ms)
{
    orders->wanted += !place->is_wanted;
    place->is_wanted = true;
    place->due_ms = due_ms;
    place->order.digest = *digest;
    place->order.put_off = put_off;
    place->order.in_vain = in_vain;
    memmove(place->order.host, host, strlen(host) + 1);
}

/* One that was put off stays so: who asks meanwhile would have it tried again at once, each time. */
static bool is_wanted_by(const struct place *place, int64_t due_ms)
{
    return place->is_wanted && (place->due_ms <= due_ms || place->order.put_off > 0);
}

void orders_want(struct orders *orders, const char *host, const struct digest *digest, int64_t age_ms,
                 int64_t in_ms)
{
    struct place *place = &orders->places[place_of(host)];
    int64_t now_ms = clock_monotonic_ms();
    bool is_same = strcmp(place->order.host, host) == 0;
    bool is_quiet = !place->is_wanted && now_ms < place->due_ms + orders->quiet_ms;
    if (is_same && (is_quiet || is_wanted_by(place, now_ms + in_ms)))
        return;
    bool is_again = is_same && !place->is_wanted && now_ms - age_ms < place->due_ms;
    put(orders, place, host, digest, 0, is_again ? place->told : -1, now_ms + in_ms);
}

void orders_put_off(struct orders *orders, const struct order *order)
{
    struct place *place = &orders->places[place_of(order->host)];
    if (order->put_off < PUT_OFF_MAX)
        put(orders, place, order->host, &order->digest, order->put_off + 1, -1,
            clock_monotonic_ms() + PUT_OFF_MS);
}

int orders_wait_ms(const struct orders *orders, int max_ms)
{
    int64_t wait_ms = max_ms;
    int64_t now_ms = orders->wanted > 0 ? clock_monotonic_ms() : 0;
    for (size_t i = 0; orders->wanted > 0 && i < PLACES; i++) {
        const struct place *place = &orders->places[i];
        if (place->is_wanted && place->due_ms - now_ms < wait_ms)
            wait_ms = place->due_ms - now_ms;
    }
    return wait_ms > 0 ? (int)wait_ms : 0;
}

bool orders_take_due(struct orders *orders, struct order *order_r)
{
    int64_t now_ms = orders->wanted > 0 ? clock_monotonic_ms() : 0;
    for (size_t i = 0; orders->wanted > 0 && i < PLACES; i++) {
        struct place *place = &orders->places[i];
        if (!place->is_wanted || place->due_ms > now_ms)
            continue;
        place->is_wanted = false;
        place->due_ms = now_ms;
        place->told = -1;
        orders->wanted--;
        *order_r = place->order;
        return true;
    }
    return false;
}

static bool is_order(const struct order *order, ssize_t len)
{
    return len == (ssize_t)sizeof *order && memchr(order->host, '\0', sizeof order->host);
}

bool orders_receive(struct orders *orders, struct order *order_r)
{
    struct order order = {0};
    ssize_t len = 0;
    do {
        len = recv(orders->fd, &order, sizeof order, MSG_DONTWAIT | MSG_TRUNC); /* its whole length */
    } while (len >= 0 && !is_order(&order, len));
    if (len >= 0)
        *order_r = order;
    return len >= 0;
}

bool orders_hand_over(struct orders *orders, const struct order *order, int rank)
{
    struct sockaddr_un address;
    struct place *place = &orders->places[place_of(order->host)];
    if (!address_of(orders, rank, &address) ||
        sendto(orders->fd, order, sizeof *order, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&address,
               sizeof address) != (ssize_t)sizeof *order)
        return false;
    if (strcmp(place->order.host, order->host) == 0)
        place->told = rank;
    return true;
}
