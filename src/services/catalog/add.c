#include "services/catalog/add.h"

#include "services/subscription.h"

struct add_ctx {
    struct engine *en;
    struct arena *a;
    const struct catalog_add *add;
    const struct catalog_lookup *found;
    struct image_record *out;
};

bool catalog_is_oversized(const struct config *c, const struct catalog_lookup *found)
{
    return c->max_compressed_image_size_mb >= 0 &&
           found->compressed_size / CATALOG_MB >= c->max_compressed_image_size_mb &&
           found->compressed_size > c->max_compressed_image_size_mb * CATALOG_MB;
}

static int add_in(struct db_tx *tx, void *ctx, struct err *e)
{
    const struct add_ctx *x = ctx;
    const struct catalog_add *add = x->add;
    const struct image_add image = {
        .account = add->account,
        .digest = x->found->digest,
        .parent_digest = x->found->parent_digest,
        .id = x->found->image_id,
        .name = add->name,
        .annotations = add->annotations,
        .dockerfile = add->dockerfile,
        .manifest = x->found->manifest,
        .parent_manifest = x->found->parent_manifest,
        .created = add->created,
        .force = add->force,
        .why = add->why,
    };
    int rc = image_put(tx, x->en->documents, &image, e);
    if (rc >= 0 && add->watch && add->name.fulltag.p)
        rc = subscription_add_tag(tx, add->account, add->name.fulltag, add->autosubscribe, e);
    if (rc >= 0)
        rc = image_get(tx, x->a, add->account, x->found->digest, x->out, e);
    return rc == 0 ? err_set(e, ERR_IO, "an image is gone while it is added") : rc;
}

int catalog_add_found(struct engine *en, struct arena *a, const struct catalog_add *add,
                      const struct catalog_lookup *found, struct image_record *out, struct err *e)
{
    struct add_ctx x = {en, a, add, found, out};
    int rc;

    if (catalog_is_oversized(en->config, found))
        return err_set(e, ERR_LIMIT,
                       "Image size is too large based on max size specified in the configuration");
    rc = db_run(en->db, DB_WRITE, add_in, &x, e);
    return rc < 0 ? rc : 0;
}
