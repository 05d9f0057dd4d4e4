/* Bytes as base64 (RFC 4648, 4), with padding. */
#ifndef UPBEAT_BASE_BASE64_H
#define UPBEAT_BASE_BASE64_H

#include "base/buffer.h"

/* Appends the text of the bytes; see out->status. */
void base64_put(struct buffer *out, const void *bytes, size_t len_bytes);

#endif
