/* The steps that all programs take at their start. */
#ifndef UPBEAT_FCGI_PROGRAM_H
#define UPBEAT_FCGI_PROGRAM_H

#include "base/secret_box.h"
#include "base/settings.h"

enum { EXIT_SETTINGS = 2 }; /* exit status for a bad setting or option */

/* Forbids core files and debuggers, because keys are in the memory of the process. */
void program_forbid_cores(void);

/* Raises the limit of open descriptors as far as we are allowed, to at most 4096: each connection takes one.
 */
void program_allow_descriptors(void);

/* Reads the settings from the environment and sets the log level; reads the secret too, if secret_box is not
 * NULL. Returns EXIT_SUCCESS; or EXIT_SETTINGS, after one line in the log, and the caller then has nothing to
 * release. */
int program_read_settings(struct settings *settings, struct secret_box *secret_box);

#endif
