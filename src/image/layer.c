#include "image/layer.h"

#include "image/readahead.h"

#include <stdlib.h>

/* A gzip member cannot expand more than 1,032 times; only what is both large and denser than that
 * (zstd made by hand) is refused before the size limit. */
enum { LAYER_MAX_RATIO = 1100 };
static const uint64_t LAYER_RATIO_GRACE = 32ull << 30;
static const uint64_t LAYER_MAX_SIZE = 1ull << 40;

/* The stack of one layer, from the bottom up. */
struct stack {
    struct digest_ctx *raw_digest, *plain_digest, *contents;
    struct stream *counted, *head, *hashed, *inflated, *ahead, *plain;
    enum compression compression;
};

/* ---- counting bytes for the progress display
 * ------------------------------------------------------- */

struct counter {
    struct stream s;
    struct stream *below;
    uint64_t *total;
};

static int counter_fill(struct stream *s, struct err *e)
{
    struct counter *c = (struct counter *)s;
    const uint8_t *p;
    int64_t have = stream_view(c->below, &p, e);
    if (have < 0)
        return (int)have;
    stream_consume(c->below, (size_t)have);
    s->p = p;
    s->end = p + have;
    s->eof = have == 0;
    if (c->total)
        __atomic_fetch_add(c->total, (uint64_t)have, __ATOMIC_RELAXED);
    return 0;
}

static void counter_close(struct stream *s)
{
    free(s);
}

static const struct stream_ops counter_ops = {
    .name = "count", .fill = counter_fill, .close = counter_close};

static int counter_open(struct stream *below, uint64_t *total, struct stream **out, struct err *e)
{
    struct counter *c = calloc(1, sizeof *c);
    if (!c)
        return err_no_memory(e);
    c->s.ops = &counter_ops;
    c->below = below;
    c->total = total;
    *out = &c->s;
    return 0;
}

/* ---- the stack
 * ---------------------------------------------------------------------------------------- */

static void stack_close(struct stack *k)
{
    if (k->contents)
        digest_part(k->contents);
    stream_close(k->plain);
    stream_close(k->ahead);
    stream_close(k->inflated);
    stream_close(k->hashed);
    stream_close(k->head);
    stream_close(k->counted);
    digest_free(k->raw_digest);
    digest_free(k->plain_digest);
}

static int stack_open(struct stack *k, struct stream *raw, const struct layer_options *o,
                      struct err *e)
{
    struct inflate_limits limits = {.max_out = o->max_size ? o->max_size : LAYER_MAX_SIZE,
                                    .max_ratio = LAYER_MAX_RATIO,
                                    .grace = LAYER_RATIO_GRACE};
    int r = counter_open(raw, o->progress, &k->counted, e);
    if (r == 0)
        r = stream_head(k->counted, STREAM_HEAD_MAX, &k->head, e);
    if (r == 0)
        r = stream_sniff(k->head, &k->compression, e);
    if (r == 0)
        r = digest_new(&k->plain_digest, e);
    struct stream *top = k->head;
    if (r == 0 && k->compression != COMP_NONE) {
        r = digest_new(&k->raw_digest, e);
        if (r == 0)
            r = stream_digest(top, k->raw_digest, &k->hashed, e);
        if (r == 0)
            r = stream_inflate(k->hashed, k->compression, &limits, &k->inflated, e);
        top = k->inflated;
    }
    if (r == 0 && o->second_thread) {
        r = readahead_open(top, &k->ahead, e);
        top = k->ahead;
    }
    if (r == 0)
        r = stream_digest(top, k->plain_digest, &k->plain, e);
    if (r == 0 && o->contents) {
        k->contents = o->contents;
        digest_beside(k->contents, k->plain_digest);
    }
    return r;
}

/* Reads both ends to the end and takes the digests. */
static int stack_finish(struct stack *k, struct layer_result *out, struct err *e)
{
    int r = stream_drain(k->plain, e);
    if (r < 0)
        return r;
    out->plain_size = k->plain->consumed;
    out->diff_id = digest_final(k->plain_digest);
    stream_close(k->plain);
    stream_close(k->ahead);
    k->plain = k->ahead = NULL;
    if (k->compression == COMP_NONE) {
        out->digest = out->diff_id;
    } else {
        r = stream_drain(k->hashed, e); /* what follows the compressed data is part of the blob */
        if (r < 0)
            return r;
        out->digest = digest_final(k->raw_digest);
    }
    out->size = k->counted->consumed;
    out->digests_known = true;
    return 0;
}

