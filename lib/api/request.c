#include "api/request.h"

#include <string.h>

enum {
    ARENA_MAX_BYTES = 48 * 1024 * 1024, /* a window of a day of many pages */
    ROWS_MAX_BYTES = 40 * 1024 * 1024,  /* STORE_BATCH rows of two lists each */
};

void request_init(struct request *request)
{
    *request = (struct request){0};
    response_init(&request->response);
    arena_init(&request->arena, ARENA_MAX_BYTES);
    arena_init(&request->rows, ROWS_MAX_BYTES);
}

void request_release(struct request *request)
{
    response_release(&request->response);
    arena_release(&request->arena);
    arena_release(&request->rows);
}

void request_finish(struct request *request)
{
    const char *method = request->head.method;
    response_end(&request->response, method && strcmp(method, "HEAD") == 0);
    arena_clear(&request->arena); /* the next one of this round needs as much */
    request->state = REQUEST_DONE;
}

void request_finish_problem(struct request *request, const struct problem *problem)
{
    struct problem told = *problem;
    told.callback = params_callback(&request->head, &request->arena);
    response_problem(&request->response, request->head.id, &told);
    request_finish(request);
}

void request_finish_text(struct request *request, const char *type, const char *text)
{
    response_begin(&request->response, 200, request->head.id);
    response_header(&request->response, "Content-Type", "%s", type);
    response_header(&request->response, "Cache-Control", "no-store");
    buffer_append_text(&request->response.body, text);
    request_finish(request);
}
