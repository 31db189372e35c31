#include "net/mhd_api.h"

#include "base/library.h"

#include <pthread.h>

static const struct library_symbol symbols[] = {
#define MHD_SYMBOL(name) {"MHD_" #name, offsetof(struct mhd_api, name)},
    MHD_FUNCTIONS(MHD_SYMBOL)
#undef MHD_SYMBOL
};
static const char *const files[] = {"libmicrohttpd.so.12", NULL};
static const struct library library = {.needs = "the engine",
                                       .name = "libmicrohttpd",
                                       .since = "0.9.75",
                                       .packages = "libmicrohttpd12",
                                       .files = files,
                                       .symbols = symbols,
                                       .n = KE_ARRAY_LEN(symbols)};

struct mhd_api mhd;
static struct err failure;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load_once(void)
{
    library_load(&library, &mhd, NULL, &failure);
}

int mhd_load(struct err *e)
{
    pthread_once(&once, load_once);
    return failure.code < 0 ? err_set(e, failure.code, "%s", failure.text) : 0;
}
