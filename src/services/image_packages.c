#include "services/image_packages.h"

#include "base/auto.h"
#include "base/map.h"
#include "services/package_identity.h"
#include "store/posting.h"

#include <stdlib.h>

/* So many packages get their numbers at a time, or fewer whose identities take BYTES. */
enum { GROUP = 1024, BYTES = 8 << 20, ARENA_MAX = BYTES + 2 * IDENTITY_MAX + (1 << 20) };

struct group {
    struct arena arena; /* identities */
    size_t n;
    struct posting_package list[GROUP];
    uint64_t names[GROUP][IDENTITY_NAMES_MAX];
};

static int group_add(struct group *g, const struct inventory *inv, const struct inv_package *p,
                     const struct package *owner, struct buf *bytes, struct err *e)
{
    struct package_identity identity;
    struct posting_package *package = &g->list[g->n];
    buf_clear(bytes);
    int r = package_identity_write(inv, p, owner, bytes, e);
    if (r < 0)
        return r;
    *package = (struct posting_package){.identity = arena_dup(&g->arena, buf_view(bytes)),
                                        .names = g->names[g->n]};
    if (!package->identity.p)
        return err_no_memory(e);
    r = package_identity_read(package->identity, &identity, e);
    if (r == 0)
        r = package_identity_names(&identity, g->names[g->n], &package->n_names, e);
    package->name = identity.p.name;
    g->n++;
    return r;
}

/* Their numbers go to ids. */
static int group_end(struct group *g, struct db_tx *tx, int64_t *ids, struct err *e)
{
    int r = posting_package_ids(tx, g->list, g->n, ids, NULL, e);
    g->n = 0;
    arena_done(&g->arena);
    return r;
}

static int number_all(struct db_tx *tx, const struct inventory *inv, const struct map *by_name,
                      int64_t *ids, struct err *e)
{
    autofree struct group *g = malloc(sizeof *g);
    auto_buf bytes;
    int r = g ? 0 : err_no_memory(e);
    buf_init(&bytes, IDENTITY_MAX);
    if (r < 0)
        return r;
    g->n = 0;
    arena_init(&g->arena, ARENA_MAX);
    for (size_t i = 0; r == 0 && i < inv->n_packages; i++) {
        const struct inv_package *p = &inv->packages[i];
        r = group_add(g, inv, p, p->owner.n ? map_get(by_name, p->owner) : NULL, &bytes, e);
        if (r == 0 && (g->n == GROUP || g->arena.used > BYTES || i + 1 == inv->n_packages))
            r = group_end(g, tx, ids + i + 1 - g->n, e);
    }
    arena_done(&g->arena);
    return r;
}

int image_packages_put(struct db_tx *tx, str account, str digest, int64_t since,
                       const struct inventory *inv, struct err *e)
{
    int64_t *ids autofree = calloc(inv->n_packages + 1, sizeof *ids);
    struct map by_name;
    int r = ids ? 0 : err_no_memory(e);
    map_init(&by_name);
    for (size_t i = 0; r == 0 && i < inv->n_packages; i++)
        if (!inv->packages[i].p.type->ecosystem &&
            !map_put(&by_name, inv->packages[i].p.name, (void *)&inv->packages[i].p))
            r = err_no_memory(e);
    if (r == 0)
        r = number_all(tx, inv, &by_name, ids, e);
    map_done(&by_name);
    return r < 0 ? r : posting_put(tx, account, digest, since, ids, inv->n_packages, e);
}
