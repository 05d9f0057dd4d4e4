#include "store/keys.h"

#include "db/sql_param.h"

enum { STEP_MS = 1000 };

enum { KEYS = 16, RESEAL }; /* lease.c has those before */

static const struct statement STATEMENTS[] = {
    [KEYS] = {"upbeat_keys", "select digest, sealed from apikeys order by digest", 0, false},
    [RESEAL] = {"upbeat_reseal",
                "update apikeys set sealed = $2::bytea where digest = $1::bytea and sealed = $3::bytea", 3,
                true},
};

static enum status run(struct database *database, int number, const struct sql_param *parameters,
                       struct deadline deadline, struct database_rows **rows_r)
{
    return database_run(database, &STATEMENTS[number], parameters, 1, deadline_within(deadline, STEP_MS),
                        rows_r);
}

static bool read_key(const struct database_rows *rows, size_t row, struct digest *digest,
                     struct sealed *sealed)
{
    size_t digest_bytes = 0;
    const char *name = database_bytes(rows, row, 0, &digest_bytes);
    const char *bytes = database_bytes(rows, row, 1, &sealed->len_bytes);
    if (!name || !bytes || digest_bytes != DIGEST_BYTES || sealed->len_bytes > SEALED_MAX_BYTES)
        return false;
    memcpy(digest->bytes, name, DIGEST_BYTES);
    memcpy(sealed->bytes, bytes, sealed->len_bytes);
    return true;
}

static enum status reseal_one(struct database *database, const struct digest *digest,
                              const struct sealed *old, const char *key, const struct secret_box *to,
                              struct deadline deadline)
{
    struct sealed fresh;
    struct database_rows *rows = NULL;
    enum status result = secret_box_seal(to, key, strlen(key), digest, &fresh);
    if (result != STATUS_OK)
        return result;
    const struct sql_param parameters[] = {
        sql_param_bytes(digest->bytes, DIGEST_BYTES),
        sql_param_bytes(fresh.bytes, fresh.len_bytes),
        sql_param_bytes(old->bytes, old->len_bytes),
    };
    result = run(database, RESEAL, parameters, deadline, &rows);
    database_rows_free(rows);
    return result;
}

enum status keys_reseal(struct database *database, const struct secret_box *from, const struct secret_box *to,
                        struct deadline deadline, size_t *resealed_r, size_t *left_r)
{
    struct database_rows *rows = NULL;
    size_t resealed = 0;
    enum status result = run(database, KEYS, NULL, deadline, &rows);
    size_t count = result == STATUS_OK ? database_rows_count(rows) : 0;
    for (size_t i = 0; result == STATUS_OK && i < count; i++) {
        struct digest digest;
        struct sealed sealed;
        char key[KEY_MAX_BYTES + 1];
        if (!read_key(rows, i, &digest, &sealed) || secret_box_open(from, &sealed, &digest, key) != STATUS_OK)
            continue;
        result = reseal_one(database, &digest, &sealed, key, to, deadline);
        secret_box_wipe(key, sizeof key);
        resealed++;
    }
    database_rows_free(rows);
    if (result == STATUS_OK) {
        *resealed_r = resealed;
        *left_r = count - resealed;
    }
    return result;
}
