#include "net/curl_api.h"

#include "base/library.h"

#include <dlfcn.h>

static const struct library_symbol symbols[] = {
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

static const char *const files[] = {"libcurl.so.4", "libcurl-gnutls.so.4", NULL};
static const struct library library = {.needs = "the network",
                                       .name = "libcurl",
                                       .since = "7.62",
                                       .packages = "libcurl4 or libcurl",
                                       .files = files,
                                       .symbols = symbols,
                                       .n = KE_ARRAY_LEN(symbols)};

static struct curl_api api;
static struct library_once once = LIBRARY_ONCE;

static int start(void *handle, struct err *e)
{
    void *trust = dlsym(handle, "SSL_CTX_set1_cert_store");
    memcpy(&api.trust, &trust, sizeof trust);
    return api.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK
               ? 0
               : err_set(e, ERR_UNSUPPORTED, "libcurl cannot be started");
}

int curl_api_load(const struct curl_api **out, struct err *e)
{
    int rc = library_load(&library, &once, &api, start, e);
    if (rc == 0)
        *out = &api;
    return rc;
}
