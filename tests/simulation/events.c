/* The event rules against whole days of which the truth is known: prints a table, and ends with 1 where a
 * demand is not met. Seeded: the same figures each time.
 *
 *   events [--days N] [--seed N] [--curve]
 *
 * --curve: precision against recall for other values of min_score, in place of the table. */
#include "day.h"
#include "pages/event_rules.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DAYS = 4, /* of each row, where nobody says */
    DELAYS_MAX = 100000,
    LATE_S = 3600,  /* a rise that is told so late is missed */
    AFTER_S = 1800, /* so long after its end a rise may still be told again */
    TOLD_MAX = 4096,
};

static const double GREY_GROWTH = 1.2; /* a rise that does not count, and is no false alarm either */

struct told {
    int page;
    double at_s;
};

struct tally {
    double counted, found, wrong, doubled, grey, falls, days;
    int delay_count;
    double delays[DELAYS_MAX];
};

struct day_of_events {
    struct event_rules *rules;
    struct told told[TOLD_MAX];
    int told_count, falls;
    bool is_well;
};

static void note_event(const struct event *event, enum event_step step, void *context)
{
    struct day_of_events *day = context;
    if (step != EVENT_BEGAN)
        return;
    day->falls += event->kind == EVENT_FALL;
    if ((event->kind == EVENT_RISE || event->kind == EVENT_TAKEOFF) && day->told_count < TOLD_MAX)
        day->told[day->told_count++] = (struct told){(int)event->page, (double)event->began_ms / 1000};
}

static void see(const struct trend_sample *sample, void *context)
{
    struct day_of_events *day = context;
    const struct event_sample given = {.list = sample, .usual_low = NAN, .usual_high = NAN};
    day->is_well = day->is_well && event_rules_look(day->rules, &given) == STATUS_OK;
}

static void judge_told(const struct day *truth, const struct told *told, bool *found, struct tally *tally)
{
    int best = -1;
    bool is_grey = false;
    for (int i = 0; i < truth->rise_count; i++) {
        const struct day_rise *rise = &truth->rises[i];
        if (rise->page != told->page || told->at_s < rise->at_s || told->at_s > rise->until_s + AFTER_S)
            continue;
        is_grey = is_grey || rise->growth >= GREY_GROWTH;
        if (rise->counts && (best < 0 || rise->at_s > truth->rises[best].at_s))
            best = i;
    }
    if (best < 0) {
        *(is_grey ? &tally->grey : &tally->wrong) += 1;
        return;
    }
    double delay_s = told->at_s - truth->rises[best].at_s;
    if (found[best]) {
        tally->doubled++;
    } else if (delay_s <= LATE_S && tally->delay_count < DELAYS_MAX) {
        tally->found++;
        tally->delays[tally->delay_count++] = delay_s;
        found[best] = true;
    }
}

static bool run(const struct day_options *options, double min_score, struct tally *tally)
{
    static struct day truth;
    static struct day_of_events day;
    const struct event_bounds bounds = {.min_score = min_score};
    bool found[DAY_RISES_MAX] = {false};
    day = (struct day_of_events){.is_well = true};
    day.rules = event_rules_new(&bounds, note_event, &day);
    if (!day.rules)
        return false;
    day_run(options, see, &day, &truth);
    event_rules_free(day.rules);
    for (int i = 0; i < day.told_count; i++)
        judge_told(&truth, &day.told[i], found, tally);
    for (int i = 0; i < truth.rise_count; i++)
        tally->counted += truth.rises[i].counts;
    tally->falls += day.falls;
    tally->days++;
    return day.is_well && day.told_count < TOLD_MAX;
}

static int by_value(const void *left, const void *right)
{
    const double *a = left;
    const double *b = right;
    return (*a > *b) - (*a < *b);
}

