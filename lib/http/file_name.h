/* Names of files for answers that are saved. */
#ifndef UPBEAT_HTTP_FILE_NAME_H
#define UPBEAT_HTTP_FILE_NAME_H

#include <stdint.h>

enum { FILE_NAME_BYTES = 160 };

/* "demo.example-history-20261125T031500Z.csv" for the host demo.example and the path /api/v1.0/history:
 * whatever comes in, letters, digits, dots, hyphens and underscores and no others, never a dot in front, cut
 * to fit. An empty host is "upbeat". */
void file_name_csv(const char *host, const char *path, int64_t at_s, char name_r[FILE_NAME_BYTES]);

#endif
