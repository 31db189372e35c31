/* file_list_merge.c - layers' listings into the list of files that is seen from the top. */
#include "base/cursor.h"
#include "base/hash.h"
#include "packages/file_list.h"

#include <stdlib.h>

/* Where a path's file is: no key is kept beside the file's own, so that a large image's table is a
 * fifth of a struct map, and fits the processor's cache. */
struct place {
    uint32_t hash;
    uint32_t file; /* 1 + its index; 0: free */
};

struct merged_files {
    VEC(struct image_file) files;
    struct place *places;
    size_t n_places; /* a power of two, at most three quarters in use */
    uint64_t seed;
    VEC(struct layer_record *) records;
};

/* ---- the index
 * -------------------------------------------------------------------------------------------- */

static struct place *place_of(const struct merged_files *m, str path, uint32_t hash)
{
    size_t mask = m->n_places - 1, i = hash & mask;
    for (; m->places[i].file; i = (i + 1) & mask)
        if (m->places[i].hash == hash && str_eq(m->files.p[m->places[i].file - 1].path, path))
            break;
    return &m->places[i];
}

static uint32_t path_hash(const struct merged_files *m, str path)
{
    return (uint32_t)hash64_seeded(path.p, path.n, m->seed);
}

/* Room for so many files, at least. */
static bool places_reserve(struct merged_files *m, size_t files)
{
    size_t n = 64;
    while (n / 4 * 3 <= files)
        n *= 2;
    if (n <= m->n_places)
        return true;
    struct place *places = calloc(n, sizeof *places), *old = m->places;
    if (!places)
        return false;
    for (size_t i = 0; i < m->n_places; i++) {
        size_t k = old[i].hash & (n - 1);
        while (old[i].file && places[k].file)
            k = (k + 1) & (n - 1);
        if (old[i].file)
            places[k] = old[i];
    }
    free(old);
    m->places = places;
    m->n_places = n;
    return true;
}

static struct merged_files *merged_new(size_t files)
{
    struct merged_files *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->seed = hash64_seed();
    m->files.p = reallocarray(NULL, files + 1, sizeof *m->files.p);
    m->files.cap = m->files.p ? files + 1 : 0;
    if (m->files.p && places_reserve(m, files))
        return m;
    merged_files_free(m);
    return NULL;
}

struct merge {
    const struct squash_layer *layers;
    size_t n;
    struct inventory *inv;
    struct merged_files *out;
    bool full, damaged;
    struct { /* what upper layers do to a layer's directory: entries of one follow each other */
        str path;
        size_t layer;
        bool known;
        bool hidden; /* all in it, or all in one of those above it */
    } dir;
};

/* Views into the record; matches in the arena. */
static bool get_matches(struct cursor *c, struct arena *a, struct image_file *f)
{
    uint64_t n = cursor_varint(c);
    if (n > (uint64_t)LISTING_MATCHES_MAX * FACT_RULES_MAX || n > cursor_left(c))
        return false;
    struct fact_match *m = n ? arena_calloc(a, (size_t)n, sizeof *m) : NULL;
    for (uint64_t i = 0; m && i < n; i++) {
        m[i].rule = (uint32_t)cursor_varint(c);
        m[i].line = (uint32_t)cursor_varint(c);
    }
    f->matches = m;
    f->n_matches = m ? (size_t)n : 0;
    return n == 0 || m;
}

static void get_old_digest(struct cursor *c, uint8_t *out, size_t size)
{
    str bytes = cursor_bytes(c, size);
    if (bytes.n == size)
        memcpy(out, bytes.p, size);
}

