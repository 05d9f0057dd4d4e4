/* The address and the signing secrets of a channel, sealed: bound to the channel's name and to what they are,
 * so that a row of the database can not be given those of another. */
#ifndef UPBEAT_STORE_CHANNEL_SEAL_H
#define UPBEAT_STORE_CHANNEL_SEAL_H

#include "base/secret_box.h"
#include "db/database.h"

enum channel_part { CHANNEL_ADDRESS, CHANNEL_SECRET };

/* STATUS_INVALID: longer than SECRET_TEXT_MAX_BYTES. STATUS_FAILED as secret_box_seal(). */
enum status channel_seal(const struct secret_box *secret_box, const char *name, enum channel_part part,
                         const char *text, struct sealed_text *sealed_r) MUST_CHECK;

/* Opens a field of a row. text_r holds SECRET_TEXT_MAX_BYTES + 1 bytes. STATUS_INVALID: the field is null, or
 * the secret is another one. */
enum status channel_open(const struct secret_box *secret_box, const char *name, enum channel_part part,
                         const struct database_rows *rows, size_t row, int column, char *text_r) MUST_CHECK;

#endif
