#include "services/image_json.h"

#include "base/auto.h"

struct writer {
    struct buf *out;
    unsigned depth;
    bool any; /* a member stands before */
};

static void put_indent(struct buf *b, unsigned depth)
{
    static const char blanks[] = "                                ";
    unsigned n = depth * 2;

    buf_add_char(b, '\n');
    buf_add(b, blanks, n < sizeof blanks ? n : sizeof blanks - 1);
}

static void put_key(struct writer *w, const char *key)
{
    if (w->any)
        buf_add_char(w->out, ',');
    w->any = true;
    put_indent(w->out, w->depth);
    buf_add_char(w->out, '"');
    buf_add_str(w->out, str_z(key));
    buf_add_str(w->out, STR("\": "));
}

static void put_text(struct writer *w, const char *key, str v)
{
    put_key(w, key);
    if (v.p)
        json_put_ascii(w->out, v);
    else
        buf_add_str(w->out, STR("null"));
}

static void put_count(struct writer *w, const char *key, int64_t v)
{
    put_key(w, key);
    if (v < 0)
        buf_add_str(w->out, STR("null"));
    else
        buf_addf(w->out, "%lld", (long long)v);
}

static void put_when(struct writer *w, const char *key, int64_t us)
{
    struct arena a;

    arena_init(&a, 64 << 10);
    put_text(w, key, us ? time_text(&a, us) : (str){0});
    arena_done(&a);
}

static struct writer open_object(struct buf *out, unsigned depth)
{
    buf_add_char(out, '{');
    return (struct writer){.out = out, .depth = depth + 1};
}

static void close_object(struct writer *w)
{
    put_indent(w->out, w->depth - 1);
    buf_add_char(w->out, '}');
}

static void put_annotations(struct writer *w, str text)
{
    auto_json *doc = NULL;

    put_key(w, "annotations");
    if (str_eq(text, STR("{}"))) {
        buf_add_str(w->out, text);
        return;
    }
    yyjson_mut_doc *d = text.n && json_parse(text, "annotations", &doc, NULL) == 0
                            ? yyjson_doc_mut_copy(doc, NULL)
                            : NULL;
    if (!d || json_pretty_at(yyjson_mut_doc_get_root(d), w->depth, w->out, NULL) < 0)
        buf_add_str(w->out, STR("null"));
    yyjson_mut_doc_free(d);
}

static void put_content(struct writer *w, const struct image_record *r)
{
    put_key(w, "image_content");
    struct writer content = open_object(w->out, w->depth);
    put_key(&content, "metadata");
    struct writer m = open_object(w->out, content.depth);
    put_text(&m, "arch", r->arch);
    put_text(&m, "distro", r->distro);
    put_text(&m, "distro_version", r->distro_version);
    put_text(&m, "dockerfile_mode", r->dockerfile_mode);
    put_count(&m, "image_size", r->size);
    put_count(&m, "layer_count", r->layers);
    close_object(&m);
    close_object(&content);
}

static void put_joined(struct writer *w, const char *key, const struct image_tag *t, str digest)
{
    char text[1024];

    snprintf(text, sizeof text, "%.*s/%.*s@%.*s", STR_ARG(t->registry), STR_ARG(t->repo),
             STR_ARG(digest));
    put_text(w, key, str_z(text));
}

static void put_detail(struct buf *out, const struct image_record *r, const struct image_tag *t,
                       unsigned depth)
{
    int64_t updated = t->updated > r->updated ? t->updated : r->updated;
    struct writer w = open_object(out, depth);
    put_when(&w, "created_at", t->created);
    put_text(&w, "digest", r->digest);
    put_text(&w, "dockerfile", r->dockerfile);
    put_joined(&w, "fulldigest", t, r->digest);
    put_text(&w, "fulltag", t->fulltag);
    put_text(&w, "imageDigest", r->digest);
    put_text(&w, "imageId", r->id);
    put_when(&w, "last_updated", updated);
    put_text(&w, "registry", t->registry);
    put_text(&w, "repo", t->repo);
    put_text(&w, "tag", t->tag);
    put_when(&w, "tag_detected_at", t->detected);
    put_text(&w, "userId", r->account);
    close_object(&w);
}

static void put_details(struct writer *w, const struct image_record *r)
{
    put_key(w, "image_detail");
    if (!r->n_tags) {
        buf_add_str(w->out, STR("[]"));
        return;
    }
    for (size_t i = 0; i < r->n_tags; i++) {
        buf_add_char(w->out, i ? ',' : '[');
        put_indent(w->out, w->depth + 1);
        put_detail(w->out, r, &r->tags[i], w->depth + 1);
    }
    put_indent(w->out, w->depth);
    buf_add_char(w->out, ']');
}

void image_json_put(struct buf *out, const struct image_record *r, unsigned depth)
{
    struct writer w = open_object(out, depth);
    put_text(&w, "analysis_status", r->analysis_status);
    put_when(&w, "analyzed_at", r->analyzed);
    put_annotations(&w, r->annotations);
    put_when(&w, "created_at", r->created);
    put_text(&w, "imageDigest", r->digest);
    put_content(&w, r);
    put_details(&w, r);
    put_text(&w, "image_status", r->image_status);
    put_text(&w, "image_type", STR("docker"));
    put_when(&w, "last_updated", r->updated);
    put_text(&w, "parentDigest", r->parent_digest);
    put_text(&w, "userId", r->account);
    close_object(&w);
}

/* ---- answers -----------------------------------------------------------------------------------
 */

void image_json_begin(struct image_json_list *l, struct call *c)
{
    *l = (struct image_json_list){.out = call_text(c)};
}

int image_json_add(void *ctx, const struct image_record *r, struct err *e)
{
    struct image_json_list *l = ctx;

    buf_add_char(l->out, l->n++ ? ',' : '[');
    put_indent(l->out, 1);
    image_json_put(l->out, r, 1);
    return buf_check(l->out, "the answer", e);
}

int image_json_end(struct image_json_list *l, struct call *c)
{
    buf_add_str(l->out, l->n ? STR("\n]\n") : STR("[]\n"));
    return call_text_end(c, 200, "application/json");
}

int image_json_send(struct call *c, const struct image_record *r)
{
    struct image_json_list l;

    image_json_begin(&l, c);
    int rc = image_json_add(&l, r, c->err);
    return rc < 0 ? rc : image_json_end(&l, c);
}
