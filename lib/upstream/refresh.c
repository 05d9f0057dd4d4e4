#include "upstream/refresh.h"

#include "base/log.h"
#include "upstream/answer_kind.h"

static int compare_jobs(const void *job, const void *other)
{
    return lease_order((*(struct refresh_job *const *)job)->host,
                       (*(struct refresh_job *const *)other)->host);
}

static void sort_jobs(struct refresh_job **jobs, size_t count)
{
    qsort(jobs, count, sizeof(struct refresh_job *), compare_jobs);
}

/* The asker's own key needs no opening, and after a change of the secret it is the one that still works. */
static enum status find_key(const struct refresh_parts *parts, struct refresh_job *job)
{
    const struct lease_claim *claim = &job->claim;
    if (job->has_asker && job->key[0] && memcmp(claim->digest.bytes, job->digest.bytes, DIGEST_BYTES) == 0)
        return STATUS_OK;
    return secret_box_open(parts->secret_box, &claim->sealed, &claim->digest, job->key);
}

static void take_claim(const struct refresh_parts *parts, struct refresh_job *job)
{
    job->result = STATUS_OK;
    job->from_database = false;
    job->is_useless = false;
    job->has_columns = false;
    job->retry_after_s = 0;
    job->wait_ms = job->claim.wait_ms;
    job->reason[0] = '\0';
    if (job->claim.outcome != CLAIM_GRANTED || find_key(parts, job) == STATUS_OK)
        return;
    log_line(LEVEL_ERROR, job->host,
             "its key is sealed under another secret than that of UPBEAT_SECRET_FILE");
    job->result = STATUS_FAILED;
    snprintf(job->reason, sizeof job->reason, "the key is sealed under another secret");
}

enum status refresh_claim(const struct refresh_parts *parts, struct refresh_job **jobs, size_t count,
                          struct deadline deadline)
{
    struct lease_request requests[LEASE_BATCH];
    struct lease_claim claims[LEASE_BATCH];
    sort_jobs(jobs, count);
    for (size_t i = 0; i < count; i++) {
        const struct refresh_job *job = jobs[i];
        requests[i] =
            (struct lease_request){job->host, job->has_asker ? &job->digest : NULL, job->check, job->ttl_ms};
    }
    enum status result = lease_claim(parts->database, requests, count, &parts->bounds, deadline, claims);
    for (size_t i = 0; result == STATUS_OK && i < count; i++) {
        jobs[i]->claim = claims[i];
        take_claim(parts, jobs[i]);
    }
    return result;
}

/* A list was read: says what of it is not as it should be, and keeps it for refresh_store(). */
static void take_list(struct refresh_job *job, const struct toppages *toppages)
{
    struct buffer refused;
    buffer_init(&refused, REFRESH_REASON_BYTES);
    toppages_say_refused(toppages, &refused);
    if (toppages->refused_rows > 0)
        log_line(LEVEL_WARNING, job->host, "rows refused: %s", refused.data);
    if (toppages->mended_texts > 0)
        log_line(LEVEL_DEBUG, job->host, "%zu texts had something broken in them", toppages->mended_texts);
    snprintf(job->refused_reasons, sizeof job->refused_reasons, "%s", refused.data ? refused.data : "");
    buffer_release(&refused);
    job->refused_rows = toppages->refused_rows;
    job->result = page_columns_encode(&toppages->pages, &job->columns);
    job->has_columns = true;
}

static enum status result_of(enum answer_kind kind, long http_status)
{
    switch (kind) {
    case ANSWER_REFUSED:
        return STATUS_REFUSED;
    case ANSWER_LIMITED:
        return STATUS_RATE_LIMITED;
    default:
        return http_status == 200 ? STATUS_INVALID : STATUS_FAILED;
    }
}

static void read_answer(const struct refresh_parts *parts, struct refresh_job *job,
                        const struct chartbeat_answer *got)
{
    struct arena arena;
    struct buffer why;
    struct toppages toppages = {0};
    const struct page_path_rules rules = {job->host, parts->drop_parameters};
    const struct answer answer = {(int)got->status,    got->has_retry_after,
                                  got->rate_remaining, got->content_type,
                                  got->body,           got->body_bytes};
    arena_init(&arena, PARSE_LEAST_BYTES + 2 * chartbeat_answer_max_bytes(parts->row_limit));
    buffer_init(&why, REFRESH_REASON_BYTES - 1);
    enum answer_kind kind = answer_kind_of(&answer, &rules, &arena, &toppages, &why);
    if (kind == ANSWER_LIST || kind == ANSWER_QUIET) {
        take_list(job, &toppages);
    } else {
        job->result = result_of(kind, got->status);
        job->is_useless = job->result == STATUS_INVALID;
        snprintf(job->reason, sizeof job->reason, "%s", why.data ? why.data : "");
        log_line(kind == ANSWER_REFUSED ? LEVEL_INFO : LEVEL_WARNING, job->host, "Chartbeat: %s (%zu bytes)",
                 job->reason, got->body_bytes);
    }
    buffer_release(&why);
    arena_release(&arena);
}

void refresh_read(const struct refresh_parts *parts, struct refresh_job *job, enum status result,
                  const struct chartbeat_answer *answer)
{
    job->result = result;
    job->answered_ms = clock_monotonic_ms();
    job->retry_after_s = answer->retry_after_s;
    job->rate_limit = answer->rate_limit;
    job->rate_remaining = answer->rate_remaining;
    snprintf(job->reason, sizeof job->reason, "%s", answer->reason);
    if (result == STATUS_OK)
        read_answer(parts, job, answer);
    else
        log_line(LEVEL_WARNING, job->host, "Chartbeat: %s (%zu bytes)", answer->reason, answer->body_bytes);
}

