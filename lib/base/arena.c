#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>

struct arena_block {
    struct arena_block *next;
    size_t capacity_bytes;
    alignas(max_align_t) char data[];
};

enum { BLOCK_BYTES = 64 * 1024 };

void arena_init(struct arena *arena, size_t max_bytes)
{
    *arena = (struct arena){.max_bytes = max_bytes};
}

void arena_release(struct arena *arena)
{
    while (arena->blocks) {
        struct arena_block *next = arena->blocks->next;
        free(arena->blocks);
        arena->blocks = next;
    }
    arena_init(arena, arena->max_bytes);
}

void arena_clear(struct arena *arena)
{
    while (arena->blocks && arena->blocks->next) {
        struct arena_block *next = arena->blocks->next;
        free(arena->blocks);
        arena->blocks = next;
    }
    arena->used_bytes = 0;
    arena->total_bytes = arena->blocks ? arena->blocks->capacity_bytes : 0;
    if (arena->total_bytes > BLOCK_BYTES)
        arena_release(arena);
}

static int add_block(struct arena *arena, size_t len_bytes)
{
    size_t capacity = len_bytes > BLOCK_BYTES ? len_bytes : BLOCK_BYTES;
    if (capacity > arena->max_bytes || arena->total_bytes > arena->max_bytes - capacity)
        return 0;
    struct arena_block *block = malloc(sizeof *block + capacity);
    if (!block)
        return 0;
    block->next = arena->blocks;
    block->capacity_bytes = capacity;
    arena->blocks = block;
    arena->used_bytes = 0;
    arena->total_bytes += capacity;
    return 1;
}

void *arena_alloc(struct arena *arena, size_t len_bytes)
{
    const size_t align = alignof(max_align_t);
    if (len_bytes > SIZE_MAX - align)
        return NULL;
    len_bytes = (len_bytes + align - 1) / align * align;
    if (!arena->blocks || len_bytes > arena->blocks->capacity_bytes - arena->used_bytes) {
        if (!add_block(arena, len_bytes))
            return NULL;
    }
    void *at = arena->blocks->data + arena->used_bytes;
    arena->used_bytes += len_bytes;
    return at;
}

char *arena_copy(struct arena *arena, const char *bytes, size_t len_bytes)
{
    char *copy = arena_alloc(arena, len_bytes + 1);
    if (!copy)
        return NULL;
    if (len_bytes > 0)
        memcpy(copy, bytes, len_bytes);
    copy[len_bytes] = '\0';
    return copy;
}
