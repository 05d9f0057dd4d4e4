/* A text as the value of a label: the line that it is written into stays one line, and reads back as the same
 * text, but for bytes that were no UTF-8. */
#include "fuzz.h"

#include "base/metrics_text.h"
#include "base/utf8.h"

static const char HEAD[] = "upbeat_site_visitors{host=\"";
static const char TAIL[] = "\"} 1.234\n";

/* One byte of the text, after its escape; *at_io goes on behind it. */
static char read_back(const char *line, size_t *at_io)
{
    char byte = line[(*at_io)++];
    MUST_HOLD(byte != '"' && byte != '\n' && byte != '\0');
    if (byte != '\\')
        return byte;
    byte = line[(*at_io)++];
    MUST_HOLD(byte == '\\' || byte == '"' || byte == 'n');
    return byte == 'n' ? '\n' : byte;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    struct buffer out;
    char *text = fuzz_text(data, len_bytes);
    const char *const labels[METRIC_LABELS_MAX] = {text};
    size_t text_bytes = strlen(text);
    buffer_init(&out, 64 * 1024);
    metrics_text_sample(&out, METRIC_SITE_VISITORS, labels, 1234);
    MUST_HOLD(out.status == STATUS_OK && utf8_valid(out.data, out.len_bytes));
    MUST_HOLD(strncmp(out.data, HEAD, sizeof HEAD - 1) == 0);
    size_t at = sizeof HEAD - 1;
    bool is_valid = utf8_valid(text, text_bytes);
    for (size_t i = 0; i < text_bytes; i++) {
        char byte = read_back(out.data, &at);
        MUST_HOLD(byte == text[i] || (!is_valid && byte == '?'));
    }
    MUST_HOLD(strcmp(out.data + at, TAIL) == 0);
    buffer_release(&out);
    free(text);
    return 0;
}