static bool get_file(struct cursor *c, struct arena *a, struct image_file *f)
{
    *f = (struct image_file){0};
    uint8_t type = cursor_u8(c), flags = cursor_u8(c);
    f->type = type <= FACT_OTHER ? (enum fact_file_type)type : FACT_OTHER;
    f->hard_link = flags & 1;
    f->has_digest = flags & 2;
    f->mode = (uint32_t)cursor_varint(c);
    f->uid = (uint32_t)cursor_varint(c);
    f->gid = (uint32_t)cursor_varint(c);
    f->size = cursor_varint(c);
    f->path = cursor_text(c);
    f->link = cursor_text(c);
    if (f->has_digest) {
        str digest = cursor_bytes(c, sizeof f->digest.b);
        if (digest.n == sizeof f->digest.b)
            memcpy(f->digest.b, digest.p, digest.n);
    }
    f->digests = (flags & 16 ? FACT_MD5 : 0u) | (flags & 32 ? FACT_SHA1 : 0u);
    if (flags & 16)
        get_old_digest(c, f->md5, sizeof f->md5);
    if (flags & 32)
        get_old_digest(c, f->sha1, sizeof f->sha1);
    bool ok = get_matches(c, a, f);
    if (flags & 4) {
        f->content = cursor_text(c);
        if (!f->content.p)
            f->content.p = "";
    }
    if (flags & 8)
        f->malware = cursor_text(c);
    return ok && cursor_ok(c);
}

static bool hidden_below(const struct merge *m, size_t layer, str dir)
{
    struct layer_path hashes = layer_path_of(dir);
    for (size_t i = layer + 1; i < m->n; i++)
        if (m->layers[i].record && layer_record_hides_below(m->layers[i].record, &hashes))
            return true;
    return false;
}

static bool is_or_is_above(str dir, str path)
{
    return str_starts(path, dir) && (dir.n == 0 || dir.n == path.n || path.p[dir.n] == '/');
}

/* What is not hidden below one directory is not hidden below those above it. */
static bool dir_hidden(struct merge *m, size_t layer, str dir)
{
    bool same = m->dir.known && m->dir.layer == layer;
    if (same && str_eq(m->dir.path, dir))
        return m->dir.hidden;
    bool hidden = false;
    for (str d = dir; !hidden; d = str_dirname(d)) {
        if (same && !m->dir.hidden && is_or_is_above(d, m->dir.path))
            break;
        hidden = hidden_below(m, layer, d);
        if (d.n == 0)
            break;
    }
    m->dir.known = true;
    m->dir.layer = layer;
    m->dir.path = dir;
    m->dir.hidden = hidden;
    return hidden;
}

static bool seen(struct merge *m, size_t layer, const struct image_file *f)
{
    if (layer + 1 == m->n)
        return true;
    struct layer_path hashes = layer_path_of(f->path);
    if (f->type == FACT_DIR)
        hashes = (struct layer_path){.all = hashes.all};
    for (size_t i = layer + 1; i < m->n; i++)
        if (m->layers[i].record && layer_record_hides_path(m->layers[i].record, &hashes))
            return false;
    return !f->path.n || !dir_hidden(m, layer, str_dirname(f->path));
}

static int merge_add(struct merge *m, const struct image_file *f, struct err *e)
{
    struct merged_files *out = m->out;
    uint32_t hash = path_hash(out, f->path);
    struct place *place = place_of(out, f->path, hash);
    if (place->file) {
        out->files.p[place->file - 1] = *f;
        return 0;
    }
    if (out->files.n >= LISTING_FILES_MAX) {
        m->full = true;
        return 0;
    }
    struct image_file *kept = vec_push(&out->files);
    if (!kept)
        return err_no_memory(e);
    *kept = *f;
    *place = (struct place){hash, (uint32_t)out->files.n};
    return places_reserve(out, out->files.n) ? 0 : err_no_memory(e);
}

static int merge_layer(struct merge *m, size_t layer, str listing, struct err *e)
{
    struct cursor c = cursor_over(listing.p, listing.n);
    struct image_file f;
    cursor_skip(&c, 8);
    while (cursor_left(&c)) {
        if (!get_file(&c, &m->inv->arena, &f)) {
            m->damaged = true;
            return 0;
        }
        f.layer = (uint32_t)layer;
        if (!seen(m, layer, &f))
            continue;
        int r = merge_add(m, &f, e);
        if (r < 0)
            return r;
    }
    return 0;
}

