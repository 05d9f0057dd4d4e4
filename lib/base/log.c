#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 1000 };

static enum log_level max_level = LEVEL_INFO;

void log_set_level(enum log_level level)
{
    max_level = level;
}

static size_t put_head(char *line, size_t room, enum log_level level, const char *subject)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    struct timespec now;
    struct tm parts;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    size_t len = strftime(line, room, "%Y-%m-%dT%H:%M:%S", &parts);
    int more =
        snprintf(line + len, room - len, ".%03ldZ %s %s[%d]%s%.128s: ", now.tv_nsec / 1000000, names[level],
                 program_invocation_short_name, (int)getpid(), subject ? " " : "", subject ? subject : "");
    if (more > 0)
        len += (size_t)more < room - len ? (size_t)more : room - len - 1;
    return len;
}

/* Escapes control characters, so that text from outside can not begin another line. */
static size_t put_escaped(char *line, size_t len, size_t room, const char *text)
{
    static const char hex[] = "0123456789abcdef";
    for (const unsigned char *at = (const unsigned char *)text; *at && len + 5 < room; at++) {
        if (*at >= 0x20 && *at != 0x7f) {
            line[len++] = (char)*at;
            continue;
        }
        line[len++] = '\\';
        line[len++] = 'x';
        line[len++] = hex[*at >> 4];
        line[len++] = hex[*at & 15];
    }
    return len;
}

void log_line(enum log_level level, const char *subject, const char *format, ...)
{
    if (level > max_level)
        return;
    char text[LINE_MAX_BYTES];
    char line[LINE_MAX_BYTES + 256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    size_t len = put_head(line, sizeof line, level, subject);
    len = put_escaped(line, len, sizeof line - 1, text);
    line[len++] = '\n';
    ssize_t written = write(STDERR_FILENO, line, len);
    (void)written; /* if standard error can't be written to there is no place for an error */
}
