/* One line per event on standard error, each with its subject. Never give it a key or a secret. */
#ifndef UPBEAT_BASE_LOG_H
#define UPBEAT_BASE_LOG_H

enum log_level { LEVEL_ERROR, LEVEL_WARNING, LEVEL_INFO, LEVEL_DEBUG };

/* Lines above this level are dropped from now on. At start: LEVEL_INFO. Process-wide. */
void log_set_level(enum log_level level);

/* Writes "TIME LEVEL PROGRAM[PID] SUBJECT: text" in one write(2). The subject is what the line is about (a
 * request id, a host), or NULL. Control characters in the text come out as \xNN; a line of over 1,000 bytes
 * is cut. Never fails visibly: where standard error is full or gone the line is lost. */
void log_line(enum log_level level, const char *subject, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
