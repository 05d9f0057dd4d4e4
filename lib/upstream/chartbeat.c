#include "upstream/chartbeat.h"

#include "base/secret_box.h"
#include "base/validate.h"

#include <curl/curl.h>
#include <poll.h>
#include <stdbool.h>

enum { URL_MAX_BYTES = 1024 };

struct transfer {
    CURL *easy;
    const struct chartbeat_config *config;
    struct buffer body;
    char reason[160];
    struct curl_slist *headers; /* of the request that is under way; they hold the key */
    void *context;
    bool is_busy;
};

struct chartbeat {
    CURLM *multi;
    struct chartbeat_config config;
    int connections;
    int busy;
    struct transfer *last;        /* whose answer is being looked at, or NULL */
    struct transfer *transfers[]; /* NULL: never needed yet */
};

const struct chartbeat_answer chartbeat_no_answer = {
    .rate_limit = -1, .rate_remaining = -1, .body = "", .reason = "the request could not be made"};

size_t chartbeat_answer_max_bytes(int limit)
{
    size_t needed = (size_t)limit * ANSWER_ROW_BYTES;
    return needed < ANSWER_LEAST_BYTES  ? ANSWER_LEAST_BYTES
           : needed > ANSWER_MOST_BYTES ? ANSWER_MOST_BYTES
                                        : needed;
}

/* libcurl's own size limit lets chunked and compressed bodies through, so the cap is here. */
static size_t take_body(char *bytes, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    buffer_append(&transfer->body, bytes, size * count);
    return transfer->body.status == STATUS_OK ? size * count : 0;
}

static bool set_options(struct transfer *transfer)
{
    const char *protocol = strncmp(transfer->config->url, "https:", 6) == 0 ? "https" : "http";
    bool has_tls = strcmp(protocol, "https") == 0;
    CURL *easy = transfer->easy;
    const char *ca_file = transfer->config->ca_file;
    /* Proxies are libcurl's own affair: it reads http_proxy, https_proxy, all_proxy and no_proxy. */
    if (ca_file && *ca_file && curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file) != CURLE_OK)
        return false;
    /* QUICK_EXIT: else libcurl waits for a resolver that does not answer, past every time-out. PIPEWAIT: the
     * requests that begin together share a connection of HTTP/2. Without TLS there is none, and the first
     * would only keep the others waiting. */
    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, protocol) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PIPEWAIT, has_tls ? 1L : 0L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_USERAGENT, "upbeat/" UPBEAT_VERSION) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 64L * 1024) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer) == CURLE_OK;
}

static void transfer_free(struct transfer *transfer)
{
    if (!transfer)
        return;
    curl_easy_cleanup(transfer->easy);
    buffer_release(&transfer->body);
    free(transfer);
}

static enum status transfer_new(struct transfer **transfer_r, const struct chartbeat_config *config)
{
    struct transfer *transfer = calloc(1, sizeof *transfer);
    if (!transfer)
        return STATUS_NO_MEMORY;
    transfer->config = config;
    buffer_init(&transfer->body, chartbeat_answer_max_bytes(config->limit));
    transfer->easy = curl_easy_init();
    if (!transfer->easy || !set_options(transfer)) {
        transfer_free(transfer);
        return STATUS_INVALID;
    }
    *transfer_r = transfer;
    return STATUS_OK;
}

/* A whole number from 0, -1: the header says none. */
static int number_of(const struct curl_header *header)
{
    char *end = NULL;
    long number = strtol(header->value, &end, 10);
    if (end == header->value || *end != '\0' || number < 0)
        return -1;
    return number > 1000000 ? 1000000 : (int)number;
}

/* The smallest number that headers of any of these names say, since whatever stands in front of Chartbeat may
 * add a limit of its own; -1: none says one. */
static int header_int(CURL *easy, const char *const *names)
{
    int least = -1;
    for (; *names; names++) {
        struct curl_header *header = NULL;
        for (size_t i = 0; curl_easy_header(easy, *names, i, CURLH_HEADER, -1, &header) == CURLHE_OK; i++) {
            int number = number_of(header);
            if (number >= 0 && (least < 0 || number < least))
                least = number;
        }
    }
    return least;
}

static void read_headers(CURL *easy, struct chartbeat_answer *answer)
{
    static const char *const limits[] = {"X-RateLimit-Limit", "X-Rate-Limit-Limit", "RateLimit-Limit", NULL};
    static const char *const remaining[] = {"X-RateLimit-Remaining", "X-Rate-Limit-Remaining",
                                            "RateLimit-Remaining", NULL};
    curl_off_t retry_after_s = 0;
    struct curl_header *header = NULL;
    char *content_type = NULL;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &answer->status);
    curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &retry_after_s);
    curl_easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &content_type);
    answer->content_type = content_type;
    answer->has_retry_after =
        curl_easy_header(easy, "Retry-After", 0, CURLH_HEADER, -1, &header) == CURLHE_OK;
    if (retry_after_s > RETRY_AFTER_MAX_S)
        retry_after_s = RETRY_AFTER_MAX_S;
    answer->retry_after_s = retry_after_s > 0 ? (int)retry_after_s : 0;
    answer->rate_limit = header_int(easy, limits);
    answer->rate_remaining = header_int(easy, remaining);
}

