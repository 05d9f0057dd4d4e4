/* Recorded samples: a first line as the header, a second one as a row of it. */
#include "fuzz.h"

#include "base/duration.h"
#include "pages/page_list.h"
#include "pages/recording.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    char *text = fuzz_text(data, len_bytes);
    size_t first = strcspn(text, "\n");
    size_t second = first < len_bytes ? len_bytes - first - 1 : 0;
    struct recording_columns columns = {0};
    struct recording_row row = {0};
    int64_t span_ms = -1;
    if (!recording_header(text, first, &columns)) {
        MUST_HOLD(columns.count >= 3 && columns.count <= RECORDING_COLUMNS_MAX);
        if (!recording_row(text + len_bytes - second, second, &columns, &row)) {
            MUST_HOLD(row.at_ms >= 0 && row.visitors >= 0 && row.visitors <= 1000000);
            MUST_HOLD(row.path >= text && row.path + row.path_bytes <= text + len_bytes);
            MUST_HOLD(row.path_bytes >= 1 && row.path_bytes <= PATH_MAX_BYTES);
        }
    }
    if (duration_parse(text, &span_ms) == STATUS_OK)
        MUST_HOLD(span_ms >= 0 && span_ms <= INT64_C(8640000000));
    free(text);
    return 0;
}
