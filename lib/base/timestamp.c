#include "base/timestamp.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { US_PER_S = 1000000, FRACTION_MAX = 6 };

/* Reads this many digits at *at and moves *at behind them; -1 where there are fewer. */
static int number(const char **at, int digits)
{
    int value = 0;
    for (int i = 0; i < digits; i++) {
        if (**at < '0' || **at > '9')
            return -1;
        value = value * 10 + (*(*at)++ - '0');
    }
    return value;
}

static bool skip(const char **at, char c)
{
    bool is_there = **at == c;
    *at += is_there;
    return is_there;
}

static bool read_seconds(const char **at, struct tm *parts, int *fraction_us)
{
    parts->tm_sec = number(at, 2);
    if (parts->tm_sec < 0 || parts->tm_sec > 59)
        return false;
    if (!skip(at, '.'))
        return true;
    int unit_us = US_PER_S;
    for (int i = 0; i < FRACTION_MAX && **at >= '0' && **at <= '9'; i++) {
        unit_us /= 10;
        *fraction_us += (*(*at)++ - '0') * unit_us;
    }
    return unit_us < US_PER_S;
}

static bool read_offset(const char **at, int *offset_s)
{
    *offset_s = 0;
    if (skip(at, 'Z'))
        return true;
    int sign = skip(at, '-') ? -1 : skip(at, '+') || skip(at, ' ') ? 1 : 0;
    int hours = number(at, 2);
    int minutes = hours >= 0 && skip(at, ':') ? number(at, 2) : -1;
    *offset_s = sign * (hours * 60 + minutes) * 60;
    return sign != 0 && hours >= 0 && hours <= 15 && minutes >= 0 && minutes <= 59;
}

enum status timestamp_parse(const char *text, time_us *at_r)
{
    const char *at = text;
    struct tm parts = {0};
    int fraction_us = 0;
    int offset_s = 0;
    int year = number(&at, 4);
    bool is_good = year >= 2000 && year <= 2099 && skip(&at, '-');
    int month = is_good ? number(&at, 2) : -1;
    int day = skip(&at, '-') ? number(&at, 2) : -1;
    is_good = is_good && month > 0 && day > 0 && skip(&at, 'T');
    parts.tm_year = year - 1900;
    parts.tm_mon = month - 1;
    parts.tm_mday = day;
    parts.tm_hour = is_good ? number(&at, 2) : -1;
    parts.tm_min = parts.tm_hour >= 0 && skip(&at, ':') ? number(&at, 2) : -1;
    is_good = is_good && parts.tm_hour >= 0 && parts.tm_hour <= 23 && parts.tm_min >= 0 && parts.tm_min <= 59;
    if (is_good && skip(&at, ':'))
        is_good = read_seconds(&at, &parts, &fraction_us);
    if (!is_good || !read_offset(&at, &offset_s) || *at != '\0')
        return STATUS_INVALID;
    time_t at_s = timegm(&parts);
    if (parts.tm_mon != month - 1 || parts.tm_mday != day)
        return STATUS_INVALID; /* timegm() moved to another day, so this day does not exist */
    *at_r = ((time_us)at_s - offset_s) * US_PER_S + fraction_us;
    return STATUS_OK;
}

static void write_seconds(time_us at, char text[TIMESTAMP_BYTES])
{
    time_t at_s = (time_t)(at / US_PER_S);
    struct tm parts;
    gmtime_r(&at_s, &parts);
    strftime(text, TIMESTAMP_BYTES, "%Y-%m-%dT%H:%M:%S", &parts);
}

void timestamp_write(time_us at, char text[TIMESTAMP_BYTES])
{
    write_seconds(at, text);
    size_t len = strlen(text);
    snprintf(text + len, TIMESTAMP_BYTES - len, ".%06dZ", (int)(at % US_PER_S));
}

void timestamp_put(struct buffer *out, time_us at)
{
    char text[TIMESTAMP_BYTES];
    write_seconds(at, text);
    buffer_append_format(out, "%s.%03dZ", text, (int)(at % US_PER_S / 1000));
}
