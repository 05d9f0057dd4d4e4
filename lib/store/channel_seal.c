#include "store/channel_seal.h"

#include <stdio.h>
#include <string.h>

enum { LABEL_BYTES = 128 };

static void write_label(char label[LABEL_BYTES], const char *name, enum channel_part part)
{
    snprintf(label, LABEL_BYTES, "channel %s %s", part == CHANNEL_ADDRESS ? "address" : "secret", name);
}

enum status channel_seal(const struct secret_box *secret_box, const char *name, enum channel_part part,
                         const char *text, struct sealed_text *sealed_r)
{
    char label[LABEL_BYTES];
    write_label(label, name, part);
    return secret_box_seal_text(secret_box, text, label, sealed_r);
}

enum status channel_open(const struct secret_box *secret_box, const char *name, enum channel_part part,
                         const struct database_rows *rows, size_t row, int column, char *text_r)
{
    char label[LABEL_BYTES];
    struct sealed_text sealed;
    const char *bytes = database_bytes(rows, row, column, &sealed.len_bytes);
    if (!bytes || sealed.len_bytes > sizeof sealed.bytes)
        return STATUS_INVALID;
    memcpy(sealed.bytes, bytes, sealed.len_bytes);
    write_label(label, name, part);
    return secret_box_open_text(secret_box, &sealed, label, text_r);
}
