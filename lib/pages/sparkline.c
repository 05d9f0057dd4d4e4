#include "pages/sparkline.h"

#include <string.h>

enum { MINUTE_MS = 60000 };

/* The steps of a window: as few minutes each as SPARKLINE_MAX numbers allow. */
static struct sparklines steps_of(const struct trend_input *input)
{
    int64_t minutes = input->window_ms / MINUTE_MS > 0 ? input->window_ms / MINUTE_MS : 1;
    int64_t step = (minutes + SPARKLINE_MAX - 1) / SPARKLINE_MAX;
    int64_t count = (minutes + step - 1) / step;
    return (struct sparklines){.count = (size_t)count,
                               .step_minutes = (int32_t)step,
                               .first_minute = input->as_of_ms / MINUTE_MS - count * step + 1};
}

struct sums {
    int64_t *sum;        /* of each page and step */
    int32_t *listed;     /* minutes, of each page and step */
    int32_t *known;      /* minutes, of each step */
    int32_t *full_lists; /* minutes with a cut-off, of each step */
};

static bool make_sums(struct sums *sums, size_t cells, size_t steps, struct arena *arena)
{
    sums->sum = arena_alloc(arena, (cells + 1) * sizeof *sums->sum);
    sums->listed = arena_alloc(arena, (cells + 1) * sizeof *sums->listed);
    sums->known = arena_alloc(arena, (steps + 1) * sizeof *sums->known);
    sums->full_lists = arena_alloc(arena, (steps + 1) * sizeof *sums->full_lists);
    if (!sums->sum || !sums->listed || !sums->known || !sums->full_lists)
        return false;
    memset(sums->sum, 0, cells * sizeof *sums->sum);
    memset(sums->listed, 0, cells * sizeof *sums->listed);
    memset(sums->known, 0, steps * sizeof *sums->known);
    memset(sums->full_lists, 0, steps * sizeof *sums->full_lists);
    return true;
}

static void add_minute(const struct sparklines *lines, const struct trend_minute *minute, struct sums *sums)
{
    int64_t offset = minute->minute - lines->first_minute;
    if (offset < 0 || offset >= (int64_t)lines->count * lines->step_minutes)
        return;
    size_t step = (size_t)(offset / lines->step_minutes);
    sums->known[step]++;
    sums->full_lists[step] += minute->cutoff > 0;
    for (size_t i = 0; i < minute->count; i++) {
        size_t cell = minute->entries[i].page * lines->count + step;
        sums->sum[cell] += minute->entries[i].visitors;
        sums->listed[cell]++;
    }
}

static int32_t value_of(const struct sums *sums, size_t cell, size_t step)
{
    if (sums->listed[cell] > 0)
        return (int32_t)((sums->sum[cell] + sums->listed[cell] / 2) / sums->listed[cell]);
    return sums->known[step] > 0 && sums->full_lists[step] == 0 ? 0 : SPARKLINE_UNKNOWN;
}

enum status sparklines_make(const struct trend_input *input, struct arena *arena, struct sparklines *lines_r)
{
    struct sums sums;
    struct sparklines lines = steps_of(input);
    size_t cells = input->page_count * lines.count;
    lines.values = arena_alloc(arena, (cells + 1) * sizeof *lines.values);
    if (!lines.values || !make_sums(&sums, cells, lines.count, arena))
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < input->minute_count; i++)
        add_minute(&lines, &input->minutes[i], &sums);
    for (size_t cell = 0; cell < cells; cell++)
        lines.values[cell] = value_of(&sums, cell, cell % lines.count);
    *lines_r = lines;
    return STATUS_OK;
}

enum status sparklines_choose(struct sparklines *lines, const uint32_t *pages, size_t page_count,
                              struct arena *arena)
{
    int32_t *values = arena_alloc(arena, (page_count * lines->count + 1) * sizeof *values);
    if (!values)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < page_count; i++)
        memcpy(values + i * lines->count, lines->values + pages[i] * lines->count,
               lines->count * sizeof *values);
    lines->values = values;
    return STATUS_OK;
}

enum status sparklines_copy(struct sparklines *lines, size_t page_count, struct arena *arena)
{
    size_t bytes = page_count * lines->count * sizeof *lines->values;
    int32_t *values = arena_alloc(arena, bytes + sizeof *values);
    if (!values)
        return STATUS_NO_MEMORY;
    if (bytes > 0)
        memcpy(values, lines->values, bytes);
    lines->values = values;
    return STATUS_OK;
}

int64_t sparkline_since(const struct sparklines *lines, size_t page, double expected, double sigma, int sign)
{
    const int32_t *values = lines->values + page * lines->count;
    int64_t since = -1;
    for (size_t i = lines->count; i-- > 0;) {
        if (values[i] == SPARKLINE_UNKNOWN)
            continue;
        if (sign * (values[i] / 100.0 - expected) < sigma)
            break;
        since = lines->first_minute + (int64_t)i * lines->step_minutes;
    }
    return since;
}
