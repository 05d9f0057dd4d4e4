#include "base/duration.h"

#include <string.h>

enum { DIGITS_MAX = 7 };

static const int64_t SPAN_MAX_MS = INT64_C(100) * 86400 * 1000;

enum status duration_parse(const char *text, int64_t *span_ms_r)
{
    static const struct {
        char unit;
        int64_t span_ms;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}};
    size_t digits = strspn(text, "0123456789");
    int64_t number = 0;
    if (digits == 0 || digits > DIGITS_MAX || text[digits] == '\0' || text[digits + 1] != '\0')
        return STATUS_INVALID;
    for (size_t i = 0; i < digits; i++)
        number = number * 10 + (text[i] - '0');
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (units[i].unit == text[digits] && number * units[i].span_ms <= SPAN_MAX_MS) {
            *span_ms_r = number * units[i].span_ms;
            return STATUS_OK;
        }
    }
    return STATUS_INVALID;
}