static bool is_new_key(const struct refresh_job *job)
{
    return job->claim.sealed.len_bytes == 0;
}

static struct lease_publication publication_of(const struct refresh_parts *parts,
                                               const struct refresh_job *job, const struct sealed *sealed)
{
    return (struct lease_publication){
        .host = job->host,
        .claim = &job->claim,
        .sealed = sealed,
        .columns = &job->columns,
        .row_limit = parts->row_limit,
        .ttl_ms = job->ttl_ms,
        .answered_ms = job->answered_ms,
        .rate_limit = job->rate_limit,
        .rate_remaining = job->rate_remaining,
        .refused_rows = job->refused_rows,
    };
}

static void note_published(struct refresh_job *job, enum status result, bool stored)
{
    job->result = result;
    job->from_database = result != STATUS_OK;
    if (result == STATUS_OK) {
        log_line(LEVEL_DEBUG, job->host, "%s", stored ? "stored" : "not stored: too soon or late");
        return;
    }
    log_line(LEVEL_ERROR, job->host, "the snapshot could not be stored: %s", status_text(result));
    snprintf(job->reason, sizeof job->reason, "it could not be stored");
}

static void publish_one(const struct refresh_parts *parts, struct refresh_job *job, struct deadline deadline)
{
    struct sealed sealed;
    bool stored = false;
    bool is_new = is_new_key(job);
    enum status result = STATUS_OK;
    if (is_new)
        result = secret_box_seal(parts->secret_box, job->key, strlen(job->key), &job->claim.digest, &sealed);
    const struct lease_publication publication = publication_of(parts, job, is_new ? &sealed : NULL);
    if (result == STATUS_OK)
        result = lease_publish(parts->database, &publication, 1, deadline, &stored);
    note_published(job, result, stored);
}

/* All in one transaction. Where PostgreSQL refuses one, it undoes all, and each is published by itself, so
 * that one bad list does not cost the others theirs. */
static void publish_many(const struct refresh_parts *parts, struct refresh_job **jobs, size_t count,
                         struct deadline deadline)
{
    struct lease_publication publications[LEASE_BATCH];
    bool stored[LEASE_BATCH] = {false};
    for (size_t i = 0; i < count; i++)
        publications[i] = publication_of(parts, jobs[i], NULL);
    enum status result =
        count > 1 ? lease_publish(parts->database, publications, count, deadline, stored) : STATUS_FAILED;
    for (size_t i = 0; i < count; i++) {
        if (result == STATUS_FAILED)
            publish_one(parts, jobs[i], deadline);
        else
            note_published(jobs[i], result, stored[i]);
    }
}

static void record_failures(const struct refresh_parts *parts, struct refresh_job **jobs, size_t count,
                            struct deadline deadline)
{
    struct lease_failure failures[LEASE_BATCH];
    int back_off_ms[LEASE_BATCH];
    for (size_t i = 0; i < count; i++)
        failures[i] =
            (struct lease_failure){jobs[i]->host, &jobs[i]->claim, jobs[i]->reason, jobs[i]->retry_after_s};
    enum status result =
        count > 0 ? lease_fail(parts->database, failures, count, deadline, back_off_ms) : STATUS_OK;
    for (size_t i = 0; i < count; i++) {
        if (result == STATUS_OK)
            jobs[i]->wait_ms = back_off_ms[i];
        else
            log_line(LEVEL_WARNING, jobs[i]->host, "the failure could not be recorded: %s",
                     status_text(result));
    }
}

static void record_refusal(const struct refresh_parts *parts, struct refresh_job *job,
                           struct deadline deadline)
{
    enum status result = lease_refuse(parts->database, job->host, &job->claim, job->reason, deadline);
    if (result != STATUS_OK)
        log_line(LEVEL_WARNING, job->host, "the refusal could not be recorded: %s", status_text(result));
}

void refresh_store(const struct refresh_parts *parts, struct refresh_job **jobs, size_t count,
                   struct deadline deadline)
{
    struct refresh_job *known[LEASE_BATCH];
    struct refresh_job *failed[LEASE_BATCH];
    size_t known_count = 0;
    size_t failed_count = 0;
    sort_jobs(jobs, count);
    for (size_t i = 0; i < count; i++) {
        if (jobs[i]->result == STATUS_OK && !is_new_key(jobs[i]))
            known[known_count++] = jobs[i];
        else if (jobs[i]->result != STATUS_OK && jobs[i]->result != STATUS_REFUSED)
            failed[failed_count++] = jobs[i];
    }
    record_failures(parts, failed, failed_count, deadline);
    for (size_t i = 0; i < count; i++) {
        if (jobs[i]->result == STATUS_REFUSED)
            record_refusal(parts, jobs[i], deadline);
        else if (jobs[i]->result == STATUS_OK && is_new_key(jobs[i]))
            publish_one(parts, jobs[i], deadline);
    }
    publish_many(parts, known, known_count, deadline);
    for (size_t i = 0; i < count; i++)
        refresh_drop(jobs[i]);
}

size_t refresh_columns_bytes(const struct refresh_job *job)
{
    size_t columns_bytes = 0;
    for (int column = 0; job->has_columns && column < COLUMNS; column++)
        columns_bytes += job->columns.of[column].capacity_bytes;
    return columns_bytes;
}

void refresh_drop(struct refresh_job *job)
{
    secret_box_wipe(job->key, sizeof job->key);
    if (job->has_columns)
        page_columns_release(&job->columns);
    job->has_columns = false;
}