/* Prints a line; false: a demand is not met. */
static bool judge(const char *name, struct tally *t, bool is_asked)
{
    qsort(t->delays, (size_t)t->delay_count, sizeof *t->delays, by_value);
    double median = t->delay_count > 0 ? t->delays[t->delay_count / 2] : 0;
    double slow = t->delay_count > 0 ? t->delays[t->delay_count * 9 / 10] : 0;
    double precision = t->found + t->wrong > 0 ? t->found / (t->found + t->wrong) : 1;
    double recall = t->counted > 0 ? t->found / t->counted : 1;
    bool is_met = precision >= .97 && recall >= .95 && t->wrong <= t->days && t->doubled <= t->days / 2 &&
                  median <= 215 && slow <= 460;
    printf("| %s | %.0f | %.3f | %.3f | %.2f | %.2f | %.0f | %.0f | %.1f | %.1f | %s |\n", name, t->days,
           precision, recall, t->wrong / t->days, t->doubled / t->days, median, slow, t->grey / t->days,
           t->falls / t->days,
           !is_asked ? ""
           : is_met  ? "met"
                     : "NOT MET");
    fflush(stdout);
    return is_met || !is_asked;
}

static struct day_options options_of(int row, uint64_t seed)
{
    struct day_options o = day_options(seed);
    switch (row) {
    case 1:
        o.flicker = .10;
        o.tide_depth = .9;
        o.tide_peak_hour = 11;
        break;
    case 2:
        o.shared = 0;
        break;
    case 3:
        o.flicker = .20;
        break;
    case 4:
        o.cadence_s = 15;
        o.tide_second = .6;
        break;
    case 5:
        o.cadence_s = 60;
        break;
    case 6:
        o.stay_s = 180;
        break;
    case 7:
        o.stay_s = 300;
        break;
    default:
        break;
    }
    return o;
}

static const struct row {
    const char *name;
    bool is_asked; /* the others say what other sites do to it */
    bool is_short; /* shown where nobody asks for more days */
} ROWS[] = {
    {"as alerts are asked of", true, true},
    {"10 % flicker, a deep tide", true, true},
    {"no flicker shared", false, true},
    {"20 % flicker", false, false},
    {"a sample every 15 s, two tides", false, true},
    {"a sample every 60 s", false, false},
    {"stays of 3 minutes", false, false},
    {"stays of 5 minutes", false, false},
};

static const char *const HEADER =
    "| | days | precision | recall | false a day | doubled a day | median delay, s | 90th percentile, s | "
    "others that rise, a day | falls a day | demand |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | "
    "---: | ---: | "
    "---: | --- |";

static bool run_row(int row, const char *name, int days, uint64_t seed, double min_score, bool is_asked)
{
    static struct tally tally;
    tally = (struct tally){0};
    for (int n = 0; n < days; n++) {
        const struct day_options options = options_of(row, seed + 1000 * (uint64_t)row + (uint64_t)n);
        if (!run(&options, min_score, &tally)) {
            printf("%s: day %d failed\n", name, n);
            return false;
        }
    }
    return judge(name, &tally, is_asked);
}

int main(int argc, char **argv)
{
    static const struct option names[] = {{"days", required_argument, NULL, 'd'},
                                          {"seed", required_argument, NULL, 's'},
                                          {"curve", no_argument, NULL, 'c'},
                                          {0}};
    int days = 0;
    uint64_t seed = 7000000;
    bool is_curve = false;
    bool is_met = true;
    for (int option = 0; (option = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (option == '?')
            return 2;
        if (option == 'c')
            is_curve = true;
        else if (option == 's')
            seed = strtoull(optarg, NULL, 10);
        else
            days = (int)strtol(optarg, NULL, 10);
    }
    puts(HEADER);
    for (int i = 0; is_curve && i < 9; i++) {
        char name[32];
        double min_score = 4 + .5 * i;
        snprintf(name, sizeof name, "min_score %.1f", min_score);
        is_met = run_row(0, name, days > 0 ? days : DAYS, seed, min_score, false) && is_met;
    }
    for (size_t i = 0; !is_curve && i < sizeof ROWS / sizeof *ROWS; i++) {
        if (days > 0 || ROWS[i].is_short)
            is_met = run_row((int)i, ROWS[i].name, days > 0 ? days : DAYS, seed, EVENT_MIN_SCORE,
                             ROWS[i].is_asked) &&
                     is_met;
    }
    return is_met ? EXIT_SUCCESS : EXIT_FAILURE;
}
