#include "packages/settle.h"

#include "base/auto.h"
#include "base/hash.h"
#include "base/map.h"
#include "packages/catalogue.h"

bool settle_package(struct settle *s, const struct facts *f, bool in_file)
{
    uint32_t *slot = vec_push(&s->file_of);
    if (slot)
        *slot = in_file ? (uint32_t)f->files.n - 1 : SETTLE_LATER;
    return slot != NULL;
}

void settle_done(struct settle *s)
{
    vec_done(&s->file_of);
    vec_done(&s->owned);
    vec_done(&s->owners);
}

/* ---- ownership ---------------------------------------------------------------------------------
 */

static str owner_before(const struct facts *f)
{
    return f->owned.n ? f->owned.p[f->owned.n - 1].owner : (str){0};
}

int settle_own(struct facts *f, str path, str owner, struct err *e)
{
    if (f->owned.n >= CAT_OWNED_MAX)
        return err_set(e, ERR_LIMIT, "more than %d files of packages", CAT_OWNED_MAX);
    str before = owner_before(f);
    struct owned_path o = {.path = arena_dup(&f->arena, path)};
    o.owner = before.n && str_eq(before, owner) ? before : arena_dup(&f->arena, owner);
    if (!o.path.p || !o.owner.p)
        return err_set(e, ERR_LIMIT, "this layer's facts are larger than the limit");
    struct owned_path *slot = vec_push(&f->owned);
    if (!slot)
        return err_no_memory(e);
    *slot = o;
    return 0;
}

/* "bin/x" and "usr/bin/x" are the same file where /bin is a link to usr/bin, and databases hold
 * either. */
static uint64_t merged_hash(str path)
{
    if (str_starts(path, STR("usr/")))
        path = str_from(path, 4);
    return hash64(path.p, path.n);
}

int settle_own_later(struct settle *s, struct facts *f, str path, str owner, struct err *e)
{
    if (s->owned.n >= CAT_OWNED_MAX)
        return err_set(e, ERR_LIMIT, "more than %d files of packages", CAT_OWNED_MAX);
    if (s->owners.n == 0 || !str_eq(s->owners.p[s->owners.n - 1], owner)) {
        str copy = arena_dup(&f->arena, owner);
        if (!copy.p)
            return err_set(e, ERR_LIMIT, "this layer's facts are larger than the limit");
        str *slot = vec_push(&s->owners);
        if (!slot)
            return err_no_memory(e);
        *slot = copy;
    }
    struct settle_owned *o = vec_push(&s->owned);
    if (!o)
        return err_no_memory(e);
    *o = (struct settle_owned){merged_hash(path), (uint32_t)s->owners.n - 1};
    return 0;
}

static int owned_order(const void *a, const void *b)
{
    const struct settle_owned *x = a, *y = b;
    if (x->path != y->path)
        return x->path < y->path ? -1 : 1;
    return x->owner < y->owner ? -1 : x->owner > y->owner;
}

static bool is_language(const char *cataloguer)
{
    for (const struct cataloguer *const *c = cataloguers; *c; c++)
        if ((*c)->name == cataloguer)
            return !(*c)->distro;
    return false;
}

