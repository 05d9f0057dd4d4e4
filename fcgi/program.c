#include "program.h"

#include "log.h"

#include <sys/prctl.h>
#include <sys/resource.h>

/* Sanitizers have to look. */
void program_forbid_cores(void)
{
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
#ifndef __SANITIZE_ADDRESS__
    prctl(PR_SET_DUMPABLE, 0);
#endif
}

int program_read_settings(struct settings *settings, struct keyring *keyring)
{
    struct buffer fault;
    const char *why = "";
    buffer_init(&fault, 1024);
    enum up_result result = settings_read(settings, &fault);
    if (result == UP_OK) {
        log_set_level(settings->log_level);
        result = keyring_init(keyring, settings->secret_file, &why);
        if (result != UP_OK)
            buffer_append_format(&fault, "UPBEAT_SECRET_FILE=%s: %s", settings->secret_file, why);
    }
    if (result != UP_OK)
        log_line(LOG_ERROR, NULL, "%s", fault.data ? fault.data : result_text(result));
    buffer_release(&fault);
    return result == UP_OK ? EXIT_SUCCESS : EXIT_SETTINGS;
}
