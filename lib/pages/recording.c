#include "pages/recording.h"

#include "base/utf8.h"
#include "pages/page_list.h"
#include "pages/trend_model.h"

#include <stdbool.h>
#include <string.h>

struct field {
    const char *bytes;
    size_t len_bytes;
};

/* Splits the line at its tabs. Returns the number of fields; fields beyond the maximum are counted, not
 * stored. */
static int split(const char *line, size_t len_bytes, struct field *fields)
{
    int count = 0;
    const char *from = line;
    const char *end = line + len_bytes;
    for (const char *at = line; at <= end; at++) {
        if (at < end && *at != '\t')
            continue;
        if (count < RECORDING_COLUMNS_MAX)
            fields[count] = (struct field){from, (size_t)(at - from)};
        count++;
        from = at + 1;
    }
    return count;
}

const char *recording_header(const char *line, size_t len_bytes, struct recording_columns *columns_r)
{
    static const char *const names[] = {"t_ms", "path", "visitors", "title", "sections", "sources"};
    struct field fields[RECORDING_COLUMNS_MAX] = {0};
    int *places[] = {&columns_r->t_ms,  &columns_r->path,     &columns_r->visitors,
                     &columns_r->title, &columns_r->sections, &columns_r->sources};
    int count = split(line, len_bytes, fields);
    *columns_r = (struct recording_columns){-1, -1, -1, count, -1, -1, -1};
    if (count > RECORDING_COLUMNS_MAX)
        return "the header has over 16 columns";
    for (int i = 0; i < count; i++) {
        for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
            if (fields[i].len_bytes != strlen(names[n]) ||
                memcmp(fields[i].bytes, names[n], fields[i].len_bytes) != 0)
                continue;
            if (*places[n] >= 0)
                return "the header names a column twice";
            *places[n] = i;
        }
    }
    return columns_r->t_ms >= 0 && columns_r->path >= 0 && columns_r->visitors >= 0
               ? NULL
               : "the header must name t_ms, path and visitors, with tabs between them";
}

static bool read_whole(const struct field *field, int64_t most, int64_t *number_r)
{
    enum { DIGITS_MAX = 15 };
    int64_t number = 0;
    if (field->len_bytes == 0 || field->len_bytes > DIGITS_MAX)
        return false;
    for (size_t i = 0; i < field->len_bytes; i++) {
        if (field->bytes[i] < '0' || field->bytes[i] > '9')
            return false;
        number = number * 10 + (field->bytes[i] - '0');
    }
    *number_r = number;
    return number <= most;
}

/* The text of a column that may be left out; false: it is no UTF-8. */
static bool take_text(const struct field *fields, int place, const char **bytes_r, size_t *len_bytes_r)
{
    *bytes_r = place < 0 ? "" : fields[place].bytes;
    *len_bytes_r = place < 0 ? 0 : fields[place].len_bytes;
    return utf8_valid(*bytes_r, *len_bytes_r);
}

const char *recording_row(const char *line, size_t len_bytes, const struct recording_columns *columns,
                          struct recording_row *row_r)
{
    struct field fields[RECORDING_COLUMNS_MAX] = {0};
    int64_t at_ms = 0;
    int64_t visitors = 0;
    if (split(line, len_bytes, fields) != columns->count)
        return "not as many columns as the header";
    const struct field *path = &fields[columns->path];
    if (!read_whole(&fields[columns->t_ms], INT64_C(999999999999999), &at_ms))
        return "t_ms must be whole milliseconds since 1970";
    if (!read_whole(&fields[columns->visitors], TREND_HUNDREDTHS_MAX / 100, &visitors))
        return "visitors must be a whole number, at most a million";
    if (path->len_bytes == 0 || path->len_bytes > PATH_MAX_BYTES)
        return "the path must have 1 to 2000 bytes";
    if (!utf8_valid(path->bytes, path->len_bytes))
        return "the path must be UTF-8 without NUL";
    struct recording_row row = {
        .at_ms = at_ms, .path = path->bytes, .path_bytes = path->len_bytes, .visitors = (int32_t)visitors};
    if (!take_text(fields, columns->title, &row.title, &row.title_bytes) ||
        !take_text(fields, columns->sections, &row.sections, &row.sections_bytes) ||
        !take_text(fields, columns->sources, &row.sources, &row.sources_bytes))
        return "a text must be UTF-8 without NUL";
    *row_r = row;
    return NULL;
}

bool recording_sources(const struct recording_row *row, uint32_t sources_r[PAGE_SOURCES])
{
    size_t at = 0;
    memset(sources_r, 0, PAGE_SOURCES * sizeof *sources_r);
    for (int k = 0; row->sources_bytes > 0 && k < PAGE_SOURCES; k++) {
        size_t digits = 0;
        uint64_t number = 0;
        for (; at < row->sources_bytes && row->sources[at] >= '0' && row->sources[at] <= '9' && digits < 9;
             at++, digits++)
            number = 10 * number + (uint64_t)(row->sources[at] - '0');
        if (digits == 0 || (k < PAGE_SOURCES - 1 && (at == row->sources_bytes || row->sources[at++] != ',')))
            return false;
        sources_r[k] = (uint32_t)number;
    }
    return at == row->sources_bytes;
}
