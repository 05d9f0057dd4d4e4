/* What an answer amounts to: the first byte chooses the status, the second the headers, the rest is the body.
 */
#include "fuzz.h"

#include "upstream/answer_kind.h"

enum { ARENA_MAX_BYTES = 8 * 1024 * 1024, WHY_MAX_BYTES = 400 };

static void check(enum answer_kind kind, const struct answer *answer, const struct toppages *toppages,
                  const struct buffer *why)
{
    bool is_list = kind == ANSWER_LIST || kind == ANSWER_QUIET;
    MUST_HOLD(!is_list || answer->status == 200);
    MUST_HOLD((kind == ANSWER_LIST) == (toppages->pages.count > 0));
    MUST_HOLD(is_list == (why->len_bytes == 0) && why->status == STATUS_OK);
    MUST_HOLD(kind != ANSWER_REFUSED || answer->status == 401 || answer->status == 403);
    MUST_HOLD(kind != ANSWER_REFUSED || answer->body_bytes == 0 || answer->body[0] != '<');
    MUST_HOLD(kind != ANSWER_LIMITED || answer->status == 429 || answer->has_retry_after ||
              answer->rate_remaining == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    static const int statuses[] = {200, 401, 403, 429, 204, 301, 404, 500, 503};
    static const char *const types[] = {NULL, "application/json", "text/html; charset=utf-8", "text/plain"};
    static const struct page_path_rules rules = {"demo.example", "utm_*"};
    if (len_bytes < 2)
        return 0;
    char *body = malloc(len_bytes > 2 ? len_bytes - 2 : 1);
    if (!body)
        abort();
    memcpy(body, data + 2, len_bytes - 2);
    const struct answer answer = {
        .status = statuses[data[0] % (sizeof statuses / sizeof *statuses)],
        .has_retry_after = data[1] & 1,
        .rate_remaining = data[1] & 2 ? 0 : -1,
        .content_type = types[data[1] >> 2 & 3],
        .body = body,
        .body_bytes = len_bytes - 2,
    };
    struct arena arena;
    struct buffer why;
    struct toppages toppages = {0};
    arena_init(&arena, ARENA_MAX_BYTES);
    buffer_init(&why, WHY_MAX_BYTES);
    check(answer_kind_of(&answer, &rules, &arena, &toppages, &why), &answer, &toppages, &why);
    buffer_release(&why);
    arena_release(&arena);
    free(body);
    return 0;
}
