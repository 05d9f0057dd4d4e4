#include "db/database_hosts.h"

#include <arpa/inet.h>
#include <string.h>

static size_t items_of(const char *list)
{
    size_t items = 1;
    if (!list || *list == '\0')
        return 0;
    for (const char *at = list; *at; at++)
        items += *at == ',';
    return items;
}

/* Copies the item of this number; the last one where the list has one item for all. NULL: there is no room.
 */
static const char *item_of(struct database_hosts *hosts, size_t *used, const char *list, size_t number)
{
    size_t items = items_of(list);
    const char *at = items > 0 ? list : "";
    for (size_t i = 0; i < number && i + 1 < items; i++)
        at = strchr(at, ',') + 1;
    size_t len_bytes = strcspn(at, ",");
    if (len_bytes + 1 > sizeof hosts->text - *used)
        return NULL;
    char *copy = hosts->text + *used;
    memcpy(copy, at, len_bytes);
    copy[len_bytes] = '\0';
    *used += len_bytes + 1;
    return copy;
}

enum status database_hosts_split(struct database_hosts *hosts_r, const char *names, const char *addresses,
                                 const char *ports)
{
    size_t name_count = items_of(names);
    size_t address_count = items_of(addresses);
    size_t port_count = items_of(ports);
    size_t count = name_count > 0 ? name_count : address_count > 0 ? address_count : 1;
    size_t used = 0;
    *hosts_r = (struct database_hosts){.count = count};
    if ((address_count > 0 && address_count != count) || (port_count > 1 && port_count != count))
        return STATUS_INVALID;
    if (count > DATABASE_HOSTS_MAX)
        return STATUS_TOO_LARGE;
    for (size_t i = 0; i < count; i++) {
        struct database_host *host = &hosts_r->all[i];
        host->name = item_of(hosts_r, &used, names, i);
        host->address = item_of(hosts_r, &used, addresses, i);
        host->port = item_of(hosts_r, &used, ports, i);
        if (!host->name || !host->address || !host->port)
            return STATUS_TOO_LARGE;
    }
    return STATUS_OK;
}

void database_hosts_order(const struct database_hosts *hosts, unsigned char order_r[DATABASE_HOSTS_MAX])
{
    size_t placed = 0;
    for (int rank = HOST_GOOD; rank <= HOST_SILENT; rank++) {
        for (size_t i = 0; i < hosts->count; i++) {
            if ((int)hosts->all[i].rank == rank)
                order_r[placed++] = (unsigned char)i;
        }
    }
}

bool database_host_needs_look_up(const struct database_host *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    if (*host->address || *host->name == '\0' || *host->name == '/' || *host->name == '@')
        return false;
    return inet_pton(AF_INET, host->name, address) != 1 && inet_pton(AF_INET6, host->name, address) != 1;
}

int database_hosts_back_off_ms(int failures, uint32_t random)
{
    int longest_ms = DATABASE_BACK_OFF_MIN_MS;
    for (int i = 1; i < failures && longest_ms < DATABASE_BACK_OFF_MAX_MS; i++)
        longest_ms *= 2;
    if (longest_ms > DATABASE_BACK_OFF_MAX_MS)
        longest_ms = DATABASE_BACK_OFF_MAX_MS;
    return longest_ms / 2 + (int)(random % (uint32_t)(longest_ms / 2 + 1));
}