/* After broken data: reads the blob's bytes to their end all the same, since only the digest of the
 * whole tells a damaged transfer from a damaged image. */
static void stack_digest_rest(struct stack *k, struct layer_result *out)
{
    stream_close(k->plain);
    stream_close(k->ahead);
    k->plain = k->ahead = NULL;
    if (!k->hashed || stream_drain(k->hashed, NULL) < 0)
        return;
    out->digest = digest_final(k->raw_digest);
    out->size = k->counted->consumed;
    out->digests_known = true;
}

/* ---- entries
 * ------------------------------------------------------------------------------------------- */

static int layer_whiteout(const struct layer_visitor *v, const struct tar_entry *entry, str base,
                          struct err *e)
{
    str dir = str_dirname(entry->path);
    if (str_eq(base, STR(".wh..wh..opq")))
        return v->hides(v->ctx, dir, HIDES_BELOW, e);
    if (str_starts(base, STR(".wh..wh.")) || base.n == 4)
        return 0;
    char path[4096];
    str name = str_from(base, 4);
    int n =
        snprintf(path, sizeof path, "%.*s%s%.*s", STR_ARG(dir), dir.n ? "/" : "", STR_ARG(name));
    if (n < 0 || (size_t)n >= sizeof path) {
        v->odd(v->ctx, entry->path, "limit", "the path of a whiteout is too long");
        return 0;
    }
    return v->hides(v->ctx, (str){path, (size_t)n}, HIDES_ALL, e);
}

static int layer_entry(const struct layer_visitor *v, const struct tar_entry *entry,
                       struct stream *content, struct err *e)
{
    if (entry->unsafe) {
        v->odd(v->ctx, entry->path, "unsafe-path", "the path leaves the image (\"..\"): left out");
        return 0;
    }
    if (entry->path.n == 0) {
        if (v->other && entry->type == TAR_DIR)
            v->other(v->ctx, entry);
        return 0;
    }
    str base = str_basename(entry->path);
    if (str_starts(base, STR(".wh.")))
        return layer_whiteout(v, entry, base, e);
    if (str_contains(entry->path, STR("/.wh..wh.")) || str_starts(entry->path, STR(".wh..wh.")))
        return 0;
    int r = v->hides(v->ctx, entry->path, entry->type == TAR_DIR ? HIDES_SELF : HIDES_ALL, e);
    if (r < 0)
        return r;
    if (entry->type == TAR_FILE)
        return v->file(v->ctx, entry, content, e);
    if (entry->type == TAR_HARDLINK || entry->type == TAR_SYMLINK)
        r = v->link(v->ctx, entry, e);
    if (r == 0 && v->other)
        v->other(v->ctx, entry);
    return r;
}

/* 0 at the end of the archive; out->tar_result says how the tar ended. */
static int layer_entries(struct stream *plain, const struct layer_options *o,
                         const struct layer_visitor *v, struct layer_result *out, struct err *e)
{
    struct tar *t;
    struct tar_entry entry;
    int r = tar_open(plain, &o->tar, &t, e);
    if (r < 0)
        return r;
    while ((r = tar_next(t, &entry, &out->tar_error)) == 1) {
        out->entries++;
        r = layer_entry(v, &entry, tar_content(t), e);
        if (r < 0)
            break;
        r = 1;
    }
    /* a visitor that could not read the content because the archive ends there */
    struct stream *content = tar_content(t);
    if (r < 0 && content && content->failure.code && !plain->failure.code)
        out->tar_error = content->failure;
    bool visitor_stopped = r < 0 && out->tar_error.code == 0;
    if (r < 0 && !visitor_stopped)
        out->tar_result = r;
    tar_close(t);
    return visitor_stopped ? r : 0;
}

int layer_walk(struct stream *raw, const struct layer_options *o, const struct layer_visitor *v,
               struct layer_result *out, struct err *e)
{
    struct stack k = {0};
    *out = (struct layer_result){0};
    int r = stack_open(&k, raw, o, e);
    if (r == 0)
        r = layer_entries(k.plain, o, v, out, e);
    if (r == 0 && k.plain->failure.code) {
        r = k.plain->failure.code;
        *e = k.plain->failure;
    }
    if (r == 0)
        r = stack_finish(&k, out, e);
    if (r == ERR_FORMAT || r == ERR_LIMIT)
        stack_digest_rest(&k, out);
    stack_close(&k);
    return r;
}
