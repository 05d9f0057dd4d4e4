/* Included in front of every source of ours: calls that have no bound of their own do not compile. */
#ifndef UPBEAT_BASE_BANNED_H
#define UPBEAT_BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#pragma GCC poison strcpy strcat sprintf vsprintf gets strtok atoi atol atoll strncpy strncat

#endif
