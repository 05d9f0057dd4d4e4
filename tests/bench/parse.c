/* CPU of taking one answer of Chartbeat apart: parse FILE; prints the median in microseconds. */
#include "base/arena.h"
#include "upstream/toppages.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BODY_MAX_BYTES = 2 * 1024 * 1024, TIMES = 200 };

static char body[BODY_MAX_BYTES + 1];
static double took_us[TIMES];

static double cpu_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

int main(int argc, char **argv)
{
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (!file)
        return 2;
    size_t len_bytes = fread(body, 1, BODY_MAX_BYTES, file);
    fclose(file);
    const struct page_path_rules rules = {"demo.example",
                                          "utm_* fbclid gclid dclid msclkid mc_cid mc_eid igshid"};
    struct arena arena;
    arena_init(&arena, 64 * 1024 * 1024);
    for (int i = 0; i < TIMES; i++) {
        struct toppages answer;
        const char *why = NULL;
        arena_clear(&arena);
        double start_us = cpu_us();
        if (toppages_parse(body, len_bytes, &rules, &arena, &answer, &why) != STATUS_OK)
            return 1;
        took_us[i] = cpu_us() - start_us;
    }
    qsort(took_us, TIMES, sizeof *took_us, compare);
    printf("%zu %.0f\n", len_bytes, took_us[TIMES / 2]);
    return 0;
}
