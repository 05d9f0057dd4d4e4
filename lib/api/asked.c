#include "api/asked.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct asked_host {
    char host[HOST_MAX_BYTES + 1];
    int64_t told_ms;
    UT_hash_handle hh;
};

struct asked {
    struct asked_host *hosts; /* told longest ago first */
};

struct asked *asked_new(void)
{
    return calloc(1, sizeof(struct asked));
}

static void forget(struct asked *asked, struct asked_host *host)
{
    /* uthash frees its table with the last entry, which the analyzer does not see.
     * NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
    HASH_DEL(asked->hosts, host);
    free(host);
}

void asked_free(struct asked *asked)
{
    if (!asked)
        return;
    while (asked->hosts)
        forget(asked, asked->hosts);
    free(asked);
}

bool asked_is_due(struct asked *asked, const char *host, int64_t now_ms)
{
    struct asked_host *found = NULL;
    size_t len = strnlen(host, HOST_MAX_BYTES);
    HASH_FIND(hh, asked->hosts, host, len, found);
    if (found && now_ms - found->told_ms < ASKED_EVERY_MS)
        return false;
    if (found || HASH_COUNT(asked->hosts) >= ASKED_HOSTS_MAX)
        forget(asked, found ? found : asked->hosts);
    struct asked_host *added = calloc(1, sizeof *added);
    if (!added)
        return true;
    memcpy(added->host, host, len);
    added->told_ms = now_ms;
    HASH_ADD_KEYPTR(/* NOLINT(clang-analyzer-unix.Malloc): see forget() */
                    hh, asked->hosts, added->host, len, added);
    if (!added->hh.tbl)
        free(added);
    return true;
}
