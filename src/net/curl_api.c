#include "net/curl_api.h"

#include <dlfcn.h>
#include <stddef.h>
#include <pthread.h>

static const struct {
    const char *name;
    size_t at;
} symbols[] = {
    {"curl_easy_init", offsetof(struct curl_api, handle_new)},
    {"curl_easy_cleanup", offsetof(struct curl_api, handle_free)},
    {"curl_easy_reset", offsetof(struct curl_api, handle_reset)},
    {"curl_easy_setopt", offsetof(struct curl_api, setopt)},
    {"curl_easy_getinfo", offsetof(struct curl_api, getinfo)},
    {"curl_easy_perform", offsetof(struct curl_api, perform)},
    {"curl_easy_strerror", offsetof(struct curl_api, strerror)},
    {"curl_slist_append", offsetof(struct curl_api, slist_append)},
    {"curl_slist_free_all", offsetof(struct curl_api, slist_free)},
    {"curl_url", offsetof(struct curl_api, url_new)},
    {"curl_url_cleanup", offsetof(struct curl_api, url_free)},
    {"curl_url_set", offsetof(struct curl_api, url_set)},
    {"curl_url_get", offsetof(struct curl_api, url_get)},
    {"curl_free", offsetof(struct curl_api, free)},
    {"curl_version_info", offsetof(struct curl_api, version_info)},
    {"curl_global_init", offsetof(struct curl_api, global_init)},
};

static const char *const libraries[] = {"libcurl.so.4", "libcurl-gnutls.so.4"};

/* Written once, under `once`. */
static struct curl_api api;
static struct err failure;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static int load(struct err *e)
{
    void *library = NULL;
    for (size_t i = 0; i < KE_ARRAY_LEN(libraries) && !library; i++)
        library = dlopen(libraries[i], RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        const char *why = dlerror();
        return err_set(e, ERR_UNSUPPORTED,
                       "the network needs libcurl, which is not installed (%s): install libcurl "
                       "(package libcurl4 or libcurl)",
                       why ? why : "no reason given");
    }
    for (size_t i = 0; i < KE_ARRAY_LEN(symbols); i++) {
        void *address = dlsym(library, symbols[i].name);
        if (!address)
            return err_set(e, ERR_UNSUPPORTED,
                           "the installed libcurl is too old (it has no %s): install libcurl 7.62 "
                           "or later",
                           symbols[i].name);
        memcpy((char *)&api + symbols[i].at, &address, sizeof address);
    }
    if (api.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return err_set(e, ERR_UNSUPPORTED, "libcurl cannot be started");
    return 0;
}

static void load_once(void)
{
    load(&failure);
}

int curl_api_load(const struct curl_api **out, struct err *e)
{
    pthread_once(&once, load_once);
    if (failure.code < 0)
        return err_set(e, failure.code, "%s", failure.text);
    *out = &api;
    return 0;
}
