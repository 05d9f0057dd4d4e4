/* A query string, as it came in. */
#include "fuzz.h"

#include "query.h"
#include "utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    struct arena arena;
    struct query query;
    const char *why = NULL;
    char *text = fuzz_text(data, len_bytes);
    arena_init(&arena, 1 << 20);
    enum up_result result = query_parse(text, &arena, &query, &why);
    MUST_HOLD(result == UP_OK || (why && query.count == 0));
    for (size_t i = 0; i < query.count; i++) {
        const struct query_parameter *parameter = &query.items[i];
        MUST_HOLD(strlen(parameter->value) == parameter->value_bytes);
        MUST_HOLD(utf8_valid(parameter->value, parameter->value_bytes));
        MUST_HOLD(utf8_valid(parameter->name, strlen(parameter->name)));
        MUST_HOLD(query_find(&query, parameter->name) == parameter);
    }
    arena_release(&arena);
    free(text);
    return 0;
}
