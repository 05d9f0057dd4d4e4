#include "http/file_name.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { WORD_MAX_BYTES = 64 };

static void put_safe(char *out, const char *text)
{
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    size_t text_bytes = strnlen(text, WORD_MAX_BYTES);
    size_t len = 0;
    for (; len < text_bytes; len++) {
        bool is_safe = strchr(safe, text[len]) && (len > 0 || text[len] != '.');
        out[len] = '_';
        if (is_safe)
            out[len] = text[len];
    }
    out[len] = '\0';
}

void file_name_csv(const char *host, const char *path, int64_t at_s, char name_r[FILE_NAME_BYTES])
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    char host_word[WORD_MAX_BYTES + 1];
    char path_word[WORD_MAX_BYTES + 1];
    char date[20] = "";
    struct tm parts;
    time_t at = (time_t)at_s;
    put_safe(host_word, host && *host ? host : "upbeat");
    put_safe(path_word, slash ? slash + 1 : "");
    if (gmtime_r(&at, &parts))
        strftime(date, sizeof date, "%Y%m%dT%H%M%SZ", &parts);
    snprintf(name_r, FILE_NAME_BYTES, "%s-%s-%s.csv", host_word, path_word, date);
}
