/* analyst_image.c - index -> manifest -> configuration -> layers, and the pool that reads layers.
 */
#include "base/auto.h"
#include "packages/analyst_internal.h"

enum { INDEX_DEPTH_MAX = 4, NAMES_MAX = 100, NAME_MAX_BYTES = 1024 };

/* ---- the pool
 * -------------------------------------------------------------------------------------------- */

struct pool {
    struct analyst *an;
    const struct image_reader *reader;
    const struct descriptor *layers;
    size_t n;
    size_t next; /* atomic */
    pthread_mutex_t lock;
    int result; /* the first failure */
    struct err failure;
};

static int pool_layer(struct pool *p, size_t i, struct err *e)
{
    uint64_t known = 0;
    str diff_id = p->an->description.layers.p[i].diff_id;
    for (size_t j = 0; j < i; j++) /* the same layer twice: once is enough */
        if (str_eq(p->an->description.layers.p[j].diff_id, diff_id))
            return 0;
    auto_buf body;
    buf_init(&body, MESSAGE_MAX);
    message_put_str(&body, diff_id);
    int r = analyst_ask(p->an, MSG_HAVE, &body, -1, NULL, &known, NULL, 0, e);
    if (r < 0)
        return r;
    if (known == 0)
        return p->reader->layer(p->reader->ctx, (int32_t)i, &p->layers[i], e);
    struct analyst_progress *progress = p->an->options->progress;
    if (progress) {
        __atomic_fetch_add(&progress->layers_done, 1, __ATOMIC_RELAXED);
        __atomic_fetch_add(&progress->bytes, p->layers[i].size, __ATOMIC_RELAXED);
    }
    return 0;
}

static void *pool_run(void *arg)
{
    struct pool *p = arg;
    for (;;) {
        size_t i = __atomic_fetch_add(&p->next, 1, __ATOMIC_RELAXED);
        if (i >= p->n)
            return NULL;
        struct err e = {0};
        int r = pool_layer(p, i, &e);
        if (r < 0) {
            pthread_mutex_lock(&p->lock);
            if (p->result == 0) {
                p->result = r;
                p->failure = e;
            }
            pthread_mutex_unlock(&p->lock);
            __atomic_store_n(&p->next, p->n, __ATOMIC_RELAXED);
        }
    }
}

static int pool_layers(struct analyst *an, const struct image_reader *reader,
                       const struct descriptor *layers, size_t n, struct err *e)
{
    struct pool p = {.an = an, .reader = reader, .layers = layers, .n = n};
    pthread_t threads[64];
    size_t want = reader->one_at_a_time ? 1 : an->options->threads, started = 0;
    if (want > n)
        want = n;
    if (want > KE_ARRAY_LEN(threads))
        want = KE_ARRAY_LEN(threads);
    pthread_mutex_init(&p.lock, NULL);
    while (started + 1 < want && pthread_create(&threads[started], NULL, pool_run, &p) == 0)
        started++;
    pool_run(&p);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    pthread_mutex_destroy(&p.lock);
    if (p.result < 0)
        *e = p.failure;
    return p.result;
}

/* ---- configuration and layers
 * ---------------------------------------------------------------------------- */

static void describe_platform(struct description *d, const struct platform *p)
{
    d->os = p->os;
    d->architecture = p->architecture;
    d->variant = p->variant;
}

static int describe_layers(struct analyst *an, const struct image_config *config,
                           const struct descriptor *layers, size_t n, struct err *e)
{
    struct analyst_progress *progress = an->options->progress;
    uint64_t total = 0;
    if (config->n_diff_ids != n)
        return err_set(e, ERR_FORMAT, "the manifest lists %zu layers, the configuration %zu", n,
                       config->n_diff_ids);
    for (size_t i = 0; i < n; i++) {
        struct layer_ref *layer = vec_push(&an->description.layers);
        if (!layer)
            return err_no_memory(e);
        *layer = (struct layer_ref){config->diff_ids[i], layers[i].digest, layers[i].media_type,
                                    layers[i].size};
        total += layers[i].size;
        for (size_t j = 0; j < i && layers[i].digest.n; j++)
            if (str_eq(layers[j].digest, layers[i].digest) &&
                !str_eq(config->diff_ids[j], config->diff_ids[i]))
                return err_set(e, ERR_FORMAT,
                               "layers %zu and %zu are the same blob, but the configuration gives "
                               "them different diff_ids: the image is broken, build it again",
                               j + 1, i + 1);
    }
    if (progress) {
        __atomic_store_n(&progress->total_bytes, total, __ATOMIC_RELAXED);
        __atomic_store_n(&progress->layers_total, (uint32_t)n, __ATOMIC_RELAXED);
    }
    return 0;
}

