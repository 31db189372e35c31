/* library.h - a shared library that is looked up when it is first used.
 *
 * Some bring dozens of others and milliseconds of start-up with them, which a scan must not pay
 * that needs neither network nor server. The functions that are used stand in a struct of pointers
 * (an "api") that has one owner, which is filled once. */
#ifndef KELLET_BASE_LIBRARY_H
#define KELLET_BASE_LIBRARY_H

#include "base/err.h"

#include <pthread.h>
#include <stdbool.h>
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

/* What became of an api: static, one for each; fields are library.c's own. */
struct library_once {
    pthread_mutex_t lock;
    bool done; /* atomic */
    struct err failure;
};
#define LIBRARY_ONCE                                                                               \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER                                                          \
    }

/* Fills the api at the first call, from any thread; the library stays loaded. `ready`, MAY be NULL,
 * is the last step of loading: handle is dlsym()'s. ERR_UNSUPPORTED, with what to install, when it
 * is not there or too old; what failed once fails at every call. */
int library_load(const struct library *l, struct library_once *once, void *api,
                 int (*ready)(void *handle, struct err *e), struct err *e);

#endif
