#include "alert/post.h"

#include "base/clock.h"
#include "base/secret_box.h"

#include <curl/curl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    DAY_S = 86400,
    ABSENT_MS = 250, /* between two polls: after more the caller was held up */
};

struct transfer {
    CURL *easy;
    struct post *post;
    struct curl_slist *headers;
    void *context;
    int64_t until_ms;  /* of the monotonic clock */
    int64_t last_ms;   /* the same: until_ms is never put off past it */
    int64_t seen_ms;   /* the same: when it was started, or polled last */
    size_t body_bytes; /* that came so far */
    char start[OUTBOX_WORD_MAX_BYTES + 2];
    bool is_busy, is_plain, is_proxied, is_forbidden, has_headers;
};

struct post {
    CURLM *multi;
    struct post_config config;
    struct transfer transfers[];
};

/* --- URLs ----------------------------------------------------------------------------------------------- */

static const char *check_parts(CURLU *url, const struct networks *allow, char *host_r)
{
    char *scheme = NULL;
    char *host = NULL;
    char *user = NULL;
    const char *why = NULL;
    if (curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK || strlen(host) > POST_HOST_MAX_BYTES)
        why = "is no URL";
    else if (curl_url_get(url, CURLUPART_USER, &user, 0) == CURLUE_OK)
        why = "must have no user and no password in it";
    else if (strcmp(scheme, "https") != 0 && !(strcmp(scheme, "http") == 0 && allow->count > 0))
        why = "must begin with https://, unless UPBEAT_ALERT_ALLOW names the network that it is in";
    if (!why)
        memcpy(host_r, host, strlen(host) + 1);
    curl_free(scheme);
    curl_free(host);
    curl_free(user);
    return why;
}

const char *post_check_url(const char *url, const struct networks *allow, char *host_r)
{
    if (strlen(url) > SECRET_TEXT_MAX_BYTES)
        return "is longer than 2048 bytes";
    for (const char *at = url; *at; at++) {
        if ((unsigned char)*at <= ' ' || (unsigned char)*at >= 0x7f)
            return "has characters that no URL has";
    }
    CURLU *parts = curl_url();
    if (!parts)
        return "can't be checked: out of memory";
    const char *why = curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK
                          ? check_parts(parts, allow, host_r)
                          : "is no URL";
    curl_url_cleanup(parts);
    return why;
}

/* Whether the host is a name that a proxy may resolve: no address, and none of the local network alone. */
static bool is_public_name(const char *host)
{
    static const char LOCAL[] = ".localhost";
    char name[POST_HOST_MAX_BYTES + 1];
    struct addrinfo *found = NULL;
    const struct addrinfo numeric = {.ai_flags = AI_NUMERICHOST};
    size_t len = strlen(host);
    while (len > 0 && host[len - 1] == '.')
        len--;
    memcpy(name, host, len);
    name[len] = '\0';
    if (*name == '[' || getaddrinfo(name, NULL, &numeric, &found) == 0) {
        if (found)
            freeaddrinfo(found);
        return false;
    }
    bool is_local = len >= sizeof LOCAL && strcasecmp(name + len - (sizeof LOCAL - 1), LOCAL) == 0;
    return strchr(name, '.') && !is_local;
}

/* --- What libcurl calls ----------------------------------------------------------------------------------
 */

static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct transfer *transfer = context;
    bool is_allowed = transfer->is_proxied || networks_contain(&transfer->post->config.allow, &address->addr);
    if (purpose != CURLSOCKTYPE_IPCXN ||
        !(is_allowed || (!transfer->is_plain && networks_is_public(&address->addr)))) {
        transfer->is_forbidden = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* An answer of 1xx is followed by another one. */
static size_t take_header(char *bytes, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    long status = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    if (size * count <= 2 && (*bytes == '\r' || *bytes == '\n') && status >= 200)
        transfer->has_headers = true;
    return size * count;
}

static size_t take_body(char *bytes, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    size_t len = size * count;
    if (transfer->body_bytes < sizeof transfer->start - 1) {
        size_t room = sizeof transfer->start - 1 - transfer->body_bytes;
        memcpy(transfer->start + transfer->body_bytes, bytes, len < room ? len : room);
    }
    transfer->body_bytes += len;
    return transfer->body_bytes > POST_ANSWER_MAX_BYTES ? 0 : len;
}

/* --- Transfers -------------------------------------------------------------------------------------------
 */

static bool set_options(struct transfer *transfer)
{
    CURL *easy = transfer->easy;
    const char *ca_file = transfer->post->config.ca_file;
    if (ca_file && *ca_file && curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file) != CURLE_OK)
        return false;
    /* QUICK_EXIT: else libcurl waits for a resolver that does not answer, past every time-out. */
    return curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROXY, transfer->is_proxied ? transfer->post->config.proxy : "") ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NOPROXY, "") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, 0L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_USERAGENT, "upbeat/" UPBEAT_VERSION) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 16L * 1024) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer) == CURLE_OK;
}

