#include "services/api/images.h"
#include "services/image.h"

enum { DIGESTS_MAX = 1000 };

struct deletion {
    struct call *c;
    str digest, id; /* one of them */
    bool force;
    enum image_deletion outcome;
    str why;
};

static int delete_in(struct db_tx *tx, void *ctx, struct err *e)
{
    struct deletion *x = ctx;
    struct image_record r;

    if (x->id.p) {
        int rc = image_get_by_id(tx, &x->c->arena, x->c->account, x->id, &r, e);
        if (rc < 0)
            return rc;
        x->digest = rc ? r.digest : x->id;
    }
    return image_delete(tx, &x->c->arena, x->c->account, x->digest, x->force, &x->outcome, &x->why,
                        e);
}

static yyjson_mut_val *outcome_value(yyjson_mut_doc *d, const struct deletion *x)
{
    static const char *const words[] = {
        [IMAGE_DELETING] = "deleting",
        [IMAGE_DELETE_FAILED] = "delete_failed",
        [IMAGE_DELETE_NOT_FOUND] = "not_found",
    };
    yyjson_mut_val *o = yyjson_mut_obj(d);

    put_str(d, o, "detail",
            x->outcome == IMAGE_DELETE_NOT_FOUND ? STR("No image found with the digest") : x->why);
    put_str(d, o, "digest", x->digest);
    put_str(d, o, "status", str_z(words[x->outcome]));
    return o;
}

static int send_one(struct deletion *x)
{
    struct call *c = x->c;
    int rc = db_run(c->engine->db, DB_WRITE, delete_in, x, c->err);
    if (rc < 0)
        return rc;
    yyjson_mut_doc *d = call_doc(c);
    return call_send(c, 200, d, outcome_value(d, x));
}

int images_delete_one(struct call *c)
{
    struct deletion x = {
        .c = c, .digest = call_param(c, "imageDigest"), .force = call_flag(c, "force", false)};
    return send_one(&x);
}

static int delete_by_id(struct call *c)
{
    struct deletion x = {
        .c = c, .id = call_param(c, "imageId"), .force = call_flag(c, "force", false)};
    return send_one(&x);
}

int images_delete_many(struct call *c)
{
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *list = yyjson_mut_arr(d);
    str rest = call_param(c, "imageDigests");
    size_t n = 0;

    while (rest.n) {
        struct deletion x = {.c = c, .force = call_flag(c, "force", false)};
        x.digest = str_trim(str_split(&rest, ','));
        if (++n > DIGESTS_MAX)
            return call_error(c, 400, "at most %d images can be deleted at a time", DIGESTS_MAX);
        int rc = db_run(c->engine->db, DB_WRITE, delete_in, &x, c->err);
        if (rc < 0)
            return rc;
        yyjson_mut_arr_append(list, outcome_value(d, &x));
    }
    return call_send(c, 200, d, list);
}

const struct operation image_delete_operations[] = {
    {"delete_image", images_delete_one, 0},
    {"delete_image_by_imageId", delete_by_id, 0},
    {"delete_images_async", images_delete_many, 0},
    {0},
};
