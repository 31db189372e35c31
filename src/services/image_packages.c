#include "services/image_packages.h"

#include "base/auto.h"
#include "base/map.h"
#include "services/package_identity.h"
#include "store/posting.h"

#include <stdlib.h>

static int number_of(struct db_tx *tx, const struct inventory *inv, const struct inv_package *p,
                     const struct package *owner, struct buf *bytes, int64_t *id, struct err *e)
{
    struct package_identity identity;
    uint64_t names[IDENTITY_NAMES_MAX];
    struct posting_package package = {.names = names};
    buf_clear(bytes);
    int r = package_identity_write(inv, p, owner, bytes, e);
    if (r == 0)
        r = package_identity_read(buf_view(bytes), &identity, e);
    if (r == 0)
        r = package_identity_names(&identity, names, &package.n_names, e);
    package.identity = buf_view(bytes);
    package.name = identity.p.name;
    return r < 0 ? r : posting_package_id(tx, &package, id, NULL, e);
}

int image_packages_put(struct db_tx *tx, str account, str digest, int64_t since,
                       const struct inventory *inv, struct err *e)
{
    int64_t *ids autofree = calloc(inv->n_packages + 1, sizeof *ids);
    struct map by_name;
    auto_buf bytes;
    int r = ids ? 0 : err_no_memory(e);
    buf_init(&bytes, IDENTITY_MAX);
    map_init(&by_name);
    for (size_t i = 0; r == 0 && i < inv->n_packages; i++)
        if (!inv->packages[i].p.type->ecosystem &&
            !map_put(&by_name, inv->packages[i].p.name, (void *)&inv->packages[i].p))
            r = err_no_memory(e);
    for (size_t i = 0; r == 0 && i < inv->n_packages; i++) {
        const struct inv_package *p = &inv->packages[i];
        r = number_of(tx, inv, p, p->owner.n ? map_get(&by_name, p->owner) : NULL, &bytes, &ids[i],
                      e);
    }
    map_done(&by_name);
    return r < 0 ? r : posting_put(tx, account, digest, since, ids, inv->n_packages, e);
}
