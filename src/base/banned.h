/* banned.h - functions that no code of this project may call; using one is a compile error.
 * Included by the build for every file (-include), so nothing has to remember it. */
#ifndef KELLET_BASE_BANNED_H
#define KELLET_BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#undef alloca

#pragma GCC poison strcpy strcat sprintf vsprintf strncpy strncat stpcpy gets
#pragma GCC poison strtok strtok_r atoi atol atoll atof sscanf vsscanf
#pragma GCC poison alloca system popen tmpnam tempnam mktemp
#pragma GCC poison gmtime localtime ctime asctime

#endif