static bool set_headers(struct transfer *transfer, const struct post_request *request)
{
    /* libcurl would wait for a "100 Continue" before it sends a large body. */
    bool is_full = true;
    transfer->headers = curl_slist_append(NULL, "Expect:");
    for (int i = 0; transfer->headers && is_full && i < POST_HEADERS_MAX && request->headers[i]; i++)
        is_full = curl_slist_append(transfer->headers, request->headers[i]) != NULL;
    return transfer->headers && is_full &&
           curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, transfer->headers) == CURLE_OK;
}

/* The handle goes too: it holds the URL, which is a secret. */
static void end_transfer(struct transfer *transfer)
{
    if (transfer->easy) {
        curl_multi_remove_handle(transfer->post->multi, transfer->easy);
        curl_easy_cleanup(transfer->easy);
    }
    curl_slist_free_all(transfer->headers);
    *transfer = (struct transfer){.post = transfer->post};
}

enum status post_new(struct post **post_r, const struct post_config *config)
{
    struct post *post = calloc(1, sizeof *post + (size_t)config->requests * sizeof post->transfers[0]);
    if (!post)
        return STATUS_NO_MEMORY;
    post->config = *config;
    post->multi = curl_multi_init();
    if (!post->multi) {
        free(post);
        return STATUS_NO_MEMORY;
    }
    for (int i = 0; i < config->requests; i++)
        post->transfers[i].post = post;
    *post_r = post;
    return STATUS_OK;
}

void post_free(struct post *post)
{
    if (!post)
        return;
    for (int i = 0; i < post->config.requests; i++)
        end_transfer(&post->transfers[i]);
    curl_multi_cleanup(post->multi);
    free(post);
}

static struct transfer *find_idle(struct post *post)
{
    for (int i = 0; i < post->config.requests; i++) {
        if (!post->transfers[i].is_busy)
            return &post->transfers[i];
    }
    return NULL;
}

enum status post_start(struct post *post, const struct post_request *request, void *context)
{
    char host[POST_HOST_MAX_BYTES + 1];
    struct transfer *transfer = find_idle(post);
    if (!transfer || post_check_url(request->url, &post->config.allow, host))
        return STATUS_INVALID;
    transfer->is_plain = strncasecmp(request->url, "https:", 6) != 0;
    transfer->is_proxied = !transfer->is_plain && *post->config.proxy && is_public_name(host);
    transfer->context = context;
    transfer->easy = curl_easy_init();
    if (transfer->easy && set_options(transfer) && set_headers(transfer, request) &&
        curl_easy_setopt(transfer->easy, CURLOPT_PROTOCOLS_STR, transfer->is_plain ? "http" : "https") ==
            CURLE_OK &&
        curl_easy_setopt(transfer->easy, CURLOPT_URL, request->url) == CURLE_OK &&
        curl_easy_setopt(transfer->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_bytes) ==
            CURLE_OK &&
        curl_easy_setopt(transfer->easy, CURLOPT_COPYPOSTFIELDS, request->body) == CURLE_OK &&
        curl_multi_add_handle(post->multi, transfer->easy) == CURLM_OK) {
        transfer->is_busy = true;
        transfer->seen_ms = clock_monotonic_ms();
        transfer->until_ms = transfer->seen_ms + POST_MS;
        transfer->last_ms = transfer->seen_ms + POST_MAX_MS;
        return STATUS_OK;
    }
    end_transfer(transfer);
    return STATUS_NO_MEMORY;
}

/* A time-out of libcurl's would end a transfer whose answer has come while nobody polled, and the message
 * would be sent once more. So the time is taken here, after what came was read, and time in which nobody
 * polled does not count, up to POST_MAX_MS. */
