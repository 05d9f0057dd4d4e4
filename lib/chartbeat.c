#include "chartbeat.h"

#include "access.h"
#include "keyring.h"

#include <curl/curl.h>
#include <stdbool.h>

enum { KEEP_BODY_BYTES = 512 * 1024, URL_MAX_BYTES = 1024 };

struct chartbeat {
    CURL *easy;
    struct chartbeat_config config;
    struct buffer body;
    char reason[160];
    struct curl_slist *headers; /* of the request that is under way; they hold the key */
    void *context;              /* in a crowd */
    bool is_busy;
};

struct chartbeat_crowd {
    CURLM *multi;
    int connections;
    int busy;
    struct chartbeat *last; /* whose answer is being looked at */
    struct chartbeat *clients[];
};

/* libcurl's own size limit lets chunked and compressed bodies through, so the cap is here. */
static size_t take_body(char *bytes, size_t size, size_t count, void *context)
{
    struct chartbeat *client = context;
    buffer_append(&client->body, bytes, size * count);
    return client->body.status == UP_OK ? size * count : 0;
}

static bool set_options(struct chartbeat *client)
{
    const char *protocol = strncmp(client->config.url, "https:", 6) == 0 ? "https" : "http";
    CURL *easy = client->easy;
    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, protocol) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_USERAGENT, "upbeat/" UPBEAT_VERSION) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_MAXCONNECTS, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 64L * 1024) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEDATA, client) == CURLE_OK;
}

enum up_result chartbeat_new(struct chartbeat **client_r, const struct chartbeat_config *config)
{
    struct chartbeat *client = calloc(1, sizeof *client);
    if (!client)
        return UP_NO_MEMORY;
    client->config = *config;
    buffer_init(&client->body, ANSWER_MAX_BYTES);
    client->easy = curl_easy_init();
    if (!client->easy || !set_options(client)) {
        chartbeat_free(client);
        return UP_INVALID;
    }
    *client_r = client;
    return UP_OK;
}

void chartbeat_free(struct chartbeat *client)
{
    if (!client)
        return;
    curl_easy_cleanup(client->easy);
    buffer_release(&client->body);
    free(client);
}

static int header_int(CURL *easy, const char *name, int absent)
{
    struct curl_header *header = NULL;
    if (curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return absent;
    char *end = NULL;
    long number = strtol(header->value, &end, 10);
    if (end == header->value || *end != '\0' || number < 0)
        return absent;
    return number > 1000000 ? 1000000 : (int)number;
}

static void read_headers(CURL *easy, struct chartbeat_answer *answer)
{
    curl_off_t retry_after_s = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &answer->status);
    curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &retry_after_s);
    if (retry_after_s > RETRY_AFTER_MAX_S)
        retry_after_s = RETRY_AFTER_MAX_S;
    answer->retry_after_s = retry_after_s > 0 ? (int)retry_after_s : 0;
    answer->rate_limit = header_int(easy, "X-RateLimit-Limit", -1);
    answer->rate_remaining = header_int(easy, "X-RateLimit-Remaining", -1);
}

static enum up_result result_of_status(long status)
{
    switch (status) {
    case 200:
        return UP_OK;
    case 401:
    case 403:
        return UP_REFUSED;
    case 429:
        return UP_LIMITED;
    default:
        return UP_FAILED;
    }
}

static enum up_result result_of_code(const struct chartbeat *client, CURLcode code)
{
    switch (code) {
    case CURLE_OK:
        return UP_OK;
    case CURLE_WRITE_ERROR:
        return client->body.status != UP_OK ? client->body.status : UP_INVALID;
    case CURLE_OPERATION_TIMEDOUT:
        return UP_TIMEOUT;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
        return UP_UNREACHABLE;
    case CURLE_OUT_OF_MEMORY:
        return UP_NO_MEMORY;
    default:
        return UP_INVALID;
    }
}

static void drop_headers(struct chartbeat *client)
{
    curl_easy_setopt(client->easy, CURLOPT_HTTPHEADER, NULL);
    for (struct curl_slist *at = client->headers; at; at = at->next)
        keyring_wipe(at->data, strlen(at->data));
    curl_slist_free_all(client->headers);
    client->headers = NULL;
}

static bool set_time(struct chartbeat *client, struct deadline deadline)
{
    long timeout_ms = deadline_left_ms(deadline_within(deadline, client->config.timeout_ms));
    if (timeout_ms == 0) /* libcurl takes 0 for "no bound" */
        timeout_ms = 1;
    return curl_easy_setopt(client->easy, CURLOPT_TIMEOUT_MS, timeout_ms) == CURLE_OK;
}

/* Legacy and v3 take the key in the same header; the deprecated parameter would put it into other people's
 * logs. */
static enum up_result prepare(struct chartbeat *client, const char *host, const char *key,
                              struct deadline deadline)
{
    char url[URL_MAX_BYTES];
    char header[sizeof "X-CB-AK: " + KEY_MAX_BYTES];
    buffer_clear(&client->body, KEEP_BODY_BYTES);
    int len =
        snprintf(url, sizeof url, "%s?host=%s&limit=%d", client->config.url, host, client->config.limit);
    if (len < 0 || (size_t)len >= sizeof url)
        return UP_INVALID;
    snprintf(header, sizeof header, "X-CB-AK: %s", key);
    client->headers = curl_slist_append(NULL, header);
    keyring_wipe(header, sizeof header);
    if (client->headers && curl_easy_setopt(client->easy, CURLOPT_URL, url) == CURLE_OK &&
        curl_easy_setopt(client->easy, CURLOPT_HTTPHEADER, client->headers) == CURLE_OK &&
        set_time(client, deadline))
        return UP_OK;
    drop_headers(client);
    return UP_NO_MEMORY;
}

