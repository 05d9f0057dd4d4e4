#include "program.h"

#include "base/log.h"

#include <sys/prctl.h>
#include <sys/resource.h>

/* The leak sanitizer traces its own process, so it needs the right to. */
void program_forbid_cores(void)
{
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
#ifndef __SANITIZE_ADDRESS__
    prctl(PR_SET_DUMPABLE, 0);
#endif
}

int program_read_settings(struct settings *settings, struct secret_box *secret_box)
{
    struct buffer fault;
    const char *why = "";
    buffer_init(&fault, 1024);
    enum status result = settings_read(settings, &fault);
    if (result == STATUS_OK)
        log_set_level(settings->log_level);
    if (result == STATUS_OK && secret_box) {
        result = secret_box_init(secret_box, settings->secret_file, &why);
        if (result != STATUS_OK)
            buffer_append_format(&fault, "UPBEAT_SECRET_FILE=%s: %s", settings->secret_file, why);
    }
    if (result != STATUS_OK)
        log_line(LEVEL_ERROR, NULL, "%s", fault.data ? fault.data : status_text(result));
    buffer_release(&fault);
    return result == STATUS_OK ? EXIT_SUCCESS : EXIT_SETTINGS;
}

void program_allow_descriptors(void)
{
    enum { DESCRIPTORS = 4096 };
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= DESCRIPTORS)
        return;
    limit.rlim_cur = limit.rlim_max < DESCRIPTORS ? limit.rlim_max : DESCRIPTORS;
    setrlimit(RLIMIT_NOFILE, &limit);
}
