/* A query string, as it came in, and each of its values as a time and as a span. */
#include "fuzz.h"

#include "base/duration.h"
#include "base/timestamp.h"
#include "base/utf8.h"
#include "http/query.h"

static void check_time(const char *text)
{
    char written[TIMESTAMP_BYTES];
    struct timestamp read = {0};
    struct timestamp again = {0};
    const char *why = NULL;
    int64_t span_ms = -1;
    if (timestamp_parse(text, &read, &why) != STATUS_OK) {
        MUST_HOLD(read.at == 0 && why);
    } else if (read.at >= INT64_C(946684800000000) && read.at < INT64_C(4102444800000000)) { /* in UTC too */
        timestamp_write(read.at, written);
        MUST_HOLD(timestamp_parse(written, &again, &why) == STATUS_OK && again.at == read.at);
    }
    MUST_HOLD(duration_parse(text, &span_ms) == STATUS_OK ? span_ms >= 0 : span_ms == -1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    struct arena arena;
    struct query query;
    const char *why = NULL;
    char *text = fuzz_text(data, len_bytes);
    arena_init(&arena, 1 << 20);
    enum status result = query_parse(text, &arena, &query, &why);
    MUST_HOLD(result == STATUS_OK || why);
    MUST_HOLD(!query.twice || (result != STATUS_OK && query_find(&query, query.twice)));
    for (size_t i = 0; i < query.count; i++) {
        const struct query_parameter *parameter = &query.items[i];
        MUST_HOLD(strlen(parameter->value) == parameter->value_bytes);
        MUST_HOLD(utf8_valid(parameter->value, parameter->value_bytes));
        MUST_HOLD(utf8_valid(parameter->name, strlen(parameter->name)));
        MUST_HOLD(query_find(&query, parameter->name) == parameter);
        check_time(parameter->value);
    }
    arena_release(&arena);
    free(text);
    return 0;
}
