/* Keeps what was answered, and answers with it again while the database can't be had; see answer_cache.h. */
#ifndef UPBEAT_API_REPEAT_H
#define UPBEAT_API_REPEAT_H

#include "api/request.h"

enum { REPEAT_SUFFIX_BYTES = 320 };

/* The cache_key_suffix of a body that changes between two snapshots: made of what it says. */
void repeat_name_body(const struct buffer *body, char suffix_r[REPEAT_SUFFIX_BYTES]);

/* Keeps the answer that was written, for the time when the database can't be had. */
void repeat_keep(struct request *request, struct api *api);

/* Answers out of memory, with what this worker last answered to the same question, if that was made of a
 * snapshot after newer_than: the request is then REQUEST_DONE. False: there is nothing, or it is too old, and
 * nothing has changed. */
bool repeat_answer(struct request *request, struct api *api, time_us newer_than) MUST_CHECK;

#endif
