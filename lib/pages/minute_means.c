#include "pages/minute_means.h"

#include <stdlib.h>
#include <string.h>

enum { MINUTE_MS = 60000 };

/* The sums of one page in the current minute. */
struct sum {
    int64_t visitors, cutoffs; /* over the samples that list it */
    bool is_listed;
};

struct minutes {
    struct trend_minute *ended;
    size_t count, capacity;
    int64_t minute; /* the current minute */
    int32_t samples;
    int64_t cutoff_sum;
    struct sum *sums; /* by page */
    size_t page_capacity;
    uint32_t *pages; /* the pages that samples of the current minute list */
    size_t page_count;
};

struct minutes *minutes_new(void)
{
    return calloc(1, sizeof(struct minutes));
}

static void forget_first(struct minutes *minutes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(minutes->ended[i].entries);
    minutes->count -= count;
    if (minutes->count > 0)
        memmove(minutes->ended, minutes->ended + count, minutes->count * sizeof *minutes->ended);
}

void minutes_free(struct minutes *minutes)
{
    if (!minutes)
        return;
    forget_first(minutes, minutes->count);
    free(minutes->ended);
    free(minutes->sums);
    free(minutes->pages);
    free(minutes);
}

static bool make_room(struct minutes *minutes, const struct trend_sample *sample)
{
    size_t pages = 0;
    for (size_t i = 0; i < sample->count; i++) {
        if (sample->entries[i].page >= pages)
            pages = (size_t)sample->entries[i].page + 1;
    }
    if (pages <= minutes->page_capacity)
        return true;
    pages += pages / 2 + 64;
    struct sum *sums = realloc(minutes->sums, pages * sizeof *sums);
    if (!sums)
        return false;
    minutes->sums = sums;
    uint32_t *listed = realloc(minutes->pages, pages * sizeof *listed);
    if (!listed)
        return false;
    minutes->pages = listed;
    memset(sums + minutes->page_capacity, 0, (pages - minutes->page_capacity) * sizeof *sums);
    minutes->page_capacity = pages;
    return true;
}

enum status minutes_end(struct minutes *minutes)
{
    if (minutes->samples == 0)
        return STATUS_OK;
    if (minutes->count == minutes->capacity) {
        size_t capacity = 2 * minutes->capacity + 64;
        struct trend_minute *ended = realloc(minutes->ended, capacity * sizeof *ended);
        if (!ended)
            return STATUS_NO_MEMORY;
        minutes->ended = ended;
        minutes->capacity = capacity;
    }
    struct trend_entry *entries = malloc((minutes->page_count + 1) * sizeof *entries);
    if (!entries)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < minutes->page_count; i++) {
        struct sum *sum = &minutes->sums[minutes->pages[i]];
        entries[i] = (struct trend_entry){
            minutes->pages[i],
            trend_mean(sum->visitors, minutes->cutoff_sum - sum->cutoffs, minutes->samples)};
        *sum = (struct sum){0};
    }
    minutes->ended[minutes->count++] = (struct trend_minute){
        .minute = minutes->minute,
        .samples = minutes->samples,
        .cutoff = trend_mean(0, minutes->cutoff_sum, minutes->samples),
        .count = minutes->page_count,
        .entries = entries,
    };
    minutes->samples = 0;
    minutes->cutoff_sum = 0;
    minutes->page_count = 0;
    return STATUS_OK;
}

enum status minutes_add(struct minutes *minutes, const struct trend_sample *sample)
{
    int64_t minute = sample->at_ms / MINUTE_MS;
    enum status result = STATUS_OK;
    if (minute < minutes->minute)
        return STATUS_INVALID;
    if (minute > minutes->minute)
        result = minutes_end(minutes);
    if (result != STATUS_OK || !make_room(minutes, sample))
        return STATUS_NO_MEMORY;
    int32_t cutoff = trend_cutoff(sample);
    for (size_t i = 0; i < sample->count; i++) {
        struct sum *sum = &minutes->sums[sample->entries[i].page];
        if (!sum->is_listed)
            minutes->pages[minutes->page_count++] = sample->entries[i].page;
        sum->is_listed = true;
        sum->visitors += sample->entries[i].visitors;
        sum->cutoffs += cutoff;
    }
    minutes->minute = minute;
    minutes->samples++;
    minutes->cutoff_sum += cutoff;
    return STATUS_OK;
}

void minutes_forget(struct minutes *minutes, int64_t minute)
{
    size_t count = 0;
    while (count < minutes->count && minutes->ended[count].minute < minute)
        count++;
    forget_first(minutes, count);
}

const struct trend_minute *minutes_list(const struct minutes *minutes, size_t *count_r)
{
    *count_r = minutes->count;
    return minutes->ended;
}
