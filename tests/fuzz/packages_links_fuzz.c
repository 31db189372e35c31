/* Links as lines "path target"; every known path is resolved through them. What comes out has
 * neither ".." nor "." nor empty components, and ends. */
#include "packages/links.h"

struct links {
    struct {
        str path, target;
    } items[64];
    size_t n;
};

static str find(void *ctx, str path)
{
    const struct links *l = ctx;
    for (size_t i = 0; i < l->n; i++)
        if (str_eq(l->items[i].path, path))
            return l->items[i].target;
    return (str){0};
}

static void check_clean(str path)
{
    while (path.n) {
        str part = str_split(&path, '/');
        if (part.n == 0 || str_eq(part, STR(".")) || str_eq(part, STR("..")))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct links l = {0};
    str rest = {(const char *)data, size};
    while (rest.n && l.n < KE_ARRAY_LEN(l.items)) {
        str line = str_split(&rest, '\n');
        l.items[l.n].path = str_split(&line, ' ');
        l.items[l.n].target = line;
        link_matters(l.items[l.n].path);
        l.n++;
    }
    struct link_view view = {find, &l};
    struct arena a;
    arena_init(&a, 4 << 20);
    for (const str *known = known_paths; known->n; known++) {
        str real;
        if (link_resolve(&view, *known, &a, &real, NULL) == 1)
            check_clean(real);
    }
    arena_done(&a);
    return 0;
}
