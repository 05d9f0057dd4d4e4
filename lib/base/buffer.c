#include "base/buffer.h"

#include <inttypes.h>

enum { FIRST_CAPACITY_BYTES = 1024 };

void buffer_init(struct buffer *buffer, size_t max_bytes)
{
    *buffer = (struct buffer){.max_bytes = max_bytes};
}

void buffer_release(struct buffer *buffer)
{
    free(buffer->data);
    buffer_init(buffer, buffer->max_bytes);
}

void buffer_clear(struct buffer *buffer, size_t keep_bytes)
{
    if (buffer->capacity_bytes > keep_bytes) {
        buffer_release(buffer);
        return;
    }
    buffer->len_bytes = 0;
    buffer->status = STATUS_OK;
}

char *buffer_reserve(struct buffer *buffer, size_t len_bytes)
{
    if (buffer->status != STATUS_OK)
        return NULL;
    if (len_bytes > buffer->max_bytes || buffer->len_bytes > buffer->max_bytes - len_bytes) {
        buffer->status = STATUS_TOO_LARGE;
        return NULL;
    }
    size_t need = buffer->len_bytes + len_bytes + 1;
    if (need > buffer->capacity_bytes) {
        size_t capacity = buffer->capacity_bytes ? buffer->capacity_bytes : FIRST_CAPACITY_BYTES;
        while (capacity < need)
            capacity *= 2;
        char *data = realloc(buffer->data, capacity);
        if (!data) {
            buffer->status = STATUS_NO_MEMORY;
            return NULL;
        }
        buffer->data = data;
        buffer->capacity_bytes = capacity;
    }
    return buffer->data + buffer->len_bytes;
}

void buffer_commit(struct buffer *buffer, size_t len_bytes)
{
    buffer->len_bytes += len_bytes;
    buffer->data[buffer->len_bytes] = '\0';
}

void buffer_append(struct buffer *buffer, const void *bytes, size_t len_bytes)
{
    char *to = buffer_reserve(buffer, len_bytes);
    if (!to)
        return;
    if (len_bytes > 0)
        memcpy(to, bytes, len_bytes);
    buffer_commit(buffer, len_bytes);
}

void buffer_append_text(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}

void buffer_append_char(struct buffer *buffer, char byte)
{
    buffer_append(buffer, &byte, 1);
}

void buffer_append_int(struct buffer *buffer, int64_t number)
{
    char digits[24];
    char *end = digits + sizeof digits;
    char *at = end;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (number < 0)
        *--at = '-';
    buffer_append(buffer, at, (size_t)(end - at));
}

void buffer_append_format(struct buffer *buffer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0) {
        buffer->status = STATUS_INVALID;
        return;
    }
    char *to = buffer_reserve(buffer, (size_t)len);
    if (!to)
        return;
    va_start(args, format);
    vsnprintf(to, (size_t)len + 1, format, args);
    va_end(args);
    buffer_commit(buffer, (size_t)len);
}
