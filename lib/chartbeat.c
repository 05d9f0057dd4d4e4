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

/* Legacy and v3 take the key in the same header; the deprecated parameter would put it into other people's
 * logs. */
static enum up_result prepare(struct chartbeat *client, const char *host, const char *key,
                              struct curl_slist **headers_r)
{
    char url[URL_MAX_BYTES];
    char header[sizeof "X-CB-AK: " + KEY_MAX_BYTES];
    int len =
        snprintf(url, sizeof url, "%s?host=%s&limit=%d", client->config.url, host, client->config.limit);
    if (len < 0 || (size_t)len >= sizeof url)
        return UP_INVALID;
    snprintf(header, sizeof header, "X-CB-AK: %s", key);
    struct curl_slist *headers = curl_slist_append(NULL, header);
    keyring_wipe(header, sizeof header);
    if (!headers)
        return UP_NO_MEMORY;
    *headers_r = headers;
    if (curl_easy_setopt(client->easy, CURLOPT_URL, url) != CURLE_OK)
        return UP_NO_MEMORY;
    return curl_easy_setopt(client->easy, CURLOPT_HTTPHEADER, headers) == CURLE_OK ? UP_OK : UP_NO_MEMORY;
}

static void drop_headers(struct chartbeat *client, struct curl_slist *headers)
{
    curl_easy_setopt(client->easy, CURLOPT_HTTPHEADER, NULL);
    for (struct curl_slist *at = headers; at; at = at->next)
        keyring_wipe(at->data, strlen(at->data));
    curl_slist_free_all(headers);
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

static CURLcode perform(struct chartbeat *client, struct deadline deadline, enum up_result *result)
{
    long timeout_ms = deadline_left_ms(deadline_within(deadline, client->config.timeout_ms));
    if (timeout_ms == 0) { /* libcurl takes 0 for "no bound" */
        *result = UP_TIMEOUT;
        return CURLE_OPERATION_TIMEDOUT;
    }
    curl_easy_setopt(client->easy, CURLOPT_TIMEOUT_MS, timeout_ms);
    CURLcode code = curl_easy_perform(client->easy);
    *result = result_of_code(client, code);
    return code;
}

enum up_result chartbeat_fetch(struct chartbeat *client, const char *host, const char *key,
                               struct deadline deadline, struct chartbeat_answer *answer_r)
{
    struct curl_slist *headers = NULL;
    CURLcode code = CURLE_OK;
    *answer_r = (struct chartbeat_answer){.rate_limit = -1, .rate_remaining = -1};
    buffer_clear(&client->body, KEEP_BODY_BYTES);
    enum up_result result = prepare(client, host, key, &headers);
    if (result == UP_OK) {
        code = perform(client, deadline, &result);
        read_headers(client->easy, answer_r);
    }
    drop_headers(client, headers);
    if (result == UP_OK)
        result = result_of_status(answer_r->status);
    say_reason(client, result, code, answer_r->status);
    answer_r->reason = client->reason;
    answer_r->body = client->body.data ? client->body.data : "";
    answer_r->body_bytes = client->body.len_bytes;
    return result;
}
