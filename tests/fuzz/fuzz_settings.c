/* The address of Chartbeat and a number, as the operator may set them. */
#include "fuzz.h"

#include "settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    struct settings settings = {0};
    struct buffer fault;
    char *text = fuzz_text(data, len_bytes);
    buffer_init(&fault, 4096);
    setenv("CHARTBEAT_URL", text, 1);
    unsetenv("UPBEAT_TTL_MS");
    if (settings_read(&settings, &fault) == UP_OK) {
        MUST_HOLD(strncmp(settings.chartbeat_url, "http", 4) == 0 && strlen(settings.chartbeat_url) <= 500);
        MUST_HOLD(!strpbrk(settings.chartbeat_url, "@?# \r\n"));
    } else {
        MUST_HOLD(fault.status == UP_OK && strstr(fault.data, "(not shown)"));
    }
    buffer_clear(&fault, 0);
    unsetenv("CHARTBEAT_URL");
    setenv("UPBEAT_TTL_MS", text, 1);
    if (settings_read(&settings, &fault) == UP_OK)
        MUST_HOLD(settings.ttl_ms >= 100 && settings.ttl_ms <= settings.stale_ms);
    else
        MUST_HOLD(fault.status == UP_OK && fault.len_bytes > 0);
    buffer_release(&fault);
    free(text);
    return 0;
}
