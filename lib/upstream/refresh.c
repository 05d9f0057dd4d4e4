#include "upstream/refresh.h"

#include "base/log.h"
#include "upstream/toppages.h"

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

/* Chartbeat answered with 200: that is not yet a list. */
static void take_answer(const struct refresh_parts *parts, struct refresh_job *job,
                        const struct chartbeat_answer *answer, struct deadline deadline,
                        struct refresh_report *report)
{
    struct arena arena;
    struct toppages toppages = {0};
    const char *why = "";
    char reason[160];
    arena_init(&arena, PARSE_MAX_BYTES);
    report->result = toppages_parse(answer->body, answer->body_bytes, &arena, &toppages, &why);
    if (report->result != STATUS_OK) {
        log_line(LEVEL_WARNING, job->host, "Chartbeat's answer of %zu bytes is of no use: %s",
                 answer->body_bytes, why);
        snprintf(reason, sizeof reason, "an answer of %zu bytes: %s", answer->body_bytes, why);
        record_failure(parts, job, reason, 0, deadline, report);
    } else {
        if (toppages.refused_rows > 0)
            log_line(LEVEL_WARNING, job->host, "%zu of %zu rows refused: no usable path or count",
                     toppages.refused_rows, toppages.refused_rows + toppages.pages.count);
        report->result = publish(parts, job, &toppages, answer, deadline);
        report->from_database = report->result != STATUS_OK;
    }
    arena_release(&arena);
}

static void take_refusal(const struct refresh_parts *parts, struct refresh_job *job,
                         const struct chartbeat_answer *answer, struct deadline deadline)
{
    log_line(LEVEL_INFO, job->host, "Chartbeat refused key %02x%02x%02x%02x: %s", job->claim.digest.bytes[0],
             job->claim.digest.bytes[1], job->claim.digest.bytes[2], job->claim.digest.bytes[3],
             answer->reason);
    enum status result = store_refuse(parts->store, job->host, &job->claim, answer->reason, deadline);
    if (result != STATUS_OK)
        log_line(LEVEL_WARNING, job->host, "the refusal could not be recorded: %s", status_text(result));
}

void refresh_end(const struct refresh_parts *parts, struct refresh_job *job, enum status result,
                 const struct chartbeat_answer *answer, struct deadline deadline,
                 struct refresh_report *report_r)
{
    *report_r = (struct refresh_report){.result = result};
    if (result == STATUS_OK) {
        take_answer(parts, job, answer, deadline, report_r);
    } else if (result == STATUS_REFUSED) {
        take_refusal(parts, job, answer, deadline);
    } else {
        log_line(LEVEL_WARNING, job->host, "Chartbeat: %s (%zu bytes)", answer->reason, answer->body_bytes);
        record_failure(parts, job, answer->reason, answer->retry_after_s, deadline, report_r);
    }
    secret_box_wipe(job->key, sizeof job->key);
}