static int image_layers(struct analyst *an, const struct image_reader *r, str config_json,
                        const struct descriptor *layers, size_t n, struct err *e)
{
    struct image_config config;
    if (an->options->facts)
        an->description.config_json = config_json;
    int rc = image_config_parse(config_json, &an->arena, &config, e);
    if (rc < 0)
        return rc;
    const struct platform *want = &an->source->platform, *have = &config.platform;
    if (an->source->platform_asked && have->os.n &&
        (!str_eq(have->os, want->os) || !str_eq(have->architecture, want->architecture)))
        return err_set(e, ERR_NOT_FOUND, "the image is for %.*s/%.*s only, not for %.*s/%.*s",
                       STR_ARG(have->os), STR_ARG(have->architecture), STR_ARG(want->os),
                       STR_ARG(want->architecture));
    describe_platform(&an->description, &config.platform);
    an->description.created = config.created;
    rc = describe_layers(an, &config, layers, n, e);
    return rc < 0 ? rc : pool_layers(an, r, layers, n, e);
}

/* ---- manifests
 * --------------------------------------------------------------------------------------------- */

static str digest_text(struct arena *a, str data)
{
    char text[SHA256_TEXT];
    struct sha256 digest = sha256_of(data.p, data.n);
    return arena_dup(a, str_z(sha256_format(&digest, text)));
}

static str name_of(const struct descriptor *d)
{
    return d->image_name.n ? d->image_name : d->ref_name;
}

static bool selected(const struct descriptor *d, str selector)
{
    const str names[] = {d->ref_name, d->image_name};
    for (size_t i = 0; i < KE_ARRAY_LEN(names); i++) {
        str name = names[i];
        if (!name.n)
            continue;
        if (reference_names(name, selector) || (str_ends(name, selector) && name.n > selector.n &&
                                                name.p[name.n - selector.n - 1] == ':'))
            return true;
    }
    return str_eq(d->digest, selector);
}

/* In the index of a layout, entries have names, and a selector names one, or one for each platform.
 */
static int choose_named(struct analyst *an, const struct manifest *index,
                        const struct descriptor **out, struct err *e)
{
    str selector = str_z(an->source->selector);
    auto_buf names;
    buf_init(&names, 4096);
    struct manifest named = {.kind = MANIFEST_INDEX};
    named.items = arena_calloc(&an->arena, index->n_items + 1, sizeof *named.items);
    if (!named.items)
        return err_no_memory(e);
    for (size_t i = 0; i < index->n_items; i++) {
        str name = name_of(&index->items[i]);
        if (selected(&index->items[i], selector))
            named.items[named.n_items++] = index->items[i];
        if (name.n && names.n < 300)
            buf_addf(&names, "%s%.*s", names.n ? ", " : "", STR_ARG(name));
    }
    if (named.n_items && (named.n_items == 1 || named.items[0].platform.os.n == 0)) {
        *out = &named.items[0];
        return 0;
    }
    if (named.n_items > 1)
        return manifest_choose(&named, &an->source->platform, an->source->platform_asked, out, e);
    return err_set(e, ERR_NOT_FOUND, "there is no image named %.*s; there are: %s",
                   STR_ARG(selector), names.n ? buf_z(&names) : "only unnamed ones");
}

static bool of_registry(const struct analyst *an)
{
    return strcmp(an->source->kind, "registry") == 0;
}

/* Several entries without a platform cannot be told apart but by name. */
static int choose_from_index(struct analyst *an, const struct manifest *index, bool top,
                             const struct descriptor **out, struct err *e)
{
    bool layout = top && !of_registry(an);
    if (layout && an->source->selector[0])
        return choose_named(an, index, out, e);
    bool platforms = false;
    for (size_t i = 0; i < index->n_items; i++)
        platforms |= index->items[i].platform.os.n != 0;
    if (layout && index->n_items > 1 && !platforms) {
        auto_buf names;
        buf_init(&names, 4096);
        for (size_t i = 0; i < index->n_items && names.n < 300; i++)
            buf_addf(&names, "%s%.*s", i ? ", " : "",
                     STR_ARG(name_of(&index->items[i]).n ? name_of(&index->items[i])
                                                         : index->items[i].digest));
        return err_set(e, ERR_USAGE, "there are several images: %s; name one after a colon",
                       buf_z(&names));
    }
    return manifest_choose(index, &an->source->platform, an->source->platform_asked, out, e);
}

