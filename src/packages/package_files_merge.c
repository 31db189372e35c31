/* package_files_merge.c - layers' package files, those of the databases seen from the top, given to
 * the packages they belong to. */
#include "base/auto.h"
#include "base/cursor.h"
#include "packages/file_list.h"
#include "packages/package_files.h"

#include <stdlib.h>

struct row {
    size_t package;
    struct owned_file f;
};

struct merge {
    const struct squash_layer *layers;
    size_t n;
    struct inventory *inv;
    struct map packages; /* "type/name" -> 1 + index of the first */
    struct map dirs;     /* directory -> str: where it really is */
    VEC(struct row) rows;
    bool full, damaged;
};

static bool get_file(struct cursor *c, unsigned flags, struct owned_file *f)
{
    *f = (struct owned_file){.flags = flags, .path = cursor_text(c)};
    if (flags & OWNED_DIGEST) {
        f->algorithm = (enum owned_algorithm)cursor_u8(c);
        str digest = cursor_bytes(c, owned_digest_size(f->algorithm));
        if (digest.n == 0)
            return false;
        memcpy(f->digest, digest.p, digest.n);
    }
    if (flags & OWNED_MODE)
        f->mode = (uint32_t)cursor_varint(c);
    if (flags & OWNED_SIZE)
        f->size = cursor_varint(c);
    return cursor_ok(c) && f->path.n;
}

static bool seen(const struct merge *m, size_t layer, str path)
{
    for (size_t i = layer + 1; i < m->n; i++)
        if (m->layers[i].record && layer_record_hides(m->layers[i].record, path))
            return false;
    return true;
}

/* The installed package that a list is of; SIZE_MAX: none. */
static size_t package_of(const struct merge *m, str type, str name, str version, str arch)
{
    const struct inventory *inv = m->inv;
    auto_buf key;
    buf_init(&key, 1 << 20);
    buf_add_str(&key, type);
    buf_add_char(&key, '/');
    buf_add_str(&key, name);
    size_t at = buf_ok(&key) ? (size_t)(uintptr_t)map_get(&m->packages, buf_view(&key)) : 0;
    for (; at && at <= inv->n_packages; at++) {
        const struct package *p = &inv->packages[at - 1].p;
        if (!str_eq(p->name, name) || !str_eq(str_z(p->type->name), type))
            break;
        if ((version.n == 0 || str_eq(p->version, version)) &&
            (arch.n == 0 || str_eq(p->arch, arch)))
            return at - 1;
    }
    return SIZE_MAX;
}

static int merge_layer(struct merge *m, size_t layer, str bytes, struct err *e)
{
    struct cursor c = cursor_over(bytes.p, bytes.n);
    while (cursor_left(&c) && cursor_ok(&c)) {
        str source = cursor_text(&c), type = cursor_text(&c), name = cursor_text(&c);
        str version = cursor_text(&c), arch = cursor_text(&c);
        size_t package =
            seen(m, layer, source) ? package_of(m, type, name, version, arch) : SIZE_MAX;
        unsigned flags;
        while ((flags = cursor_u8(&c)) != 0) {
            struct row row = {.package = package};
            if (!get_file(&c, flags, &row.f)) {
                c.failed = true;
                break;
            }
            if (package == SIZE_MAX)
                continue;
            if (m->rows.n >= PACKAGE_FILES_MAX) {
                m->full = true;
                return 0;
            }
            struct row *slot = vec_push(&m->rows);
            if (!slot)
                return err_no_memory(e);
            *slot = row;
        }
    }
    m->damaged |= !cursor_ok(&c);
    return 0;
}

/* ---- where files really are --------------------------------------------------------------------
 */

static int index_all(struct merge *m, struct err *e)
{
    const struct inventory *inv = m->inv;
    bool ok = true;
    for (size_t i = inv->n_packages; ok && i-- > 0;) {
        const struct package *p = &inv->packages[i].p;
        if (p->type->ecosystem)
            continue;
        str key = arena_printf(&m->inv->arena, "%s/%.*s", p->type->name, STR_ARG(p->name));
        ok = key.p && map_put(&m->packages, key, (void *)(uintptr_t)(i + 1));
    }
    return ok ? 0 : err_no_memory(e);
}

static str link_of(void *ctx, str path)
{
    const struct merge *m = ctx;
    const struct image_file *f = merged_file_at(m->inv->merged, path);
    return f && f->type == FACT_SYMLINK ? f->link : (str){0};
}

