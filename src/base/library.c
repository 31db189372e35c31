#include "base/library.h"

#include <dlfcn.h>

int library_load(const struct library *l, void *api, void **handle, struct err *e)
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
    if (handle)
        *handle = library;
    return 0;
}