static int add_name(struct analyst *an, str name, struct err *e)
{
    str *tag = vec_push(&an->description.tags);
    if (!tag)
        return err_no_memory(e);
    *tag = name;
    return 0;
}

/* The names that a layout's index gives to the image which was chosen: its own first. */
static int add_names(struct analyst *an, const struct manifest *index,
                     const struct descriptor *chosen, struct err *e)
{
    str first = name_of(chosen);
    int rc = first.n && first.n <= NAME_MAX_BYTES ? add_name(an, first, e) : 0;
    for (size_t i = 0; i < index->n_items && rc == 0; i++) {
        str name = name_of(&index->items[i]);
        if (str_eq(index->items[i].digest, chosen->digest) && !str_eq(name, first) && name.n &&
            name.n <= NAME_MAX_BYTES && an->description.tags.n < NAMES_MAX)
            rc = add_name(an, name, e);
    }
    return rc;
}

int image_from_manifest(struct analyst *an, const struct image_reader *r, str json, str media_type,
                        str digest, struct err *e)
{
    struct manifest m;
    for (int depth = 0;; depth++) {
        const struct descriptor *chosen;
        int rc = image_manifest_parse(
            json, media_type, depth ? "the manifest" : "the image's manifest", &an->arena, &m, e);
        if (rc < 0)
            return rc;
        if (m.kind == MANIFEST_IMAGE)
            break;
        if (depth == INDEX_DEPTH_MAX)
            return err_set(e, ERR_LIMIT, "indexes are nested more than %d deep", INDEX_DEPTH_MAX);
        rc = choose_from_index(an, &m, depth == 0, &chosen, e);
        if (rc == 0 && depth == 0 && !of_registry(an))
            rc = add_names(an, &m, chosen, e);
        if (rc == 0)
            rc = r->text(r->ctx, chosen->digest, "the manifest", &json, e);
        if (rc < 0)
            return rc;
        media_type = chosen->media_type;
        digest = chosen->digest;
    }
    if (an->options->facts)
        an->description.manifest_json = json;
    an->description.manifest_digest = digest.n ? digest : digest_text(&an->arena, json);
    an->description.config_digest = m.config.digest;
    str config;
    int rc = r->text(r->ctx, m.config.digest, "the image's configuration", &config, e);
    return rc < 0 ? rc : image_layers(an, r, config, m.items, m.n_items, e);
}

static int choose_saved(const struct analyst *an, const struct saved_image *images, size_t n,
                        const struct saved_image **out, struct err *e)
{
    str selector = str_z(an->source->selector);
    auto_buf names;
    buf_init(&names, 4096);
    if (n == 1 && selector.n == 0) {
        *out = &images[0];
        return 0;
    }
    for (size_t i = 0; i < n; i++)
        for (size_t t = 0; t < images[i].n_tags; t++) {
            if (selector.n && reference_names(images[i].tags[t], selector)) {
                *out = &images[i];
                return 0;
            }
            if (names.n < 300)
                buf_addf(&names, "%s%.*s", names.n ? ", " : "", STR_ARG(images[i].tags[t]));
        }
    return err_set(e, selector.n ? ERR_NOT_FOUND : ERR_USAGE,
                   "%s in this archive; there are: %s (name one after a colon)",
                   selector.n ? "no such image" : "several images",
                   names.n ? buf_z(&names) : "only unnamed ones");
}

int image_from_saved(struct analyst *an, const struct image_reader *r, str json, struct err *e)
{
    struct saved_image *images;
    const struct saved_image *image = NULL;
    size_t n;
    str config;
    int rc = saved_manifest_parse(json, &an->arena, &images, &n, e);
    if (rc == 0)
        rc = choose_saved(an, images, n, &image, e);
    if (rc == 0)
        rc = r->text(r->ctx, image->config, "the image's configuration", &config, e);
    if (rc < 0)
        return rc;
    an->description.config_digest = digest_text(&an->arena, config);
    for (size_t i = 0; i < image->n_tags && rc == 0; i++)
        rc = add_name(an, image->tags[i], e);
    if (rc < 0)
        return rc;
    struct descriptor *layers = arena_calloc(&an->arena, image->n_layers + 1, sizeof *layers);
    if (!layers)
        return err_no_memory(e);
    for (size_t i = 0; i < image->n_layers; i++)
        layers[i].ref_name = image->layers[i]; /* the member's name */
    return image_layers(an, r, config, layers, image->n_layers, e);
}