static int real_path(struct merge *m, str *path, struct err *e)
{
    struct arena *a = &m->inv->arena;
    struct link_view view = {link_of, m};
    str dir = str_dirname(*path);
    if (dir.n == 0 || merged_file_at(m->inv->merged, *path))
        return 0;
    str *real = map_get(&m->dirs, dir);
    if (!real) {
        real = arena_new(a, str);
        str kept = arena_dup(a, dir);
        if (!real || !kept.p)
            return err_no_memory(e);
        *real = kept;
        if (link_resolve(&view, kept, a, real, NULL) != 1)
            *real = kept;
        if (!map_put(&m->dirs, kept, real))
            return err_no_memory(e);
    }
    auto_buf joined;
    buf_init(&joined, 1 << 20);
    buf_add_str(&joined, *real);
    if (real->n)
        buf_add_char(&joined, '/');
    buf_add_str(&joined, str_basename(*path));
    const struct image_file *f =
        buf_ok(&joined) ? merged_file_at(m->inv->merged, buf_view(&joined)) : NULL;
    if (f)
        *path = f->path;
    return 0;
}

/* ---- one list a package ------------------------------------------------------------------------
 */

static int row_cmp(const void *x, const void *y)
{
    const struct row *a = x, *b = y;
    if (a->package != b->package)
        return a->package < b->package ? -1 : 1;
    int c = str_cmp(a->f.path, b->f.path);
    if (c == 0)
        c = (int)b->f.algorithm - (int)a->f.algorithm;
    if (c == 0)
        c = memcmp(a->f.digest, b->f.digest, sizeof a->f.digest);
    if (c == 0)
        c = (int)b->f.flags - (int)a->f.flags;
    if (c == 0)
        c = (a->f.mode > b->f.mode) - (a->f.mode < b->f.mode);
    return c ? c : (a->f.size > b->f.size) - (a->f.size < b->f.size);
}

/* dpkg says in three places what it knows of a file. */
static void join(struct owned_file *f, const struct owned_file *more)
{
    if (!(f->flags & OWNED_MODE) && more->flags & OWNED_MODE)
        f->mode = more->mode;
    if (!f->size)
        f->size = more->size;
    f->flags |= more->flags;
}

static int merge_keep(struct merge *m, struct err *e)
{
    struct arena *a = &m->inv->arena;
    size_t kept = 0;
    for (size_t i = 0; i < m->rows.n; i++) {
        int r = real_path(m, &m->rows.p[i].f.path, e);
        if (r < 0)
            return r;
    }
    if (m->rows.n)
        qsort(m->rows.p, m->rows.n, sizeof *m->rows.p, row_cmp);
    for (size_t i = 0; i < m->rows.n; i++) {
        struct row *last = kept ? &m->rows.p[kept - 1] : NULL, *row = &m->rows.p[i];
        if (last && last->package == row->package && str_eq(last->f.path, row->f.path))
            join(&last->f, &row->f);
        else
            m->rows.p[kept++] = *row;
    }
    struct owned_file *all = arena_calloc(a, kept + 1, sizeof *all);
    if (!all)
        return err_no_memory(e);
    for (size_t i = 0; i < kept; i++) {
        struct inv_package *p = &m->inv->packages[m->rows.p[i].package];
        all[i] = m->rows.p[i].f;
        if (!p->files)
            p->files = &all[i];
        p->n_files++;
    }
    return a->full ? err_no_memory(e) : 0;
}

int package_files_merge(const struct squash_layer *layers, size_t n, struct inventory *inv,
                        struct err *e)
{
    struct merge m = {.layers = layers, .n = n, .inv = inv};
    map_init(&m.packages);
    map_init(&m.dirs);
    int r = index_all(&m, e);
    for (size_t i = 0; r == 0 && i < n; i++) {
        struct layer_body body;
        if (!layers[i].record)
            continue;
        if (layer_body_parts(layer_record_body(layers[i].record), &body))
            r = merge_layer(&m, i, body.package_files, e);
        else
            m.damaged = true;
    }
    if (r == 0)
        r = merge_keep(&m, e);
    if (r == 0 && m.damaged)
        r = inventory_add_problem(inv, "unreadable",
                                  STR("the list of some packages' files is damaged"), e);
    if (r == 0 && m.full)
        r = inventory_add_problem(inv, "limit", STR("the packages have more files than are listed"),
                                  e);
    inv->has_package_files = r == 0;
    map_done(&m.packages);
    map_done(&m.dirs);
    vec_done(&m.rows);
    return r;
}
