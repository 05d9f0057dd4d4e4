#include "exchange.h"

#include <string.h>

enum {
    ARENA_MAX_BYTES = 48 * 1024 * 1024, /* a window of a day of many pages */
    ROWS_MAX_BYTES = 40 * 1024 * 1024,  /* STORE_BATCH rows of two lists each */
};

void exchange_init(struct exchange *exchange)
{
    *exchange = (struct exchange){0};
    response_init(&exchange->response);
    arena_init(&exchange->arena, ARENA_MAX_BYTES);
    arena_init(&exchange->rows, ROWS_MAX_BYTES);
}

void exchange_release(struct exchange *exchange)
{
    response_release(&exchange->response);
    arena_release(&exchange->arena);
    arena_release(&exchange->rows);
}

void exchange_finish(struct exchange *exchange)
{
    const char *method = exchange->input.method;
    response_end(&exchange->response, method && strcmp(method, "HEAD") == 0);
    arena_clear(&exchange->arena); /* the next one of this round needs as much */
    exchange->state = EXCHANGE_DONE;
}

void exchange_finish_problem(struct exchange *exchange, const struct problem *problem)
{
    response_problem(&exchange->response, exchange->input.id, problem);
    exchange_finish(exchange);
}

void exchange_finish_text(struct exchange *exchange, const char *type, const char *text)
{
    response_begin(&exchange->response, 200, exchange->input.id);
    response_header(&exchange->response, "Content-Type", "%s", type);
    response_header(&exchange->response, "Cache-Control", "no-store");
    buffer_append_text(&exchange->response.body, text);
    exchange_finish(exchange);
}