/* ---- blobs: registries and layout directories
 * ------------------------------------------------------------- */

static int read_small(int fd, const char *what, struct arena *a, str *out, struct err *e)
{
    auto_stream *s = NULL;
    auto_buf text;
    buf_init(&text, MANIFEST_MAX);
    int r = stream_from_fd(fd, false, &s, e);
    if (r == 0)
        r = stream_read_all(s, &text, what, e);
    if (r < 0)
        return r;
    *out = arena_dup(a, buf_view(&text));
    return out->p ? 0 : err_set(e, ERR_LIMIT, "%s is too large", what);
}

/* A part that is missing is a broken image, not a wrong name. */
static int part_missing(int r, struct err *e)
{
    if (r == ERR_NOT_FOUND)
        r = e->code = ERR_FORMAT;
    return r;
}

static int blobs_text(void *ctx, str digest, const char *what, str *out, struct err *e)
{
    struct analyst *an = ctx;
    int fd autoclose = -1;
    bool seekable;
    int r;
    if (str_contains(str_z(what), STR("manifest"))) {
        auto_buf body;
        buf_init(&body, MESSAGE_MAX);
        message_put_str(&body, digest);
        r = analyst_ask(an, MSG_MANIFEST, &body, -1, &fd, NULL, NULL, 0, e);
    } else {
        r = analyst_blob(an, digest, 0, STR(""), &fd, &seekable, e);
    }
    if (r == 0)
        r = read_small(fd, what, &an->arena, out, e);
    if (r == 0 && !str_eq(digest_text(&an->arena, *out), digest)) {
        r = analyst_transfer_status(an, digest, ERR_MISMATCH, e);
        if (r == ERR_MISMATCH)
            r = err_set(e, r, "%s does not match its digest %.*s", what, STR_ARG(digest));
    }
    return r < 0 ? part_missing(r, e) : 0;
}

static bool foreign_layer(const struct descriptor *d)
{
    return str_contains(d->media_type, STR("foreign")) ||
           str_contains(d->media_type, STR("nondistributable"));
}

static int blobs_layer(void *ctx, int32_t i, const struct descriptor *d, struct err *e)
{
    struct analyst *an = ctx;
    struct layer_job job = {
        .index = i, .digest = d->digest, .diff_id = an->description.layers.p[i].diff_id};
    char name[120];
    int fd autoclose = -1;
    bool seekable;
    auto_stream *raw = NULL;
    snprintf(name, sizeof name, "layer %.*s", STR_ARG(d->digest));
    int r = analyst_blob(an, d->digest, d->size, d->urls, &fd, &seekable, e);
    if (r == 0)
        r = stream_from_fd(fd, false, &raw, e);
    if (r == 0) {
        r = analyst_layer(an, &job, raw, name, e);
        if (r < 0 && !seekable) {
            stream_close(TAKE(raw));
            close(TAKE_FD(fd)); /* so that the transfer ends */
            r = analyst_transfer_status(an, d->digest, r, e);
        }
    }
    if (r < 0 && foreign_layer(d) && (r == ERR_NOT_FOUND || r == ERR_NET || r == ERR_AUTH)) {
        analyst_problem(an, i, STR(""), "unreadable", "foreign layer, not to be had: %s", e->text);
        return 0;
    }
    if (r < 0)
        r = part_missing(err_wrap(e, "layer %d", i + 1), e);
    return r;
}

int analyse_blobs(struct analyst *an, struct err *e)
{
    struct image_reader reader = {.ctx = an, .text = blobs_text, .layer = blobs_layer};
    char media_type[128];
    int fd autoclose = -1;
    str json;
    auto_buf body;
    buf_init(&body, MESSAGE_MAX);
    message_put_str(&body, STR(""));
    int r = analyst_ask(an, MSG_MANIFEST, &body, -1, &fd, NULL, media_type, sizeof media_type, e);
    if (r == 0)
        r = read_small(fd, of_registry(an) ? "the manifest" : "the layout's index.json", &an->arena,
                       &json, e);
    if (r < 0)
        return r;
    str selector = str_z(an->source->selector);
    str digest = digest_text(&an->arena, json);
    if (of_registry(an) && str_starts(selector, STR("sha256:")) && !str_eq(selector, digest))
        return err_set(e, ERR_MISMATCH, "the registry's manifest is %.*s, asked for was %.*s",
                       STR_ARG(digest), STR_ARG(selector));
    return image_from_manifest(an, &reader, json, str_z(media_type), (str){0}, e);
}
