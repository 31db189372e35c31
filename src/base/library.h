/* library.h - a shared library that is looked up when it is first used.
 *
 * Some bring dozens of others and milliseconds of start-up with them, which a scan must not pay
 * that needs neither network nor server. The functions that are used stand in a struct of pointers
 * (an "api") that has one owner, which is filled once. */
#ifndef KELLET_BASE_LIBRARY_H
#define KELLET_BASE_LIBRARY_H

#include "base/err.h"

#include <stddef.h>

struct library_symbol {
    const char *name;
    size_t at; /* offset of the pointer in the api */
};

struct library {
    const char *needs;        /* who: "the network" */
    const char *name, *since; /* "libcurl"; the oldest version that has all symbols */
    const char *packages;     /* what to install: "libcurl4 or libcurl" */
    const char *const *files; /* tried in order, ended by NULL */
    const struct library_symbol *symbols;
    size_t n;
};

/* Fills the api. The library stays loaded; *handle (MAY be NULL) is dlsym()'s. ERR_UNSUPPORTED,
 * with what to install, when it is not there or too old. Not to be called twice for one api:
 * callers have a pthread_once_t. */
int library_load(const struct library *l, void *api, void **handle, struct err *e);

#endif
