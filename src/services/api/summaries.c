#include "services/api/images.h"
#include "services/image.h"

struct summaries {
    struct call *c;
    struct image_filter filter;
    struct buf *out;
    size_t n;
};

static void put_text(struct buf *b, const char *key, str v, const char *sep)
{
    buf_addf(b, "    \"%s\": ", key);
    if (v.p)
        json_put_ascii(b, v);
    else
        buf_add_str(b, STR("null"));
    buf_add_str(b, str_z(sep));
}

static void put_seconds(struct buf *b, const char *key, int64_t us, const char *sep)
{
    if (us)
        buf_addf(b, "    \"%s\": %lld%s", key, (long long)(us / 1000000), sep);
    else
        buf_addf(b, "    \"%s\": null%s", key, sep);
}

static int put_tags(void *ctx, const struct image_record *r, struct err *e)
{
    struct summaries *s = ctx;
    struct buf *b = s->out;

    for (size_t i = 0; i < r->n_tags; i++) {
        const struct image_tag *t = &r->tags[i];
        buf_add_str(b, s->n++ ? STR(",\n  {\n") : STR("[\n  {\n"));
        put_text(b, "analysis_status", r->analysis_status, ",\n");
        put_seconds(b, "analyzed_at", r->analyzed, ",\n");
        put_seconds(b, "created_at", t->created, ",\n");
        put_text(b, "fulltag", t->fulltag, ",\n");
        put_text(b, "imageDigest", r->digest, ",\n");
        put_text(b, "imageId", r->id, ",\n");
        put_text(b, "image_status", r->image_status, ",\n");
        put_text(b, "parentDigest", r->parent_digest, ",\n");
        put_seconds(b, "tag_detected_at", t->detected, "\n  }");
    }
    return buf_check(b, "the answer", e);
}

static int read_all(struct db_tx *tx, void *ctx, struct err *e)
{
    struct summaries *s = ctx;

    s->n = 0;
    s->out = call_text(s->c);
    return image_each(tx, s->c->account, &s->filter, put_tags, s, e);
}

int summaries_imagetags(struct call *c)
{
    struct summaries s = {.c = c};
    str status = call_param(c, "image_status");

    s.filter.image_status = status.n ? status : STR("all");
    int rc = db_run(c->engine->db, DB_READ, read_all, &s, c->err);
    if (rc < 0)
        return rc;
    buf_add_str(s.out, s.n ? STR("\n]\n") : STR("[]\n"));
    return call_text_end(c, 200, "application/json");
}

const struct operation summary_operations[] = {
    {"list_imagetags", summaries_imagetags, 0},
    {0},
};
