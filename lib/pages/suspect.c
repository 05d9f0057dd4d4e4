#include "pages/suspect.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    SIZES = 64,
    SIZE_MS = 10000, /* at least, between two */
    SPAN_MS = 600000,
    FORGET_MS = 1800000,
};

static const double SHARE = 0.4;
static const double NOISE = 4;

/* Of one sample. */
struct size {
    int64_t at_ms;
    double rows, total;
};

struct suspect {
    int64_t at_ms;               /* of the newest sample, INT64_MIN: none */
    int64_t since_ms;            /* of the first suspect one, 0: the newest is good */
    struct size before;          /* of the newest good one */
    struct trend_entry *entries; /* its pages, by number */
    size_t count, capacity;
    struct size sizes[SIZES]; /* a ring of good ones */
    int newest, size_count;
};

struct suspect *suspect_new(void)
{
    struct suspect *suspect = calloc(1, sizeof *suspect);
    if (suspect)
        suspect->at_ms = INT64_MIN;
    return suspect;
}

void suspect_free(struct suspect *suspect)
{
    if (!suspect)
        return;
    free(suspect->entries);
    free(suspect);
}

static int by_page(const void *left, const void *right)
{
    const struct trend_entry *a = left;
    const struct trend_entry *b = right;
    return (a->page > b->page) - (a->page < b->page);
}

static int by_value(const void *left, const void *right)
{
    const double *a = left;
    const double *b = right;
    return (*a > *b) - (*a < *b);
}

static struct size size_of(const struct trend_sample *sample)
{
    struct size size = {.at_ms = sample->at_ms};
    for (size_t i = 0; i < sample->count; i++) {
        size.rows += sample->entries[i].visitors > 0;
        size.total += sample->entries[i].visitors;
    }
    return size;
}

static enum status keep(struct suspect *suspect, const struct trend_sample *sample, const struct size *size)
{
    if (sample->count > suspect->capacity) {
        struct trend_entry *entries = realloc(suspect->entries, sample->count * sizeof *entries);
        if (!entries)
            return STATUS_NO_MEMORY;
        suspect->entries = entries;
        suspect->capacity = sample->count;
    }
    if (sample->count > 0)
        memcpy(suspect->entries, sample->entries, sample->count * sizeof *suspect->entries);
    suspect->count = sample->count;
    suspect->before = *size;
    if (suspect->size_count > 0 && size->at_ms - suspect->sizes[suspect->newest].at_ms < SIZE_MS)
        return STATUS_OK;
    suspect->newest = (suspect->newest + 1) % SIZES;
    suspect->sizes[suspect->newest] = *size;
    suspect->size_count += suspect->size_count < SIZES;
    return STATUS_OK;
}

/* Of the good samples within the 10 minutes before the newest of them. */
static struct size median_size(const struct suspect *suspect)
{
    double rows[SIZES] = {0};
    double totals[SIZES] = {0};
    size_t count = 0;
    for (int i = 0; i < suspect->size_count; i++) {
        const struct size *size = &suspect->sizes[(suspect->newest - i + SIZES) % SIZES];
        if (suspect->before.at_ms - size->at_ms > SPAN_MS)
            break;
        rows[count] = size->rows;
        totals[count++] = size->total;
    }
    qsort(rows, count, sizeof *rows, by_value);
    qsort(totals, count, sizeof *totals, by_value);
    return (struct size){suspect->before.at_ms, rows[count / 2], totals[count / 2]};
}

static bool has_dropped(double now, double before, double usual)
{
    return now < SHARE * before && before - now > NOISE * sqrt(before) && now < SHARE * usual &&
           usual - now > NOISE * sqrt(usual);
}

/* A page that a full list does not hold has at most its cut-off. */
static bool is_across_most_pages(struct suspect *suspect, const struct trend_sample *sample)
{
    size_t dropped = 0;
    size_t stood = 0;
    int32_t cutoff = trend_cutoff(sample);
    qsort(suspect->entries, suspect->count, sizeof *suspect->entries, by_page);
    size_t held = 0;
    for (size_t i = 0; i < suspect->count; i++)
        stood += suspect->entries[i].visitors > 0 && cutoff < SHARE * suspect->entries[i].visitors;
    for (size_t i = 0; i < sample->count; i++) {
        const struct trend_entry *before = suspect->count == 0
                                               ? NULL
                                               : bsearch(&sample->entries[i], suspect->entries,
                                                         suspect->count, sizeof *suspect->entries, by_page);
        held += before && before->visitors > 0 && cutoff < SHARE * before->visitors &&
                sample->entries[i].visitors >= SHARE * before->visitors;
    }
    dropped = stood - held;
    return 2 * dropped > stood;
}

static bool is_suspect(struct suspect *suspect, const struct trend_sample *sample, const struct size *size)
{
    if (suspect->size_count == 0)
        return false;
    struct size usual = median_size(suspect);
    return (has_dropped(size->total, suspect->before.total, usual.total) ||
            has_dropped(size->rows, suspect->before.rows, usual.rows)) &&
           is_across_most_pages(suspect, sample);
}

enum status suspect_look(struct suspect *suspect, const struct trend_sample *sample,
                         enum suspect_verdict *verdict_r, int64_t *since_ms_r)
{
    struct size size = size_of(sample);
    enum suspect_verdict verdict = SUSPECT_NO;
    if (sample->at_ms <= suspect->at_ms)
        return STATUS_INVALID;
    if (suspect->at_ms != INT64_MIN && sample->at_ms - suspect->at_ms > FORGET_MS) {
        suspect->size_count = 0;
        suspect->since_ms = 0;
    }
    int64_t since_ms = suspect->since_ms;
    if (is_suspect(suspect, sample, &size)) {
        verdict = SUSPECT_YES;
        if (since_ms == 0)
            since_ms = sample->at_ms;
        if (sample->at_ms - since_ms >= SPAN_MS && size.total > 0) {
            verdict = SUSPECT_UNDONE;
            suspect->size_count = 0;
        }
    }
    enum status result = verdict == SUSPECT_YES ? STATUS_OK : keep(suspect, sample, &size);
    if (result != STATUS_OK)
        return result;
    suspect->at_ms = sample->at_ms;
    suspect->since_ms = verdict == SUSPECT_YES ? since_ms : 0;
    *verdict_r = verdict;
    if (verdict != SUSPECT_NO)
        *since_ms_r = since_ms;
    return STATUS_OK;
}