static void say_reason(struct chartbeat *client, enum up_result result, CURLcode code, long status)
{
    if (result == UP_OK)
        client->reason[0] = '\0';
    else if (result == UP_TOO_LARGE)
        snprintf(client->reason, sizeof client->reason, "an answer of over %d bytes", ANSWER_MAX_BYTES);
    else if (code != CURLE_OK)
        snprintf(client->reason, sizeof client->reason, "%s", curl_easy_strerror(code));
    else
        snprintf(client->reason, sizeof client->reason, "status %ld", status);
}

static enum up_result take_answer(struct chartbeat *client, CURLcode code, struct chartbeat_answer *answer_r)
{
    *answer_r = (struct chartbeat_answer){.rate_limit = -1, .rate_remaining = -1};
    enum up_result result = result_of_code(client, code);
    read_headers(client->easy, answer_r);
    drop_headers(client);
    if (result == UP_OK)
        result = result_of_status(answer_r->status);
    say_reason(client, result, code, answer_r->status);
    answer_r->reason = client->reason;
    answer_r->body = client->body.data ? client->body.data : "";
    answer_r->body_bytes = client->body.len_bytes;
    return result;
}

enum up_result chartbeat_fetch(struct chartbeat *client, const char *host, const char *key,
                               struct deadline deadline, struct chartbeat_answer *answer_r)
{
    enum up_result result = prepare(client, host, key, deadline);
    if (result == UP_OK)
        return take_answer(client, curl_easy_perform(client->easy), answer_r);
    *answer_r = (struct chartbeat_answer){.rate_limit = -1, .rate_remaining = -1, .body = ""};
    answer_r->reason = result_text(result);
    return result;
}

enum up_result chartbeat_crowd_new(struct chartbeat_crowd **crowd_r, const struct chartbeat_config *config,
                                   int connections)
{
    struct chartbeat_crowd *crowd =
        calloc(1, sizeof *crowd + (size_t)connections * sizeof(struct chartbeat *));
    if (!crowd)
        return UP_NO_MEMORY;
    enum up_result result = UP_OK;
    crowd->multi = curl_multi_init();
    if (!crowd->multi || curl_multi_setopt(crowd->multi, CURLMOPT_MAXCONNECTS, (long)connections) != CURLM_OK)
        result = UP_NO_MEMORY;
    for (; result == UP_OK && crowd->connections < connections; crowd->connections++)
        result = chartbeat_new(&crowd->clients[crowd->connections], config);
    if (result == UP_OK)
        *crowd_r = crowd;
    else
        chartbeat_crowd_free(crowd);
    return result;
}

static void leave_crowd(struct chartbeat_crowd *crowd, struct chartbeat *client)
{
    curl_multi_remove_handle(crowd->multi, client->easy);
    client->is_busy = false;
    crowd->busy--;
}

void chartbeat_crowd_free(struct chartbeat_crowd *crowd)
{
    if (!crowd)
        return;
    for (int i = 0; i < crowd->connections; i++) {
        if (crowd->clients[i] && crowd->clients[i]->is_busy) {
            leave_crowd(crowd, crowd->clients[i]);
            drop_headers(crowd->clients[i]);
        }
        chartbeat_free(crowd->clients[i]);
    }
    curl_multi_cleanup(crowd->multi);
    free(crowd);
}

bool chartbeat_crowd_has_room(const struct chartbeat_crowd *crowd)
{
    return crowd->busy < crowd->connections;
}

enum up_result chartbeat_crowd_start(struct chartbeat_crowd *crowd, const char *host, const char *key,
                                     struct deadline deadline, void *context)
{
    int i = 0;
    while (i < crowd->connections - 1 && crowd->clients[i]->is_busy)
        i++;
    struct chartbeat *client = crowd->clients[i];
    enum up_result result = client->is_busy ? UP_INVALID : prepare(client, host, key, deadline);
    if (result != UP_OK)
        return result;
    if (curl_easy_setopt(client->easy, CURLOPT_PRIVATE, client) != CURLE_OK ||
        curl_multi_add_handle(crowd->multi, client->easy) != CURLM_OK) {
        drop_headers(client);
        return UP_NO_MEMORY;
    }
    client->context = context;
    client->is_busy = true;
    crowd->busy++;
    return UP_OK;
}

/* A request that has ended, or NULL. */
static struct chartbeat *find_ended(struct chartbeat_crowd *crowd, CURLcode *code_r)
{
    int left = 0;
    for (CURLMsg *message; (message = curl_multi_info_read(crowd->multi, &left));) {
        char *client = NULL;
        if (message->msg != CURLMSG_DONE ||
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &client) != CURLE_OK)
            continue;
        *code_r = message->data.result;
        return (struct chartbeat *)(void *)client;
    }
    return NULL;
}

bool chartbeat_crowd_next(struct chartbeat_crowd *crowd, int timeout_ms, void **context_r,
                          enum up_result *result_r, struct chartbeat_answer *answer_r)
{
    int running = 0;
    CURLcode code = CURLE_OK;
    if (crowd->last)
        buffer_release(&crowd->last->body); /* a crowd's bodies together are too much to keep */
    crowd->last = NULL;
    curl_multi_perform(crowd->multi, &running);
    struct chartbeat *client = find_ended(crowd, &code);
    if (!client) {
        curl_multi_poll(crowd->multi, NULL, 0, timeout_ms, NULL);
        curl_multi_perform(crowd->multi, &running);
        client = find_ended(crowd, &code);
    }
    if (!client)
        return false;
    leave_crowd(crowd, client);
    *result_r = take_answer(client, code, answer_r);
    *context_r = client->context;
    crowd->last = client;
    return true;
}
