#include "net/mhd_api.h"

#include "base/library.h"

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
static struct library_once once = LIBRARY_ONCE;

int mhd_load(struct err *e)
{
    return library_load(&library, &once, &mhd, NULL, e);
}
