#include "store/pq_api.h"

#include "base/library.h"

#include <pthread.h>

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
static struct err failure;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load_once(void)
{
    library_load(&library, &pq, NULL, &failure);
}

int pq_load(struct err *e)
{
    pthread_once(&once, load_once);
    return failure.code < 0 ? err_set(e, failure.code, "%s", failure.text) : 0;
}
