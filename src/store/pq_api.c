#include "store/pq_api.h"

#include "base/library.h"

static const struct library_symbol symbols[] = {
#define PQ_SYMBOL(name) {"PQ" #name, offsetof(struct pq_api, name)},
    PQ_FUNCTIONS(PQ_SYMBOL)
#undef PQ_SYMBOL
};
static const char *const files[] = {"libpq.so.5", NULL};
static const struct library library = {.needs = "PostgreSQL",
                                       .name = "libpq",
                                       .since = "14",
                                       .packages = "libpq5",
                                       .files = files,
                                       .symbols = symbols,
                                       .n = KE_ARRAY_LEN(symbols)};

struct pq_api pq;
static struct library_once once = LIBRARY_ONCE;

int pq_load(struct err *e)
{
    return library_load(&library, &once, &pq, NULL, e);
}
