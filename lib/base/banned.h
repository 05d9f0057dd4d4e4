/* The compiler includes this before every source file. Functions that do not know how long a buffer is, or
 * that can not report a bad number, do not compile. */
#ifndef UPBEAT_BASE_BANNED_H
#define UPBEAT_BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#pragma GCC poison strcpy strcat sprintf vsprintf gets strtok atoi atol atoll strncpy strncat

#endif
