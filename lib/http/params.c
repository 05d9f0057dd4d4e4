#include "http/params.h"

#include "base/utf8.h"
#include "http/conditional.h"

enum { SENT_MAX_BYTES = 100 };

/* The start of the value that was sent, for the answer to show; NULL where memory has run out: the answer
 * then does without it. */
static const char *sent(const struct query_parameter *parameter, struct arena *arena)
{
    return arena_copy(arena, parameter->value,
                      utf8_cut(parameter->value, parameter->value_bytes, SENT_MAX_BYTES));
}

static enum status read_key(const struct request_head *input, const struct query *query, struct arena *arena,
                            struct request_params *params, struct problem *problem)
{
    static const char bound[] =
        "8 to 128 characters of A-Z a-z 0-9 _ -, in the header X-CB-AK or the parameter apikey";
    const struct query_parameter *parameter = query_find(query, "apikey");
    const char *why = "is missing";
    params->key = input->key && *input->key       ? input->key
                  : input->token && *input->token ? input->token
                  : parameter                     ? parameter->value
                                                  : NULL;
    params->is_token = params->key && token_has_mark(params->key);
    params->fields = 0;
    params->has_rank = false;
    if (params->is_token && token_check(params->key, strlen(params->key), &why) != STATUS_OK) {
        *problem = problem_token(why);
        return STATUS_INVALID;
    }
    if (params->key && validate_key(params->key, strlen(params->key), &why) == STATUS_OK)
        return secret_box_digest(params->key, strlen(params->key), &params->digest);
    if (params->key) {
        char fault[KEY_FAULT_BYTES];
        validate_key_fault(params->key, strlen(params->key), fault);
        why = arena_copy(arena, fault, strlen(fault));
    }
    *problem = (struct problem){.status = 401, .parameter = "apikey", .bound = bound, .detail = why};
    return STATUS_INVALID;
}

static enum status read_host(const struct query *query, int host_status, struct arena *arena,
                             struct request_params *params, struct problem *problem)
{
    static const char bound[] =
        "a host name: letters, digits, dots and hyphens, maybe with a name and @ in front; at most 253 bytes";
    const struct query_parameter *parameter = query_find(query, "host");
    const char *why = "is missing";
    params->host[0] = '\0';
    if (host_status == REQUEST_NO_HOST)
        return STATUS_OK;
    if (parameter && validate_host(parameter->value, parameter->value_bytes, params->host, &why) == STATUS_OK)
        return STATUS_OK;
    *problem = (struct problem){.status = host_status, .parameter = "host", .bound = bound, .detail = why};
    if (parameter)
        problem->sent = sent(parameter, arena);
    return STATUS_INVALID;
}

enum status params_refuse(const struct query_parameter *parameter, const char *why, const char *bound,
                          struct arena *arena, struct problem *problem_r)
{
    *problem_r = (struct problem){.status = 400,
                                  .parameter = parameter->name,
                                  .bound = bound,
                                  .detail = why,
                                  .sent = sent(parameter, arena)};
    return STATUS_INVALID;
}

static enum status read_limit(const struct query *query, struct arena *arena, struct request_params *params,
                              struct problem *problem)
{
    const struct query_parameter *parameter = query_find(query, "limit");
    params->limit = LIMIT_MAX;
    if (!parameter)
        return STATUS_OK;
    int number = 0;
    for (size_t i = 0; i < parameter->value_bytes && number >= 0; i++) {
        char c = parameter->value[i];
        number = c >= '0' && c <= '9' && number <= LIMIT_MAX ? number * 10 + (c - '0') : -1;
    }
    if (number < 1 || number > LIMIT_MAX)
        return params_refuse(parameter, "is not such a number", "a whole number from 1 to 10000", arena,
                             problem);
    params->limit = number;
    return STATUS_OK;
}

static bool is_name_byte(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' ||
           (!first && c >= '0' && c <= '9');
}

/* Accepts names joined by dots, so that a callback can only be a reference to a function, never a call. */
static bool is_callback(const char *text, size_t len_bytes)
{
    bool first = true;
    for (size_t i = 0; i < len_bytes; i++) {
        if (text[i] == '.' && !first)
            first = true;
        else if (is_name_byte(text[i], first))
            first = false;
        else
            return false;
    }
    return !first && len_bytes <= CALLBACK_MAX_BYTES;
}

static enum status read_callback(const struct query *query, struct arena *arena,
                                 struct request_params *params, struct problem *problem)
{
    const struct query_parameter *parameter = query_find(query, "callback");
    const struct query_parameter *other = query_find(query, "jsonp");
    params->callback = NULL;
    if (parameter && other)
        return params_refuse(other, "is given together with callback: they are the same",
                             "one of jsonp and callback", arena, problem);
    if (!parameter)
        parameter = other;
    if (!parameter)
        return STATUS_OK;
    if (!is_callback(parameter->value, parameter->value_bytes))
        return params_refuse(parameter, "is not the name of a function",
                             "names of letters, digits, _ and $, joined by dots, at most 64 bytes", arena,
                             problem);
    params->callback = parameter->value;
    return STATUS_OK;
}

/* Events alone are such as a feed has. */
static bool has_feed(const struct request_head *input)
{
    return input->path && strcmp(input->path, "/api/v1.0/events") == 0;
}

/* The list alone is for pages without script. */
static bool has_html(const struct request_head *input)
{
    return input->path && strcmp(input->path, "/api/v1.0/increasingconcurrents") == 0;
}

