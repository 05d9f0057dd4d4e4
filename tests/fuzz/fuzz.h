/* What every fuzz target needs: its entry, and a check that holds for all inputs. */
#ifndef UPBEAT_FUZZ_H
#define UPBEAT_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes);

#define MUST_HOLD(condition)                                                                                 \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                          \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

/* The input as a string of exactly its size, so that the sanitizer sees a step beyond it. To be freed. */
static inline char *fuzz_text(const uint8_t *data, size_t len_bytes)
{
    char *text = malloc(len_bytes + 1);
    if (!text)
        abort();
    if (len_bytes > 0)
        memcpy(text, data, len_bytes);
    text[len_bytes] = '\0';
    return text;
}

#endif
