/* One line per event on standard error, each with its subject. Never give it a key or a secret. */
#ifndef UPBEAT_BASE_LOG_H
#define UPBEAT_BASE_LOG_H

enum log_level { LEVEL_ERROR, LEVEL_WARNING, LEVEL_INFO, LEVEL_DEBUG };

/* Drops lines above this level from now on, in the whole process. The level at the start is LEVEL_INFO. */
void log_set_level(enum log_level level);

/* Writes "TIME LEVEL PROGRAM[PID] SUBJECT: text" in one write(2). The subject names the thing that the line
 * is about (a request id, a host); it may be NULL. Control characters in the text are written as \xNN, and a
 * line of more than 1,000 bytes is cut. If standard error is full or closed the line is lost, without an
 * error. */
void log_line(enum log_level level, const char *subject, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
