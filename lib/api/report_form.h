/* The forms of the reports: which parameters each takes, and the names under which its rows are answered. */
#ifndef UPBEAT_API_REPORT_FORM_H
#define UPBEAT_API_REPORT_FORM_H

#include "http/response.h"
#include "store/reports.h"
#include <stdbool.h>

enum {
    REPORT_COLUMNS_MAX = 20,
    REPORT_LISTS_MAX = 3,
};

/* What to answer where the database knows no time zone of that name. */
#define REPORT_BAD_ZONE                                                                                      \
    {                                                                                                        \
        .status = 400, .parameter = "tz", .detail = "is not the name of a time zone",                        \
        .bound = "an IANA name, as Europe/Berlin"                                                            \
    }

/* The parameters that a kind takes beside host, key and those of all answers. */
enum report_takes {
    TAKES_PATH = 1,
    TAKES_SPAN = 2, /* from and to */
    TAKES_STEP = 4,
    TAKES_DAYS = 8,
    TAKES_ZONE = 16,
    TAKES_AT = 32,
    TAKES_EVENTS = 64, /* since, until, kind and open */
};

/* A value comes as text: a string, or what is a number or truth value as it is. */
struct report_column {
    const char *name;
    bool is_string;
};

struct report_list {
    const char *name;
    struct report_column columns[REPORT_COLUMNS_MAX];
};

/* How the rows of a report (see store/reports.h) are put into words. */
struct report_form {
    int takes;
    struct report_column members[REPORT_COLUMNS_MAX];
    struct report_list lists[REPORT_LISTS_MAX];
    int needed;            /* the member that is never null, or 0 */
    struct problem if_not; /* what to answer where it is */
};

/* Static storage. */
const struct report_form *report_form(enum report_kind kind);

#endif
