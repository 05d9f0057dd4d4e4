/* Bytes that grow as they are appended, up to a maximum that is set when the buffer is made. */
#ifndef UPBEAT_BASE_BUFFER_H
#define UPBEAT_BASE_BUFFER_H

#include "base/status.h"
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* Fields are for reading only. `data` is NULL until something is appended; then a NUL follows the len_bytes.
 * The first append that fails sets `status`, and every later append does nothing, so a writer needs to look
 * at `status` only once, at the end. */
struct buffer {
    char *data;
    size_t len_bytes;
    size_t capacity_bytes;
    size_t max_bytes;
    enum status status;
};

/* An empty buffer that never holds more than max_bytes (without the NUL). Allocates nothing. */
void buffer_init(struct buffer *buffer, size_t max_bytes);

/* Frees the storage; the buffer is as after buffer_init() with the same maximum. */
void buffer_release(struct buffer *buffer);

/* Forgets the contents and the status, keeps the storage for the next use; storage above keep_bytes is given
 * back. */
void buffer_clear(struct buffer *buffer, size_t keep_bytes);

/* Append bytes, a string, one byte, a decimal number, or printf text. On STATUS_TOO_LARGE or STATUS_NO_MEMORY
 * (see `status`) nothing of this append, and nothing later, is added. */
void buffer_append(struct buffer *buffer, const void *bytes, size_t len_bytes);
void buffer_append_text(struct buffer *buffer, const char *text);
void buffer_append_char(struct buffer *buffer, char byte);
void buffer_append_int(struct buffer *buffer, int64_t number);
void buffer_append_format(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Makes room for len_bytes more and returns where they go, or NULL with `status` set. The caller writes at
 * most len_bytes there and then calls buffer_commit() with the number really written. */
char *buffer_reserve(struct buffer *buffer, size_t len_bytes) MUST_CHECK;
void buffer_commit(struct buffer *buffer, size_t len_bytes);

#endif