static enum status result_of_code(const struct transfer *transfer, CURLcode code)
{
    switch (code) {
    case CURLE_OK:
        return STATUS_OK;
    case CURLE_WRITE_ERROR:
        return transfer->body.status != STATUS_OK ? transfer->body.status : STATUS_INVALID;
    case CURLE_OPERATION_TIMEDOUT:
        return STATUS_TIMEOUT;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_PROXY:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
        return STATUS_UNREACHABLE;
    case CURLE_OUT_OF_MEMORY:
        return STATUS_NO_MEMORY;
    default:
        return STATUS_INVALID;
    }
}

static void drop_headers(struct transfer *transfer)
{
    curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, NULL);
    for (struct curl_slist *at = transfer->headers; at; at = at->next)
        secret_box_wipe(at->data, strlen(at->data));
    curl_slist_free_all(transfer->headers);
    transfer->headers = NULL;
}

static bool set_time(struct transfer *transfer, struct deadline deadline)
{
    long timeout_ms = deadline_left_ms(deadline_within(deadline, transfer->config->timeout_ms));
    if (timeout_ms == 0) /* libcurl takes 0 for "no bound" */
        timeout_ms = 1;
    return curl_easy_setopt(transfer->easy, CURLOPT_TIMEOUT_MS, timeout_ms) == CURLE_OK;
}

/* Legacy and v3 take the key in the same header; the deprecated parameter would put it into other people's
 * logs. */
static enum status prepare(struct transfer *transfer, const char *host, const char *key,
                           struct deadline deadline)
{
    char url[URL_MAX_BYTES];
    char header[sizeof "X-CB-AK: " + KEY_MAX_BYTES];
    char *escaped = curl_easy_escape(transfer->easy, host, 0); /* a site ID may have an @ */
    int len = snprintf(url, sizeof url, "%s?host=%s&limit=%d", transfer->config->url, escaped ? escaped : "",
                       transfer->config->limit);
    curl_free(escaped);
    if (!escaped || len < 0 || (size_t)len >= sizeof url)
        return STATUS_INVALID;
    snprintf(header, sizeof header, "X-CB-AK: %s", key);
    transfer->headers = curl_slist_append(NULL, header);
    secret_box_wipe(header, sizeof header);
    if (transfer->headers && curl_easy_setopt(transfer->easy, CURLOPT_URL, url) == CURLE_OK &&
        curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, transfer->headers) == CURLE_OK &&
        set_time(transfer, deadline))
        return STATUS_OK;
    drop_headers(transfer);
    return STATUS_NO_MEMORY;
}

static void say_reason(struct transfer *transfer, enum status result, CURLcode code)
{
    if (result == STATUS_OK)
        transfer->reason[0] = '\0';
    else if (result == STATUS_TOO_LARGE)
        snprintf(transfer->reason, sizeof transfer->reason, "an answer of over %zu bytes",
                 transfer->body.max_bytes);
    else
        snprintf(transfer->reason, sizeof transfer->reason, "%s", curl_easy_strerror(code));
}

static enum status take_answer(struct transfer *transfer, CURLcode code, struct chartbeat_answer *answer_r)
{
    *answer_r = (struct chartbeat_answer){.rate_limit = -1, .rate_remaining = -1};
    enum status result = result_of_code(transfer, code);
    read_headers(transfer->easy, answer_r);
    drop_headers(transfer);
    say_reason(transfer, result, code);
    answer_r->reason = transfer->reason;
    answer_r->body = transfer->body.data ? transfer->body.data : "";
    answer_r->body_bytes = transfer->body.len_bytes;
    return result;
}

enum status chartbeat_new(struct chartbeat **client_r, const struct chartbeat_config *config, int connections)
{
    struct chartbeat *client = calloc(1, sizeof *client + (size_t)connections * sizeof(struct transfer *));
    if (!client)
        return STATUS_NO_MEMORY;
    client->config = *config;
    client->connections = connections;
    client->multi = curl_multi_init();
    enum status result = STATUS_NO_MEMORY;
    if (client->multi &&
        curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)connections) == CURLM_OK &&
        curl_multi_setopt(client->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX) == CURLM_OK)
        result = transfer_new(&client->transfers[0], &client->config);
    if (result == STATUS_OK)
        *client_r = client;
    else
        chartbeat_free(client);
    return result;
}

