#include "db/name_look_up.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct name_look_up {
    struct name_look_up *next; /* among those that were left */
    struct gaicb request;
    struct addrinfo hints;
    char name[256];
};

/* Those that nobody wants any more, and that a thread of the C library worked on when they were to be freed:
 * it can't be called back, and goes on writing to them. */
static struct name_look_up *left;

static void release(struct name_look_up *look_up)
{
    if (look_up->request.ar_result)
        freeaddrinfo(look_up->request.ar_result);
    free(look_up);
}

static void release_left(void)
{
    struct name_look_up **at = &left;
    while (*at) {
        struct name_look_up *look_up = *at;
        if (gai_error(&look_up->request) == EAI_INPROGRESS) {
            at = &look_up->next;
        } else {
            *at = look_up->next;
            release(look_up);
        }
    }
}

struct name_look_up *name_look_up_new(const char *name)
{
    release_left();
    struct name_look_up *look_up = calloc(1, sizeof *look_up);
    if (!look_up)
        return NULL;
    snprintf(look_up->name, sizeof look_up->name, "%s", name);
    look_up->hints = (struct addrinfo){.ai_socktype = SOCK_STREAM};
    look_up->request.ar_name = look_up->name;
    look_up->request.ar_request = &look_up->hints;
    struct gaicb *list[] = {&look_up->request};
    if (getaddrinfo_a(GAI_NOWAIT, list, 1, NULL) == 0)
        return look_up;
    free(look_up);
    return NULL;
}

void name_look_up_free(struct name_look_up *look_up)
{
    if (!look_up)
        return;
    if (gai_cancel(&look_up->request) == EAI_NOTCANCELED) {
        look_up->next = left;
        left = look_up;
    } else {
        release(look_up);
    }
}

int name_look_up_result(struct name_look_up *look_up)
{
    return gai_error(&look_up->request);
}

size_t name_look_up_addresses(struct name_look_up *look_up, char (*addresses_r)[NI_MAXHOST], size_t max)
{
    size_t count = 0;
    if (name_look_up_result(look_up) != 0)
        return 0;
    for (const struct addrinfo *found = look_up->request.ar_result; found && count < max;
         found = found->ai_next) {
        if (getnameinfo(found->ai_addr, found->ai_addrlen, addresses_r[count], sizeof addresses_r[0], NULL, 0,
                        NI_NUMERICHOST) == 0)
            count++;
    }
    return count;
}

void name_look_up_wait(const struct name_look_up *look_up, int timeout_ms)
{
    const struct gaicb *list[] = {&look_up->request};
    struct timespec span = {.tv_nsec = timeout_ms * 1000000L};
    (void)gai_suspend(list, 1, &span);
}
