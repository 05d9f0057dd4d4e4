/* Everything that a client chooses: lines with the query, the key, Accept and If-None-Match. */
#include "fuzz.h"

#include "base/utf8.h"
#include "http/params.h"

#include <cjson/cJSON.h>

/* Whatever is refused, the answer is one that a client can read. */
static void check_problem(const struct problem *problem)
{
    struct response response;
    response_init(&response);
    response_problem(&response, "id", problem);
    MUST_HOLD(problem->status == 400 || problem->status == 401);
    MUST_HOLD(problem->detail && problem->parameter && problem->bound);
    MUST_HOLD(utf8_valid(response.body.data, response.body.len_bytes));
    const char *end = NULL;
    cJSON *body = cJSON_ParseWithOpts(response.body.data, &end, 0);
    MUST_HOLD(body && strcmp(end, "\n") == 0);
    const cJSON *sent = cJSON_GetObjectItemCaseSensitive(body, "sent");
    MUST_HOLD(!problem->sent || strcmp(sent->valuestring, problem->sent) == 0);
    cJSON_Delete(body);
    response_end(&response, false);
    MUST_HOLD(strstr(response.head.data, "\r\n\r\n") == response.head.data + response.head.len_bytes - 4);
    response_release(&response);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    char *text = fuzz_text(data, len_bytes);
    char *lines[4] = {text, NULL, NULL, NULL};
    for (size_t i = 1; i < 4 && lines[i - 1]; i++) {
        lines[i] = strchr(lines[i - 1], '\n');
        if (lines[i])
            *lines[i]++ = '\0';
    }
    struct arena arena;
    struct request_params request;
    struct problem problem = {0};
    struct request_head input = {
        .query = lines[0], .key = lines[1], .accept = lines[2], .if_none_match = lines[3]};
    arena_init(&arena, 1 << 20);
    enum status result = params_read(&input, 401, &arena, &request, &problem);
    MUST_HOLD(result == STATUS_OK || result == STATUS_INVALID);
    if (result == STATUS_INVALID) {
        check_problem(&problem);
    } else {
        const char *why = NULL;
        char host[HOST_MAX_BYTES + 1];
        MUST_HOLD(validate_host(request.host, strlen(request.host), host, &why) == STATUS_OK);
        MUST_HOLD(strcmp(host, request.host) == 0);
        MUST_HOLD(validate_key(request.key, strlen(request.key), &why) == STATUS_OK);
        MUST_HOLD(request.limit >= 1 && request.limit <= LIMIT_MAX);
        MUST_HOLD(!request.callback || (request.format == FORMAT_JSON && request.callback[0] &&
                                        strlen(request.callback) <= CALLBACK_MAX_BYTES &&
                                        !strpbrk(request.callback, "()<>;'\" \t\r\n/")));
    }
    arena_release(&arena);
    free(text);
    return 0;
}
