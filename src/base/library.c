#include "base/library.h"

#include <dlfcn.h>

static int load(const struct library *l, void *api, int (*ready)(void *handle, struct err *e),
                struct err *e)
{
    void *library = NULL;
    for (size_t i = 0; l->files[i] && !library; i++)
        library = dlopen(l->files[i], RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        const char *why = dlerror();
        return err_set(e, ERR_UNSUPPORTED,
                       "%s needs %s, which is not installed (%s): install %s (package %s)",
                       l->needs, l->name, why ? why : "no reason given", l->name, l->packages);
    }
    for (size_t i = 0; i < l->n; i++) {
        void *address = dlsym(library, l->symbols[i].name);
        if (!address)
            return err_set(e, ERR_UNSUPPORTED,
                           "the installed %s is too old (it has no %s): install %s %s or later",
                           l->name, l->symbols[i].name, l->name, l->since);
        memcpy((char *)api + l->symbols[i].at, &address, sizeof address);
    }
    return ready ? ready(library, e) : 0;
}

int library_load(const struct library *l, struct library_once *once, void *api,
                 int (*ready)(void *handle, struct err *e), struct err *e)
{
    if (!__atomic_load_n(&once->done, __ATOMIC_ACQUIRE)) {
        pthread_mutex_lock(&once->lock);
        if (!once->done) {
            load(l, api, ready, &once->failure);
            __atomic_store_n(&once->done, true, __ATOMIC_RELEASE);
        }
        pthread_mutex_unlock(&once->lock);
    }
    const struct err *failure = &once->failure;
    return failure->code < 0 ? err_set(e, failure->code, "%s", failure->text) : 0;
}
