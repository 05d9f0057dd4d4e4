/* The address of Chartbeat and a number, as the operator may set them. */
#include "fuzz.h"

#include "base/settings.h"

extern char **environ;

/* In place of setenv(), which never frees a value: the runs together would use up the memory. */
static void set_only(char *line, const char *name, const char *value)
{
    static char *variables[2];
    snprintf(line, 70000, "%s=%s", name, value);
    variables[0] = line;
    environ = variables;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    struct settings settings = {0};
    struct buffer fault;
    char *text = fuzz_text(data, len_bytes);
    buffer_init(&fault, 4096);
    char *line = malloc(70000);
    set_only(line, "CHARTBEAT_URL", text);
    if (settings_read(&settings, &fault) == STATUS_OK) {
        MUST_HOLD(strncmp(settings.chartbeat_url, "http", 4) == 0 && strlen(settings.chartbeat_url) <= 500);
        MUST_HOLD(!strpbrk(settings.chartbeat_url, "@?# \r\n"));
    } else {
        MUST_HOLD(fault.status == STATUS_OK && strstr(fault.data, "(not shown)"));
    }
    buffer_clear(&fault, 0);
    set_only(line, "UPBEAT_TTL_MS", text);
    if (settings_read(&settings, &fault) == STATUS_OK)
        MUST_HOLD(settings.ttl_ms >= 100 && settings.ttl_ms <= settings.stale_ms);
    else
        MUST_HOLD(fault.status == STATUS_OK && fault.len_bytes > 0);
    buffer_release(&fault);
    free(line);
    free(text);
    return 0;
}
