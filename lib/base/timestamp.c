#include "base/timestamp.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { US_PER_S = 1000000, FRACTION_DIGITS = 6, NUMBER_DIGITS_MAX = 15 };

static const int64_t FIRST_S = INT64_C(946684800); /* 2000-01-01 */
static const int64_t END_S = INT64_C(4102444800);  /* 2100-01-01 */

static const char NOT_A_TIME[] = "is not a time";
static const char NO_SUCH_DAY[] = "names a day that there is not";
static const char NO_SUCH_TIME[] = "names a time of day that there is not";
static const char NO_OFFSET[] = "does not end in Z or an offset as +01:00";
static const char NO_SUCH_OFFSET[] = "has an offset that is none: it must be as +01:00, +0100 or +01";
static const char OTHER_YEAR[] = "is outside of the years 2000 to 2099";

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads this many digits at *at and moves *at behind them; -1 where there are fewer. */
static int number(const char **at, int digits)
{
    int value = 0;
    for (int i = 0; i < digits; i++) {
        if (!is_digit(**at))
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

/* The decimals at *at, of which there must be one, as millionths; -1: there are none. */
static int fraction(const char **at)
{
    int millionths = 0;
    int digits = 0;
    for (; is_digit(**at); (*at)++, digits++) {
        if (digits < FRACTION_DIGITS)
            millionths = millionths * 10 + (**at - '0');
    }
    for (int i = digits; i < FRACTION_DIGITS; i++)
        millionths *= 10;
    return digits > 0 ? millionths : -1;
}

/* Reads seconds or milliseconds since 1970. Only one of the two falls into the years 2000 to 2099. */
static const char *read_epoch(const char *text, time_us *at_r)
{
    const char *at = text;
    int64_t whole = 0;
    for (; is_digit(*at); at++) {
        if (at - text >= NUMBER_DIGITS_MAX)
            return OTHER_YEAR;
        whole = whole * 10 + (*at - '0');
    }
    int millionths = skip(&at, '.') || skip(&at, ',') ? fraction(&at) : 0;
    if (millionths < 0 || *at != '\0')
        return NOT_A_TIME;
    bool is_ms = whole >= FIRST_S * 1000;
    if (is_ms ? whole >= END_S * 1000 : whole < FIRST_S || whole >= END_S)
        return OTHER_YEAR;
    *at_r = is_ms ? whole * 1000 + millionths / 1000 : whole * US_PER_S + millionths;
    return NULL;
}

static const char *read_date(const char **at, struct tm *parts)
{
    int year = number(at, 4);
    bool has_form = year >= 0 && skip(at, '-');
    int month = has_form ? number(at, 2) : -1;
    int day = month >= 0 && skip(at, '-') ? number(at, 2) : -1;
    if (day < 0)
        return NOT_A_TIME;
    struct tm same = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};
    *parts = same;
    /* timegm() turns a day that does not exist into another day. */
    (void)timegm(&same);
    if (same.tm_mon != parts->tm_mon || same.tm_mday != day)
        return NO_SUCH_DAY;
    return year >= 2000 && year <= 2099 ? NULL : OTHER_YEAR;
}

static const char *read_clock(const char **at, struct tm *parts, int *fraction_us)
{
    parts->tm_hour = number(at, 2);
    parts->tm_min = parts->tm_hour >= 0 && skip(at, ':') ? number(at, 2) : -1;
    if (parts->tm_min < 0)
        return NOT_A_TIME;
    if (skip(at, ':')) {
        parts->tm_sec = number(at, 2);
        if (parts->tm_sec >= 0 && (skip(at, '.') || skip(at, ',')))
            *fraction_us = fraction(at);
        if (parts->tm_sec < 0 || *fraction_us < 0)
            return NOT_A_TIME;
    }
    return parts->tm_hour <= 23 && parts->tm_min <= 59 && parts->tm_sec <= 59 ? NULL : NO_SUCH_TIME;
}

static const char *read_offset(const char **at, int *offset_s)
{
    /* A space may stand before it; before a digit it was a plus. */
    if (**at == ' ' && !is_digit((*at)[1]))
        (*at)++;
    if (skip(at, 'Z') || skip(at, 'z'))
        return NULL;
    if (strncmp(*at, "UTC", 3) == 0) {
        *at += 3;
        return NULL;
    }
    if (!**at)
        return NO_OFFSET;
    int sign = skip(at, '-') ? -1 : skip(at, '+') || skip(at, ' ') ? 1 : 0;
    if (sign == 0)
        return NOT_A_TIME;
    int hours = number(at, 2);
    bool has_minutes = hours >= 0 && (skip(at, ':') || is_digit(**at));
    int minutes = has_minutes ? number(at, 2) : 0;
    *offset_s = sign * (hours * 60 + minutes) * 60;
    return hours >= 0 && hours <= 15 && minutes >= 0 && minutes <= 59 ? NULL : NO_SUCH_OFFSET;
}

/* Names of a zone and a calendar, which change nothing about a time that has its offset. */
static void skip_suffixes(const char **at)
{
    while (**at == '[') {
        size_t len = strcspn(*at + 1, "[]");
        if (len == 0 || (*at)[1 + len] != ']')
            return;
        *at += len + 2;
    }
}

static const char *read_timestamp(const char *text, struct timestamp *timestamp)
{
    const char *at = text;
    struct tm parts = {0};
    int fraction_us = 0;
    int offset_s = 0;
    size_t digits = strspn(text, "0123456789");
    if (digits > 0 && text[digits] != '-')
        return read_epoch(text, &timestamp->at);
    const char *fault = read_date(&at, &parts);
    timestamp->is_date = *at == '\0';
    if (!fault && !timestamp->is_date)
        fault = skip(&at, 'T') || skip(&at, 't') || skip(&at, ' ') ? read_clock(&at, &parts, &fraction_us)
                                                                   : NOT_A_TIME;
    if (!fault && !timestamp->is_date)
        fault = read_offset(&at, &offset_s);
    if (!fault && !timestamp->is_date)
        skip_suffixes(&at);
    if (!fault && *at != '\0')
        fault = NOT_A_TIME;
    if (!fault)
        timestamp->at = ((time_us)timegm(&parts) - offset_s) * US_PER_S + fraction_us;
    return fault;
}

enum status timestamp_parse(const char *text, struct timestamp *timestamp_r, const char **why_r)
{
    struct timestamp timestamp = {0};
    const char *fault = read_timestamp(text, &timestamp);
    if (fault) {
        *why_r = fault;
        return STATUS_INVALID;
    }
    *timestamp_r = timestamp;
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