static void take_off(struct chartbeat *client, struct transfer *transfer)
{
    curl_multi_remove_handle(client->multi, transfer->easy);
    transfer->is_busy = false;
    client->busy--;
}

void chartbeat_free(struct chartbeat *client)
{
    if (!client)
        return;
    for (int i = 0; i < client->connections; i++) {
        struct transfer *transfer = client->transfers[i];
        if (transfer && transfer->is_busy) {
            take_off(client, transfer);
            drop_headers(transfer);
        }
        transfer_free(transfer);
    }
    curl_multi_cleanup(client->multi);
    free(client);
}

static enum status find_idle(struct chartbeat *client, struct transfer **transfer_r)
{
    int i = 0;
    while (i < client->connections - 1 && client->transfers[i] && client->transfers[i]->is_busy)
        i++;
    enum status result = STATUS_OK;
    if (!client->transfers[i])
        result = transfer_new(&client->transfers[i], &client->config);
    else if (client->transfers[i]->is_busy)
        result = STATUS_INVALID;
    *transfer_r = client->transfers[i];
    return result;
}

enum status chartbeat_start(struct chartbeat *client, const char *host, const char *key,
                            struct deadline deadline, void *context)
{
    struct transfer *transfer = NULL;
    chartbeat_release_answer(client);
    enum status result = find_idle(client, &transfer);
    if (result == STATUS_OK)
        result = prepare(transfer, host, key, deadline);
    if (result != STATUS_OK)
        return result;
    if (curl_easy_setopt(transfer->easy, CURLOPT_PRIVATE, transfer) != CURLE_OK ||
        curl_multi_add_handle(client->multi, transfer->easy) != CURLM_OK) {
        drop_headers(transfer);
        return STATUS_NO_MEMORY;
    }
    transfer->context = context;
    transfer->is_busy = true;
    client->busy++;
    return STATUS_OK;
}

/* A request that has ended, or NULL. */
static struct transfer *find_ended(struct chartbeat *client, CURLcode *code_r)
{
    int left = 0;
    for (CURLMsg *message; (message = curl_multi_info_read(client->multi, &left));) {
        char *transfer = NULL;
        if (message->msg != CURLMSG_DONE ||
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer) != CURLE_OK)
            continue;
        *code_r = message->data.result;
        return (struct transfer *)(void *)transfer;
    }
    return NULL;
}

/* The bodies of all transfers together would take too much memory, so each is freed after it was read. */
void chartbeat_release_answer(struct chartbeat *client)
{
    if (client->last)
        buffer_release(&client->last->body);
    client->last = NULL;
}

/* libcurl's own form of what poll() takes. */
static unsigned to_curl_waitfds(const struct pollfd *fds, size_t count, struct curl_waitfd *waits)
{
    unsigned used = 0;
    for (size_t i = 0; i < count && i < CHARTBEAT_POLL_MAX; i++) {
        short events = (short)((fds[i].events & POLLIN ? CURL_WAIT_POLLIN : 0) |
                               (fds[i].events & POLLOUT ? CURL_WAIT_POLLOUT : 0));
        waits[used++] = (struct curl_waitfd){.fd = fds[i].fd, .events = events};
    }
    return used;
}

void chartbeat_poll(struct chartbeat *client, struct pollfd *fds, size_t count, int timeout_ms)
{
    struct curl_waitfd waits[CHARTBEAT_POLL_MAX];
    int running = 0;
    chartbeat_release_answer(client);
    curl_multi_perform(client->multi, &running); /* starts what is new, so that it is waited for too */
    unsigned used = to_curl_waitfds(fds, count, waits);
    if (running < client->busy)
        timeout_ms = 0; /* one has ended, and nothing more will come for it */
    curl_multi_poll(client->multi, waits, used, timeout_ms, NULL);
    for (unsigned i = 0; i < used; i++)
        fds[i].revents = (short)((waits[i].revents & CURL_WAIT_POLLIN ? POLLIN : 0) |
                                 (waits[i].revents & CURL_WAIT_POLLOUT ? POLLOUT : 0));
    curl_multi_perform(client->multi, &running);
}

bool chartbeat_next(struct chartbeat *client, int timeout_ms, void **context_r, enum status *result_r,
                    struct chartbeat_answer *answer_r)
{
    CURLcode code = CURLE_OK;
    chartbeat_release_answer(client);
    struct transfer *transfer = find_ended(client, &code);
    if (!transfer && timeout_ms >= 0) {
        chartbeat_poll(client, NULL, 0, timeout_ms);
        transfer = find_ended(client, &code);
    }
    if (!transfer)
        return false;
    take_off(client, transfer);
    *result_r = take_answer(transfer, code, answer_r);
    *context_r = transfer->context;
    client->last = transfer;
    return true;
}