static int prepare_poll(struct post *post, int running, int timeout_ms)
{
    int busy = 0;
    int64_t now_ms = clock_monotonic_ms();
    for (int i = 0; i < post->config.requests; i++) {
        struct transfer *transfer = &post->transfers[i];
        if (!transfer->is_busy)
            continue;
        busy++;
        if (now_ms - transfer->seen_ms > ABSENT_MS)
            transfer->until_ms += now_ms - transfer->seen_ms;
        if (transfer->until_ms > transfer->last_ms)
            transfer->until_ms = transfer->last_ms;
        if (transfer->until_ms - now_ms < timeout_ms)
            timeout_ms = transfer->until_ms > now_ms ? (int)(transfer->until_ms - now_ms) : 0;
    }
    return running < busy ? 0 : timeout_ms; /* one has ended, and nothing more will come for it */
}

void post_poll(struct post *post, int timeout_ms)
{
    int running = 0;
    curl_multi_perform(post->multi, &running); /* starts what is new, so that it is waited for too */
    timeout_ms = prepare_poll(post, running, timeout_ms);
    curl_multi_poll(post->multi, NULL, 0, timeout_ms, NULL);
    curl_multi_perform(post->multi, &running);
    for (int i = 0; i < post->config.requests; i++)
        post->transfers[i].seen_ms = clock_monotonic_ms();
}

/* --- Answers ---------------------------------------------------------------------------------------------
 */

static const char *trouble_of(const struct transfer *transfer, CURLcode code)
{
    long connected = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_HTTP_CONNECTCODE, &connected);
    if (transfer->is_proxied && code != CURLE_OPERATION_TIMEDOUT && connected != 200)
        return connected == 0 ? "the proxy can't be reached" : "the proxy refuses the request";
    if (transfer->is_forbidden)
        return "the address is not of the public internet, and not in UPBEAT_ALERT_ALLOW";
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        return "no answer within 5 s";
    case CURLE_COULDNT_RESOLVE_HOST:
        return "the name can't be resolved";
    case CURLE_PEER_FAILED_VERIFICATION:
        return "the certificate is not valid";
    case CURLE_COULDNT_CONNECT:
        return "nobody listens there";
    default:
        return "no answer that is one of HTTP";
    }
}

static int retry_after_of(const struct transfer *transfer)
{
    curl_off_t seconds = 0;
    struct curl_header *header = NULL;
    curl_easy_getinfo(transfer->easy, CURLINFO_RETRY_AFTER, &seconds);
    if (curl_easy_header(transfer->easy, "Retry-After", 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return -1;
    return seconds > DAY_S ? DAY_S : (int)seconds;
}

static void read_word(const struct transfer *transfer, char *word_r)
{
    size_t len = strspn(transfer->start, "abcdefghijklmnopqrstuvwxyz_");
    bool is_word = transfer->start[len + strspn(transfer->start + len, "\r\n")] == '\0';
    if (!is_word || len > OUTBOX_WORD_MAX_BYTES)
        len = 0;
    memcpy(word_r, transfer->start, len);
    word_r[len] = '\0';
}

static void read_answer(const struct transfer *transfer, CURLcode code, struct post_answer *answer_r)
{
    long status = 0;
    *answer_r = (struct post_answer){.status = -1, .retry_after_s = -1, .trouble = ""};
    if (!transfer->has_headers) {
        answer_r->trouble = trouble_of(transfer, code);
        return;
    }
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    answer_r->status = (int)status;
    answer_r->retry_after_s = retry_after_of(transfer);
    read_word(transfer, answer_r->word);
}

static void hand_out(struct transfer *transfer, CURLcode code, void **context_r, struct post_answer *answer_r)
{
    *context_r = transfer->context;
    read_answer(transfer, code, answer_r);
    end_transfer(transfer);
}

bool post_next(struct post *post, void **context_r, struct post_answer *answer_r)
{
    int left = 0;
    for (CURLMsg *message; (message = curl_multi_info_read(post->multi, &left));) {
        char *private = NULL;
        if (message->msg != CURLMSG_DONE ||
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private) != CURLE_OK)
            continue;
        hand_out((struct transfer *)(void *)private, message->data.result, context_r, answer_r);
        return true;
    }
    for (int i = 0; i < post->config.requests; i++) {
        struct transfer *transfer = &post->transfers[i];
        if (!transfer->is_busy || transfer->until_ms > clock_monotonic_ms())
            continue;
        hand_out(transfer, CURLE_OPERATION_TIMEDOUT, context_r, answer_r);
        return true;
    }
    return false;
}