/* What a link stands for: a hard link's other name is in its own layer or below. */
static void merge_links(struct merge *m)
{
    for (size_t i = 0; i < m->out->files.n; i++) {
        struct image_file *f = &m->out->files.p[i];
        if (!f->hard_link)
            continue;
        const struct image_file *target = merged_file_at(m->out, f->link);
        if (!target || target->type != FACT_FILE || target->hard_link)
            continue;
        f->has_digest = target->has_digest;
        f->digest = target->digest;
        f->digests = target->digests;
        memcpy(f->md5, target->md5, sizeof f->md5);
        memcpy(f->sha1, target->sha1, sizeof f->sha1);
        f->size = target->size;
        f->matches = target->matches;
        f->n_matches = target->n_matches;
        f->content = target->content;
        f->malware = target->malware;
    }
}

static str link_of(void *ctx, str path)
{
    const struct merge *m = ctx;
    const struct image_file *f = merged_file_at(m->out, path);
    return f && f->type == FACT_SYMLINK ? f->link : (str){0};
}

/* Searches follow symbolic links inside the image; what they find is filed under the link's name.
 */
static int merge_symlinks(struct merge *m, const struct facts_wanted *w, struct err *e)
{
    struct link_view view = {link_of, m};
    if (w->n_rules == 0 && w->n_retrieve == 0)
        return 0;
    for (size_t i = 0; i < m->out->files.n; i++) {
        struct image_file *f = &m->out->files.p[i];
        str real;
        if (f->type != FACT_SYMLINK ||
            link_resolve(&view, f->path, &m->inv->arena, &real, NULL) != 1)
            continue;
        const struct image_file *target = merged_file_at(m->out, real);
        if (!target || target->type != FACT_FILE)
            continue;
        f->matches = target->matches;
        f->n_matches = target->n_matches;
        for (size_t k = 0; k < w->n_retrieve; k++)
            if (target->content.p && str_eq(str_from(w->retrieve[k], 1), f->path))
                f->content = target->content;
    }
    return m->inv->arena.full ? err_no_memory(e) : 0;
}

/* How many entries there may be. */
static size_t expected(const struct squash_layer *layers, size_t n)
{
    enum { ENTRY = 128 }; /* bytes, about */
    size_t files = 0;
    struct layer_body body;
    for (size_t i = 0; i < n; i++)
        if (layers[i].record && layer_body_parts(layer_record_body(layers[i].record), &body))
            files += body.listing.n / ENTRY;
    return files < LISTING_FILES_MAX ? files : LISTING_FILES_MAX;
}

int listing_merge(const struct squash_layer *layers, size_t n, const struct facts_wanted *w,
                  struct inventory *inv, struct err *e)
{
    struct merge m = {.layers = layers, .n = n, .inv = inv, .out = merged_new(expected(layers, n))};
    int r = 0;
    if (!m.out)
        return err_no_memory(e);
    inv->merged = m.out;
    for (size_t i = 0; r == 0 && i < n; i++) {
        struct layer_body body;
        if (!layers[i].record)
            continue;
        if (!layer_body_parts(layer_record_body(layers[i].record), &body) || body.listing.n < 8)
            m.damaged = true;
        else
            r = merge_layer(&m, i, body.listing, e);
    }
    if (r == 0) {
        merge_links(&m);
        r = merge_symlinks(&m, w, e);
    }
    if (r == 0 && m.damaged)
        r = inventory_add_problem(inv, "unreadable",
                                  STR("the list of some layer's files is missing"), e);
    if (r == 0 && m.full)
        r = inventory_add_problem(inv, "limit", STR("the image has more files than are listed"), e);
    inv->files = m.out->files.p;
    inv->n_files = m.out->files.n;
    return r;
}

const struct image_file *merged_file_at(const struct merged_files *m, str path)
{
    uint32_t at = place_of(m, path, path_hash(m, path))->file;
    return at ? &m->files.p[at - 1] : NULL;
}

int merged_files_hold(struct merged_files *m, struct layer_record *record, struct err *e)
{
    struct layer_record **slot = vec_push(&m->records);
    if (!slot)
        return err_no_memory(e);
    *slot = record;
    return 0;
}

void merged_files_settle(struct merged_files *m)
{
    free(m->places);
    m->places = NULL;
    m->n_places = 0;
}

void merged_files_free(struct merged_files *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->records.n; i++)
        layer_record_close(m->records.p[i]);
    vec_done(&m->records);
    vec_done(&m->files);
    free(m->places);
    free(m);
}