static enum status read_format(const struct request_head *input, const struct query *query,
                               struct arena *arena, struct request_params *params, struct problem *problem)
{
    const struct query_parameter *parameter = query_find(query, "format");
    params->format = FORMAT_JSON;
    static const struct media_offer offers[] = {
        [FORMAT_JSON] = {"application/json", "charset=utf-8"},
        [FORMAT_CSV] = {"text/csv", "charset=utf-8;header=present"},
    };
    if (!parameter) {
        if (!params->callback)
            params->format =
                (enum request_format)accept_choose(input->accept, offers, sizeof offers / sizeof *offers);
        return STATUS_OK;
    }
    if (strcmp(parameter->value, "csv") == 0)
        params->format = FORMAT_CSV;
    else if (strcmp(parameter->value, "atom") == 0 && has_feed(input))
        params->format = FORMAT_ATOM;
    else if (strcmp(parameter->value, "html") == 0 && has_html(input))
        params->format = FORMAT_HTML;
    else if (strcmp(parameter->value, "json") != 0)
        return params_refuse(parameter, "is not a format",
                             has_feed(input)   ? "json, csv or atom"
                             : has_html(input) ? "json, csv or html"
                                               : "json or csv",
                             arena, problem);
    if (params->callback && params->format != FORMAT_JSON)
        return params_refuse(parameter, "is given together with a callback", "json where there is a callback",
                             arena, problem);
    return STATUS_OK;
}

static enum status read_bom(const struct query *query, struct arena *arena, struct request_params *params,
                            struct problem *problem)
{
    const struct query_parameter *parameter = query_find(query, "bom");
    params->has_bom = parameter && params->format == FORMAT_CSV && strcmp(parameter->value, "1") == 0;
    if (!parameter || strcmp(parameter->value, "0") == 0 || strcmp(parameter->value, "1") == 0)
        return STATUS_OK;
    return params_refuse(parameter, "is neither 0 nor 1", "1 for a UTF-8 mark in front of CSV, or 0", arena,
                         problem);
}

/* Somebody may have put a key where a name belongs: keys of Chartbeat have digits. */
static bool may_be_shown(const char *name)
{
    size_t len_bytes = strlen(name);
    return len_bytes > 0 &&
           (len_bytes < KEY_MIN_BYTES || strspn(name, "abcdefghijklmnopqrstuvwxyz_") == len_bytes) &&
           len_bytes <= SENT_MAX_BYTES;
}

static void refuse_query(const struct query *query, const char *why, struct problem *problem)
{
    /* The text is not shown, because a key may be in it. */
    *problem =
        (struct problem){.status = 400,
                         .parameter = "query",
                         .detail = why,
                         .bound = "at most 32 parameters in 8192 bytes of percent-encoded UTF-8, each once"};
    if (query->twice && may_be_shown(query->twice)) {
        problem->parameter = query->twice;
        problem->detail = "is given twice";
        problem->bound = "each parameter once";
    }
}

bool params_sees(const struct request_params *params, const char *name)
{
    unsigned bit = token_field_of(name, strlen(name));
    return params->fields == 0 || bit == 0 || (params->fields & bit) != 0;
}

const char *params_callback(const struct request_head *input, struct arena *arena)
{
    struct query query;
    const char *why = NULL;
    const char *method = input->method ? input->method : "";
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return NULL;
    enum status result = query_parse(input->query ? input->query : "", arena, &query, &why);
    if (result == STATUS_NO_MEMORY)
        return NULL;
    const struct query_parameter *callback = query_find(&query, "callback");
    const struct query_parameter *jsonp = query_find(&query, "jsonp");
    const struct query_parameter *format = query_find(&query, "format");
    bool is_doubled =
        query.twice && (strcmp(query.twice, "callback") == 0 || strcmp(query.twice, "jsonp") == 0);
    bool is_other_form = format && (strcmp(format->value, "csv") == 0 || strcmp(format->value, "html") == 0);
    if ((callback && jsonp) || is_doubled || is_other_form)
        return NULL;
    const struct query_parameter *one = callback ? callback : jsonp;
    return one && is_callback(one->value, one->value_bytes) ? one->value : NULL;
}

enum status params_read(const struct request_head *input, int host_status, struct arena *arena,
                        struct request_params *params_r, struct problem *problem_r)
{
    struct query *query = &params_r->query;
    params_r->cache_key_suffix = "";
    params_r->drop_parameters = input->drop_parameters ? input->drop_parameters : "";
    const char *why = NULL;
    enum status result = query_parse(input->query ? input->query : "", arena, query, &why);
    if (result != STATUS_OK && result != STATUS_NO_MEMORY) {
        refuse_query(query, why, problem_r);
        return STATUS_INVALID;
    }
    if (result == STATUS_OK)
        result = read_key(input, query, arena, params_r, problem_r);
    if (result == STATUS_OK)
        result = read_host(query, host_status, arena, params_r, problem_r);
    if (result == STATUS_OK)
        result = read_limit(query, arena, params_r, problem_r);
    if (result == STATUS_OK)
        result = read_callback(query, arena, params_r, problem_r);
    if (result == STATUS_OK)
        result = read_format(input, query, arena, params_r, problem_r);
    if (result == STATUS_OK)
        result = read_bom(query, arena, params_r, problem_r);
    return result;
}
