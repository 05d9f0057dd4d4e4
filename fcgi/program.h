/* The steps that all programs take at their start. */
#ifndef UPBEAT_FCGI_PROGRAM_H
#define UPBEAT_FCGI_PROGRAM_H

#include "base/secret_box.h"
#include "base/settings.h"

#include <stdbool.h>

enum { EXIT_SETTINGS = 2 }; /* exit status for a bad setting or option */

/* Prints what --help says: `text`, which ends with "Settings, from the environment:", and all settings.
 * Returns EXIT_SUCCESS. */
int program_say_help(const char *text);

/* An option without a value, as "--loop". */
struct program_flag {
    const char *name; /* without the dashes */
    bool *is_set;     /* becomes true where the option is given */
};

/* Reads a command line that takes such options, --help, and nothing else. `flags` ends with a row of NULLs.
 * Returns -1: go on. Else the status to end with: that of say_help() after --help; EXIT_SETTINGS for any
 * other word, after one line on stderr. */
int program_read_flags(int argc, char **argv, const struct program_flag *flags, int (*say_help)(void));

/* Lets TERM and INT ask the program to stop, without ending a call that is under way; PIPE is ignored, and
 * CHLD is not, so that children can be waited for. */
void program_catch_stops(void);

/* Whether TERM or INT has come. */
bool program_must_stop(void);

/* The descriptor that may be a listening socket: 3 where systemd has handed one over, else 0, as spawn-fcgi
 * does.
 */
int program_listen_fd(void);

/* Tells systemd that the program serves, so that `systemctl restart` of one process returns once its
 * successor does; nothing happens where systemd did not ask for it (NOTIFY_SOCKET, see sd_notify(3)). */
void program_say_ready(void);

/* Tells systemd that the program is alive, if it wants to know (WatchdogSec=) and was not told of late. A
 * process that is silent for so long is killed and started anew. Call it in each turn of a loop. */
void program_say_alive(void);

/* How long a loop may wait, at most max_ms, so that program_say_alive() is called in time; -1 counts as for
 * ever. */
int program_wait_ms(int max_ms);

/* Forbids core files and debuggers, because keys are in the memory of the process. */
void program_forbid_cores(void);

/* Raises the limit of open descriptors as far as we are allowed, to at most 8192: each connection takes one.
 */
void program_allow_descriptors(void);

/* Reads the settings from the environment and sets the log level; reads the secret too, if secret_box is not
 * NULL. Returns EXIT_SUCCESS; or EXIT_SETTINGS, after one line in the log, and the caller then has nothing to
 * release. */
int program_read_settings(struct settings *settings, struct secret_box *secret_box);

#endif
