/* The parameters of a request, parsed and checked before anything is looked up. */
#ifndef UPBEAT_HTTP_PARAMS_H
#define UPBEAT_HTTP_PARAMS_H

#include "base/arena.h"
#include "base/secret_box.h"
#include "base/status.h"
#include "base/token.h"
#include "base/validate.h"
#include "http/query.h"
#include "http/response.h"
#include <stdbool.h>
#include <stdint.h>

/* The request as the web server passed it on. A member is NULL if the request does not have it. The caller
 * owns the strings. */
struct request_head {
    const char *method;
    const char *path;  /* decoded */
    const char *query; /* not decoded */
    const char *key;   /* X-CB-AK */
    const char *token; /* a view token in Authorization: Bearer */
    const char *origin;
    const char *accept;
    const char *if_none_match;
    const char *if_modified_since; /* only where there is a standby */
    const char *asked_headers;     /* Access-Control-Request-Headers */
    const char *id;
    const char *drop_parameters; /* of the settings, see struct page_path_rules; NULL: none */
    bool is_behind_cache; /* a cache in front keeps a copy of the answer: nginx's, by X-Accel-Expires */
    int64_t now_ms;       /* wall clock when the answer is written; used only where is_behind_cache */
};

enum request_format { FORMAT_JSON, FORMAT_CSV, FORMAT_ATOM, FORMAT_HTML };

enum {
    LIMIT_MAX = 10000, /* rows of an answer */
    CALLBACK_MAX_BYTES = 64,
    REQUEST_NO_HOST = 0, /* as host_status: there is no such parameter */
};

struct request_params {
    char host[HOST_MAX_BYTES + 1];
    const char *key; /* owned by the input or the arena */
    bool is_token;   /* it is a view token of ours, of good form */
    struct digest digest;
    int limit;       /* LIMIT_MAX where not given */
    unsigned fields; /* bits of enum token_field: what the token sees of a row; 0: all */
    bool has_rank;   /* rows of the list have their rank, which is all that a box says of numbers */
    enum request_format format;
    bool has_bom;                 /* CSV begins with a UTF-8 mark, by which Excel knows its encoding */
    const char *callback;         /* of JSONP; NULL: none. Owned by the arena. */
    const char *cache_key_suffix; /* in words, what else makes the answer what it is; "": nothing. Static or
                                     the arena's. */
    const char *drop_parameters;  /* as in the head, never NULL */
    struct query query;           /* all parameters, for what an endpoint has of its own */
};

/* Reads key, host, limit, format, bom and callback. The key is taken from the header, else from
 * Authorization, else from the parameter `apikey`; a view token may stand in each place. Without a good one
 * the answer is 401. host_status: what to answer where the host is missing or malformed (401 is the old
 * contract, 400 that of newer endpoints), or REQUEST_NO_HOST, which leaves host empty. On STATUS_INVALID
 * *problem_r says what to answer (its strings are static or owned by the arena) and *params_r is undefined.
 * STATUS_NO_MEMORY, STATUS_FAILED.
 */
enum status params_read(const struct request_head *input, int host_status, struct arena *arena,
                        struct request_params *params_r, struct problem *problem_r) MUST_CHECK;

/* Is a field of this name seen? All are, but for a token that is bound to others. */
bool params_sees(const struct request_params *params, const char *name);

/* The function that a JSONP answer to this request calls, be it a list or an error: the one good name in
 * callback or jsonp of a GET or HEAD that does not ask for another format. NULL: there is none, or no memory.
 * Owned by the arena. */
const char *params_callback(const struct request_head *input, struct arena *arena);

/* Refuses a parameter: fills *problem_r and returns STATUS_INVALID. `why` and `bound` are static. */
enum status params_refuse(const struct query_parameter *parameter, const char *why, const char *bound,
                          struct arena *arena, struct problem *problem_r) MUST_CHECK;

#endif
