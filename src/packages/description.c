#include "packages/description.h"

#include "base/cursor.h"

enum { MAX_TAGS = 10000, MAX_LAYERS = 4096, MAX_PROBLEMS = 10000 };

void description_done(struct description *d)
{
    vec_done(&d->tags);
    vec_done(&d->layers);
    vec_done(&d->problems);
}

static void put(struct buf *out, str s)
{
    buf_add_varint(out, s.n);
    buf_add_str(out, s);
}

void description_encode(const struct description *d, struct buf *out)
{
    const str head[] = {d->manifest_digest, d->config_digest, d->os,
                        d->architecture,    d->variant,       d->created,
                        d->manifest_json,   d->config_json};
    for (size_t i = 0; i < KE_ARRAY_LEN(head); i++)
        put(out, head[i]);
    buf_add_varint(out, d->tags.n);
    for (size_t i = 0; i < d->tags.n; i++)
        put(out, d->tags.p[i]);
    buf_add_varint(out, d->layers.n);
    for (size_t i = 0; i < d->layers.n; i++) {
        put(out, d->layers.p[i].diff_id);
        put(out, d->layers.p[i].digest);
        put(out, d->layers.p[i].media_type);
        buf_add_varint(out, d->layers.p[i].size);
    }
    buf_add_varint(out, d->problems.n);
    for (size_t i = 0; i < d->problems.n; i++) {
        put(out, d->problems.p[i].path);
        put(out, d->problems.p[i].what);
        put(out, d->problems.p[i].detail);
        buf_add_varint(out, (uint64_t)(d->problems.p[i].layer + 1));
    }
}

static str get(struct cursor *c, struct arena *a)
{
    return arena_dup(a, cursor_text(c));
}

static size_t get_count(struct cursor *c, size_t max)
{
    uint64_t n = cursor_varint(c);
    if (n > max)
        c->failed = true;
    return c->failed ? 0 : (size_t)n;
}

static bool get_layers(struct cursor *c, struct description *d)
{
    size_t n = get_count(c, MAX_LAYERS);
    for (size_t i = 0; i < n && cursor_ok(c); i++) {
        struct layer_ref *layer = vec_push(&d->layers);
        if (!layer)
            return false;
        layer->diff_id = get(c, d->arena);
        layer->digest = get(c, d->arena);
        layer->media_type = get(c, d->arena);
        layer->size = cursor_varint(c);
    }
    return true;
}

static bool get_problems(struct cursor *c, struct description *d)
{
    size_t n = get_count(c, MAX_PROBLEMS);
    for (size_t i = 0; i < n && cursor_ok(c); i++) {
        struct inv_problem *p = vec_push(&d->problems);
        if (!p)
            return false;
        p->path = get(c, d->arena);
        p->what = get(c, d->arena);
        p->detail = get(c, d->arena);
        uint64_t layer = cursor_varint(c);
        if (layer > d->layers.n)
            c->failed = true;
        p->layer = (int32_t)layer - 1;
    }
    return true;
}

int description_decode(str data, struct description *d, struct err *e)
{
    struct cursor c = cursor_over(data.p, data.n);
    str *head[] = {&d->manifest_digest, &d->config_digest, &d->os,
                   &d->architecture,    &d->variant,       &d->created,
                   &d->manifest_json,   &d->config_json};
    for (size_t i = 0; i < KE_ARRAY_LEN(head); i++)
        *head[i] = get(&c, d->arena);
    size_t tags = get_count(&c, MAX_TAGS);
    bool memory = true;
    for (size_t i = 0; i < tags && cursor_ok(&c) && memory; i++) {
        str *tag = vec_push(&d->tags);
        memory = tag != NULL;
        if (tag)
            *tag = get(&c, d->arena);
    }
    memory = memory && get_layers(&c, d) && get_problems(&c, d);
    if (!memory || d->arena->full)
        return err_no_memory(e);
    if (!cursor_ok(&c) || cursor_left(&c))
        return err_set(e, ERR_FORMAT, "the analyser's description of the image is malformed");
    return 0;
}
