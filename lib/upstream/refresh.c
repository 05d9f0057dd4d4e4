#include "upstream/refresh.h"

#include "base/log.h"
#include "upstream/answer_kind.h"

enum { REASON_MAX_BYTES = 400 };

static void record_failure(const struct refresh_parts *parts, struct refresh_job *job, const char *reason,
                           int retry_after_s, struct deadline deadline, struct refresh_report *report)
{
    enum status result =
        store_fail(parts->store, job->host, &job->claim, reason, retry_after_s, deadline, &report->wait_ms);
    if (result != STATUS_OK)
        log_line(LEVEL_WARNING, job->host, "the failure could not be recorded: %s", status_text(result));
}

/* The caller's own key needs no opening, and after a change of the secret it is the one that still works. */
static enum status find_key(const struct refresh_parts *parts, struct refresh_job *job,
                            const struct digest *digest, const char *own_key)
{
    const struct store_claim *claim = &job->claim;
    if (own_key && memcmp(claim->digest.bytes, digest->bytes, DIGEST_BYTES) == 0) {
        snprintf(job->key, sizeof job->key, "%s", own_key);
        return STATUS_OK;
    }
    return secret_box_open(parts->secret_box, &claim->sealed, &claim->digest, job->key);
}

enum status refresh_begin(const struct refresh_parts *parts, const char *host, const struct digest *digest,
                          const char *own_key, bool check, struct deadline deadline,
                          struct refresh_job *job_r)
{
    job_r->host = host;
    enum status result =
        store_claim(parts->store, host, digest, check, &parts->bounds, deadline, &job_r->claim);
    if (result != STATUS_OK || job_r->claim.outcome != CLAIM_GRANTED)
        return result;
    if (find_key(parts, job_r, digest, own_key) == STATUS_OK)
        return STATUS_OK;
    struct refresh_report report = {0};
    log_line(LEVEL_ERROR, host, "its key is sealed under another secret than that of UPBEAT_SECRET_FILE");
    record_failure(parts, job_r, "the key is sealed under another secret", 0, deadline, &report);
    return STATUS_FAILED;
}

static enum status publish(const struct refresh_parts *parts, struct refresh_job *job,
                           const struct toppages *toppages, const struct chartbeat_answer *answer,
                           struct deadline deadline)
{
    struct sealed sealed;
    bool is_new = job->claim.sealed.len_bytes == 0;
    enum status result = STATUS_OK;
    if (is_new)
        result = secret_box_seal(parts->secret_box, job->key, strlen(job->key), &job->claim.digest, &sealed);
    const struct store_publication publication = {
        .host = job->host,
        .claim = &job->claim,
        .sealed = is_new ? &sealed : NULL,
        .pages = &toppages->pages,
        .row_limit = parts->row_limit,
        .ttl_ms = parts->bounds.ttl_ms,
        .rate_limit = answer->rate_limit,
        .rate_remaining = answer->rate_remaining,
        .refused_rows = toppages->refused_rows,
    };
    bool stored = false;
    if (result == STATUS_OK)
        result = store_publish(parts->store, &publication, deadline, &stored);
    if (result != STATUS_OK)
        log_line(LEVEL_ERROR, job->host, "the snapshot could not be stored: %s", status_text(result));
    else
        log_line(LEVEL_DEBUG, job->host, "%zu pages, %s", toppages->pages.count,
                 stored ? "stored" : "not stored: too soon or late");
    return result;
}

static void take_refusal(const struct refresh_parts *parts, struct refresh_job *job, const char *reason,
                         struct deadline deadline)
{
    log_line(LEVEL_INFO, job->host, "Chartbeat refused key %02x%02x%02x%02x: %s", job->claim.digest.bytes[0],
             job->claim.digest.bytes[1], job->claim.digest.bytes[2], job->claim.digest.bytes[3], reason);
    enum status result = store_refuse(parts->store, job->host, &job->claim, reason, deadline);
    if (result != STATUS_OK)
        log_line(LEVEL_WARNING, job->host, "the refusal could not be recorded: %s", status_text(result));
}

/* A list was read: says what of it is not as it should be, and stores it. */
static void take_list(const struct refresh_parts *parts, struct refresh_job *job,
                      const struct toppages *toppages, const struct chartbeat_answer *answer,
                      struct deadline deadline, struct refresh_report *report)
{
    struct buffer refused;
    buffer_init(&refused, REASON_MAX_BYTES);
    toppages_say_refused(toppages, &refused);
    if (toppages->refused_rows > 0)
        log_line(LEVEL_WARNING, job->host, "rows refused: %s", refused.data);
    if (toppages->mended_texts > 0)
        log_line(LEVEL_DEBUG, job->host, "%zu texts had something broken in them", toppages->mended_texts);
    report->result = publish(parts, job, toppages, answer, deadline);
    report->from_database = report->result != STATUS_OK;
    buffer_release(&refused);
}

static void take_answer(const struct refresh_parts *parts, struct refresh_job *job,
                        const struct chartbeat_answer *got, struct deadline deadline,
                        struct refresh_report *report)
{
    struct arena arena;
    struct buffer why;
    struct toppages toppages = {0};
    const struct page_path_rules rules = {job->host, parts->drop_parameters};
    const struct answer answer = {(int)got->status,    got->has_retry_after,
                                  got->rate_remaining, got->content_type,
                                  got->body,           got->body_bytes};
    arena_init(&arena, PARSE_LEAST_BYTES + 2 * chartbeat_answer_max_bytes(parts->row_limit));
    buffer_init(&why, REASON_MAX_BYTES);
    enum answer_kind kind = answer_kind_of(&answer, &rules, &arena, &toppages, &why);
    if (kind == ANSWER_LIST || kind == ANSWER_QUIET) {
        take_list(parts, job, &toppages, got, deadline, report);
    } else if (kind == ANSWER_REFUSED) {
        report->result = STATUS_REFUSED;
        take_refusal(parts, job, why.data, deadline);
    } else {
        report->result = kind == ANSWER_LIMITED ? STATUS_RATE_LIMITED
                         : got->status == 200   ? STATUS_INVALID
                                                : STATUS_FAILED;
        log_line(LEVEL_WARNING, job->host, "Chartbeat: %s (%zu bytes)", why.data, got->body_bytes);
        record_failure(parts, job, why.data, got->retry_after_s, deadline, report);
    }
    buffer_release(&why);
    arena_release(&arena);
}

void refresh_end(const struct refresh_parts *parts, struct refresh_job *job, enum status result,
                 const struct chartbeat_answer *answer, struct deadline deadline,
                 struct refresh_report *report_r)
{
    *report_r = (struct refresh_report){.result = result};
    if (result == STATUS_OK) {
        take_answer(parts, job, answer, deadline, report_r);
    } else {
        log_line(LEVEL_WARNING, job->host, "Chartbeat: %s (%zu bytes)", answer->reason, answer->body_bytes);
        record_failure(parts, job, answer->reason, answer->retry_after_s, deadline, report_r);
    }
    secret_box_wipe(job->key, sizeof job->key);
}
