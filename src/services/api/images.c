#include "services/api/images.h"

#include "services/image_json.h"

/* ---- one ---------------------------------------------------------------------------------------
 */

struct one {
    struct call *c;
    str key;
    int (*find)(struct db_tx *tx, struct arena *a, str account, str key, struct image_record *out,
                struct err *e);
    struct image_record record;
    int found;
};

static int read_one(struct db_tx *tx, void *ctx, struct err *e)
{
    struct one *o = ctx;

    o->found = o->find(tx, &o->c->arena, o->c->account, o->key, &o->record, e);
    return o->found;
}

static int send_one(struct one *o)
{
    int rc = db_run(o->c->engine->db, DB_READ, read_one, o, o->c->err);
    if (rc < 0)
        return rc;
    if (!o->found)
        return call_error(o->c, 404, "image not found in DB");
    return image_json_send(o->c, &o->record);
}

int images_get(struct call *c)
{
    struct one o = {.c = c, .key = call_param(c, "imageDigest"), .find = image_get};
    return send_one(&o);
}

static int get_by_id(struct call *c)
{
    struct one o = {.c = c, .key = call_param(c, "imageId"), .find = image_get_by_id};
    return send_one(&o);
}

/* ---- many --------------------------------------------------------------------------------------
 */

struct many {
    struct call *c;
    struct image_filter filter;
    struct image_json_list list;
};

static int read_many(struct db_tx *tx, void *ctx, struct err *e)
{
    struct many *m = ctx;

    image_json_begin(&m->list, m->c);
    return image_each(tx, m->c->account, &m->filter, image_json_add, &m->list, e);
}

static int bad_name(struct call *c, const struct err *why)
{
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *detail = yyjson_mut_obj(d);

    put_str(d, detail, "raw_exception_message", str_z(why->text));
    return call_error_detail(c, 400, STR("cannot handle image input string"), d, detail);
}

int images_list(struct call *c)
{
    struct many m = {.c = c};
    struct fulltag name = {0};
    struct err why = {0};
    str tag = call_param(c, "fulltag");

    if (!tag.n)
        tag = call_param(c, "tag"); /* of the catalog's route */
    if (tag.n && fulltag_parse(tag, &c->arena, &name, &why) < 0)
        return bad_name(c, &why);
    m.filter = (struct image_filter){
        .fulltag = name.fulltag,
        .digest = name.digest.p ? name.digest : call_param(c, "digest"),
        .image_status = call_param(c, "image_status"),
        .analysis_status = call_param(c, "analysis_status"),
        .history = call_flag(c, "history", false),
    };
    int rc = db_run(c->engine->db, DB_READ, read_many, &m, c->err);
    if (rc < 0)
        return rc;
    if (tag.n && !m.list.n)
        return call_error(c, 404, "image data not found in DB");
    return image_json_end(&m.list, c);
}

const struct operation image_operations[] = {
    {"list_images", images_list, 0},
    {"get_image", images_get, 0},
    {"get_image_by_imageId", get_by_id, 0},
    {0},
};