static int settle_owned(struct settle *s, struct facts *f, struct err *e)
{
    if (s->owned.n)
        qsort(s->owned.p, s->owned.n, sizeof *s->owned.p, owned_order);
    for (size_t i = 0; s->owned.n && i < f->files.n; i++) {
        const struct evidence_file *file = &f->files.p[i];
        if (file->n_packages == 0 || !is_language(file->cataloguer))
            continue;
        uint64_t hash = merged_hash(file->path);
        size_t low = 0, high = s->owned.n;
        while (low < high) {
            size_t mid = low + (high - low) / 2;
            if (s->owned.p[mid].path < hash)
                low = mid + 1;
            else
                high = mid;
        }
        for (; low < s->owned.n && s->owned.p[low].path == hash; low++) {
            int r = settle_own(f, file->path, s->owners.p[s->owned.p[low].owner], e);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

/* ---- runs --------------------------------------------------------------------------------------
 */

/* The last evidence file with this path, or with what stands before one of its colons. */
static uint32_t file_by_path(const struct map *files, str path)
{
    for (;;) {
        void *found = map_get(files, path);
        if (found)
            return (uint32_t)((uintptr_t)found - 1);
        ptrdiff_t colon = str_rindex(path, ':');
        if (colon < 0)
            return SETTLE_LATER;
        path = str_sub(path, 0, (size_t)colon);
    }
}

/* Gives packages without a file theirs; a path that no cataloguer was offered becomes evidence of
 * its own. Marks files that a later one of the same path replaces. */
static int attribute(struct settle *s, struct facts *f, struct map *by_path, bool *replaced,
                     bool *disorder, struct err *e)
{
    size_t n = f->files.n;
    for (size_t i = 0; i < n; i++) {
        void **slot = map_slot(by_path, f->files.p[i].path);
        if (!slot)
            return err_no_memory(e);
        if (*slot)
            replaced[(uintptr_t)*slot - 1] = *disorder = true;
        *slot = (void *)(uintptr_t)(i + 1);
    }
    for (size_t i = 0; i < f->packages.n; i++) {
        if (s->file_of.p[i] != SETTLE_LATER)
            continue;
        str path = f->packages.p[i].path;
        s->file_of.p[i] = file_by_path(by_path, path);
        *disorder = true;
        if (s->file_of.p[i] != SETTLE_LATER)
            continue;
        struct evidence_file *added = vec_push(&f->files);
        if (!added || !map_put(by_path, path, (void *)(uintptr_t)f->files.n))
            return err_no_memory(e);
        *added = (struct evidence_file){.path = path, .cataloguer = ""};
        s->file_of.p[i] = (uint32_t)f->files.n - 1;
    }
    return 0;
}

static void count_runs(const struct settle *s, struct facts *f)
{
    for (size_t i = 0; i < f->files.n; i++)
        f->files.p[i].n_packages = 0;
    for (size_t i = 0; i < f->packages.n; i++)
        f->files.p[s->file_of.p[i]].n_packages++;
    uint32_t first = 0;
    for (size_t i = 0; i < f->files.n; i++) {
        f->files.p[i].first_package = first;
        first += f->files.p[i].n_packages;
    }
}

/* Stable: packages by file, those of replaced files gone, and so the files. */
static int reorder(struct settle *s, struct facts *f, const bool *replaced, size_t n_replaced,
                   struct err *e)
{
    struct package *sorted = calloc(f->packages.n + 1, sizeof *sorted);
    autofree uint32_t *next = calloc(f->files.n + 1, sizeof *next);
    if (!sorted || !next) {
        free(sorted);
        return err_no_memory(e);
    }
    uint32_t kept_files = 0, kept = 0;
    for (size_t i = 0; i < f->files.n; i++) {
        struct evidence_file file = f->files.p[i];
        if (i < n_replaced && replaced[i]) {
            next[i] = SETTLE_LATER;
            continue;
        }
        next[i] = file.first_package = kept;
        kept += file.n_packages;
        f->files.p[kept_files++] = file;
    }
    for (size_t i = 0; i < f->packages.n; i++) {
        uint32_t *to = &next[s->file_of.p[i]];
        if (*to != SETTLE_LATER)
            sorted[(*to)++] = f->packages.p[i];
    }
    free(f->packages.p);
    f->packages.p = sorted;
    f->packages.cap = f->packages.n + 1;
    f->packages.n = kept;
    f->files.n = kept_files;
    return 0;
}

static void last_release_of_each_path(struct facts *f)
{
    size_t kept = 0;
    for (size_t i = 0; i < f->releases.n; i++) {
        bool again = false;
        for (size_t k = i + 1; k < f->releases.n && !again; k++)
            again = str_eq(f->releases.p[i].path, f->releases.p[k].path);
        if (!again)
            f->releases.p[kept++] = f->releases.p[i];
    }
    f->releases.n = kept;
}

int settle_facts(struct settle *s, struct facts *f, struct err *e)
{
    struct map by_path KE_CLEANUP(map_done);
    map_init(&by_path);
    size_t n = f->files.n;
    autofree bool *replaced = calloc(n + 1, sizeof *replaced);
    if (!replaced)
        return err_no_memory(e);
    bool disorder = false;
    int r = attribute(s, f, &by_path, replaced, &disorder, e);
    if (r < 0)
        return r;
    count_runs(s, f);
    if (disorder)
        r = reorder(s, f, replaced, n, e);
    last_release_of_each_path(f);
    return r < 0 ? r : settle_owned(s, f, e);
}
