#include "packages/catalogue.h"

#include "packages/package_files.h"
#include "packages/settle.h"

#include <stdarg.h>

struct cat {
    struct facts *facts;
    struct spool_limits spools;
    struct arena scratch;
    const struct cataloguer *current; /* whose function runs now */
    const struct cat_file *file;      /* being parsed; NULL in finish() */
    str path;                         /* its path in the facts' arena */
    void **states;                    /* one for each entry of cataloguers[] */
    bool *used;
    struct settle settle;
    struct package_files *files; /* NULL: not wanted */
    bool facts_full, packages_full, problems_full;
};

struct cat *cat_new(struct facts *out, const struct spool_limits *spools, struct err *e)
{
    size_t n = 0;
    while (cataloguers[n])
        n++;
    struct cat *c = calloc(1, sizeof *c);
    void **states = calloc(n + 1, sizeof *states);
    bool *used = calloc(n + 1, sizeof *used);
    if (!c || !states || !used) {
        free(c);
        free(states);
        free(used);
        err_no_memory(e);
        return NULL;
    }
    c->facts = out;
    c->states = states;
    c->used = used;
    if (spools)
        c->spools = *spools;
    arena_init(&c->scratch, CAT_SCRATCH_MAX);
    return c;
}

void cat_free(struct cat *c)
{
    if (!c)
        return;
    for (size_t i = 0; cataloguers[i]; i++) {
        c->current = cataloguers[i];
        if (c->states[i] && c->current->drop)
            c->current->drop(c);
    }
    settle_done(&c->settle);
    arena_done(&c->scratch);
    free(c->states);
    free(c->used);
    free(c);
}

static size_t cat_index(const struct cat *c)
{
    size_t i = 0;
    while (cataloguers[i] != c->current)
        i++;
    return i;
}

void **cat_state(struct cat *c)
{
    return &c->states[cat_index(c)];
}

struct arena *cat_scratch(struct cat *c)
{
    return &c->scratch;
}

const struct spool_limits *cat_spool_limits(struct cat *c)
{
    return c->spools.memory_max || c->spools.total_max || c->spools.temp_fd ? &c->spools : NULL;
}

/* ---- problems ----------------------------------------------------------------------------------
 */

/* Needs no memory of the arena, so it works when that is full. */
static void problem_fixed(struct cat *c, str path, const char *what, const char *detail)
{
    struct problem *p = vec_push(&c->facts->problems);
    if (p)
        *p = (struct problem){path, str_z(what), str_z(detail)};
}

static void cat_facts_full(struct cat *c)
{
    if (!c->facts_full)
        problem_fixed(c, c->path, "limit",
                      "this layer's facts are larger than the limit; what follows is not listed");
    c->facts_full = true;
}

void cat_problem(struct cat *c, str path, const char *what, const char *fmt, ...)
{
    struct facts *f = c->facts;
    if (f->problems.n >= CAT_PROBLEMS_MAX) {
        if (!c->problems_full)
            problem_fixed(c, STR(""), "limit", "more problems than are listed");
        c->problems_full = true;
        return;
    }
    char text[600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    str kept = path.n ? arena_dup(&f->arena, path) : c->path;
    str detail = arena_dup(&f->arena, str_z(text));
    if (!detail.p || (path.n && !kept.p)) {
        cat_facts_full(c);
        return;
    }
    problem_fixed(c, kept, what, "");
    if (f->problems.n)
        f->problems.p[f->problems.n - 1].detail = detail;
}

void cat_unsupported(struct cat *c, const char *ecosystem)
{
    struct facts *f = c->facts;
    for (size_t i = 0; i < f->unsupported.n; i++)
        if (str_eq(f->unsupported.p[i], str_z(ecosystem)))
            return;
    str copy = arena_dup(&f->arena, str_z(ecosystem));
    str *slot = copy.p ? vec_push(&f->unsupported) : NULL;
    if (slot)
        *slot = copy;
    else
        cat_facts_full(c);
}

/* ---- content -----------------------------------------------------------------------------------
 */

static bool cat_too_large(struct cat *c, const struct cat_file *f, uint64_t max)
{
    if (f->size <= max)
        return false;
    cat_problem(c, (str){0}, "limit", "%llu bytes; the limit for such a file is %llu",
                (unsigned long long)f->size, (unsigned long long)max);
    return true;
}

int cat_read_all(struct cat *c, const struct cat_file *f, size_t max, str *out, struct err *e)
{
    *out = (str){0};
    if (cat_too_large(c, f, max))
        return 1;
    char *p = arena_alloc(&c->scratch, (size_t)f->size + 1);
    if (!p) {
        cat_problem(c, (str){0}, "limit", "no room left to read the file");
        return 1;
    }
    int64_t n = stream_read(f->content, p, (size_t)f->size, e);
    if (n < 0)
        return (int)n;
    *out = (str){p, (size_t)n};
    return 0;
}

int cat_spool(struct cat *c, const struct cat_file *f, uint64_t max, struct spool **out,
              struct err *e)
{
    *out = NULL;
    if (cat_too_large(c, f, max))
        return 1;
    struct err why = {0};
    int r = spool_new(f->content, cat_spool_limits(c), out, &why);
    if (r == 0)
        return 0;
    if (f->content->failure.code || why.code == ERR_NO_MEMORY)
        return err_set(e, why.code, "%s", why.text);
    cat_problem(c, (str){0}, why.code == ERR_LIMIT ? "limit" : "unreadable", "%s", why.text);
    return 1;
}

/* ---- facts -------------------------------------------------------------------------------------
 */

/* A copy in the facts' arena; equal to the same field of the record before, that one is shared. */
static bool keep(struct cat *c, str *field, str before)
{
    if (field->n == 0) {
        *field = (str){0};
        return true;
    }
    if (before.n && str_eq(*field, before)) {
        *field = before;
        return true;
    }
    *field = arena_dup(&c->facts->arena, *field);
    return field->p != NULL;
}

int cat_package(struct cat *c, const struct package *p, struct err *e)
{
    struct facts *f = c->facts;
    if (f->packages.n >= CAT_PACKAGES_MAX) {
        if (!c->packages_full)
            cat_problem(c, (str){0}, "limit", "more than %d packages in this layer",
                        CAT_PACKAGES_MAX);
        c->packages_full = true;
        return err_set(e, ERR_LIMIT, "more than %d packages", CAT_PACKAGES_MAX);
    }
    if (p->name.n > CAT_NAME_MAX || p->version.n > CAT_NAME_MAX || p->group.n > CAT_NAME_MAX) {
        cat_problem(c, p->path, "limit", "a package's name or version of more than %d bytes",
                    CAT_NAME_MAX);
        return 0;
    }
    struct package copy = *p, before = {0};
    if (f->packages.n)
        before = f->packages.p[f->packages.n - 1];
    if (copy.path.n == 0)
        copy.path = c->path;
    else if (!keep(c, &copy.path, before.path))
        copy.path.p = NULL;
    bool kept = copy.path.p && keep(c, &copy.name, before.name) &&
                keep(c, &copy.version, before.version) && keep(c, &copy.arch, before.arch) &&
                keep(c, &copy.source_name, before.source_name) &&
                keep(c, &copy.source_version, before.source_version) &&
                keep(c, &copy.group, before.group) && keep(c, &copy.module, before.module) &&
                keep(c, &copy.licence, before.licence) && keep(c, &copy.vendor, before.vendor) &&
                keep(c, &copy.size, before.size);
    if (!kept) {
        cat_facts_full(c);
        return err_set(e, ERR_LIMIT, "too many packages in one layer");
    }
    struct package *slot = vec_push(&f->packages);
    if (!slot || !settle_package(&c->settle, f, c->file != NULL))
        return err_no_memory(e);
    *slot = copy;
    return 0;
}

int cat_release(struct cat *c, const struct release_info *r, struct err *e)
{
    struct release_info copy = *r;
    bool kept = true;
    str *fields[] = {&copy.id,   &copy.id_like,     &copy.version_id, &copy.codename,
                     &copy.name, &copy.pretty_name, &copy.variant_id, &copy.build_id};
    if (copy.path.n == 0)
        copy.path = c->path;
    else
        kept = keep(c, &copy.path, (str){0});
    for (size_t i = 0; kept && i < KE_ARRAY_LEN(fields); i++)
        kept = keep(c, fields[i], (str){0});
    if (!kept) {
        cat_facts_full(c);
        return err_set(e, ERR_LIMIT, "this layer's facts are larger than the limit");
    }
    struct release_info *slot = vec_push(&c->facts->releases);
    if (!slot)
        return err_no_memory(e);
    *slot = copy;
    return 0;
}

int cat_licence(struct cat *c, str licence, struct err *e)
{
    struct facts *f = c->facts;
    str before = f->licences.n ? f->licences.p[f->licences.n - 1].licence : (str){0};
    if (f->licences.n >= CAT_PACKAGES_MAX)
        return err_set(e, ERR_LIMIT, "more than %d licences", CAT_PACKAGES_MAX);
    if (!keep(c, &licence, before)) {
        cat_facts_full(c);
        return err_set(e, ERR_LIMIT, "this layer's facts are larger than the limit");
    }
    struct stated_licence *slot = vec_push(&f->licences);
    if (!slot)
        return err_no_memory(e);
    *slot = (struct stated_licence){c->path, licence};
    return 0;
}

/* The mode is not known here: a cataloguer that goes by the executable bit alone is asked at the
 * end. */
static bool language_file(str path)
{
    for (const struct cataloguer *const *c = cataloguers; *c; c++)
        if (!(*c)->distro && (*c)->wants(path, 1, 0644))
            return true;
    return false;
}

int cat_owned(struct cat *c, str path, str owner, struct err *e)
{
    while (path.n && path.p[0] == '/')
        path = str_from(path, 1);
    if (path.n == 0 || owner.n == 0)
        return 0;
    struct facts *f = c->facts;
    int r = language_file(path) ? settle_own(f, path, owner, e)
                                : settle_own_later(&c->settle, f, path, owner, e);
    if (r == ERR_LIMIT)
        cat_facts_full(c);
    return r == ERR_LIMIT ? 0 : r;
}

/* ---- packages' files ---------------------------------------------------------------------------
 */

void cat_collect_files(struct cat *c, struct package_files *files)
{
    c->files = files;
}

bool cat_files_wanted(const struct cat *c)
{
    return c->files != NULL;
}

void cat_files_begin(struct cat *c, str source, const char *type, str name, str version, str arch)
{
    if (c->files)
        package_files_begin(c->files, source.n ? source : c->path, type, name, version, arch);
}

void cat_files_add(struct cat *c, str path, const struct owned_file *f)
{
    if (c->files)
        package_files_add(c->files, path, f);
}

void cat_files_end(struct cat *c)
{
    if (c->files)
        package_files_end(c->files);
}

/* ---- the walk ----------------------------------------------------------------------------------
 */

/* What a cataloguer's function returned: an error for the whole layer, or a problem of this file?
 */
static int cat_outcome(struct cat *c, int r, size_t problems_before, const struct err *why,
                       struct err *e)
{
    if (r >= 0)
        return 0;
    bool stream_failed = c->file && c->file->content && c->file->content->failure.code;
    bool limited = r == ERR_LIMIT || c->scratch.full || c->facts->arena.full;
    if (stream_failed || (r == ERR_NO_MEMORY && !limited))
        return err_set(e, r, "%s", why->text);
    bool told = c->facts->problems.n > problems_before;
    if (!told && !(limited && (c->facts_full || c->packages_full)))
        cat_problem(c, (str){0},
                    limited           ? "limit"
                    : r == ERR_FORMAT ? "parse"
                                      : "unreadable",
                    "%s: %s", c->current->name, why->text[0] ? why->text : err_word(r));
    return 0;
}

int cat_offer(struct cat *c, const struct cat_file *file, struct err *e)
{
    c->current = cataloguer_for(file->path, file->size, file->mode);
    if (!c->current || (!c->files && c->current->only_lists && c->current->only_lists(file->path)))
        return 0;
    struct facts *f = c->facts;
    c->path = arena_dup(&f->arena, file->path);
    if (!c->path.p) {
        cat_facts_full(c);
        return 1;
    }
    struct evidence_file *slot = vec_push(&f->files);
    if (!slot)
        return err_no_memory(e);
    *slot = (struct evidence_file){.path = c->path, .cataloguer = c->current->name};
    c->used[cat_index(c)] = true;

    struct err why = {0};
    size_t problems = f->problems.n;
    c->file = file;
    int r = cat_outcome(c, c->current->parse(c, file, &why), problems, &why, e);
    c->file = NULL;
    c->path = (str){0};
    arena_done(&c->scratch);
    return r < 0 ? r : 1;
}

int cat_finish(struct cat *c, struct err *e)
{
    for (size_t i = 0; cataloguers[i]; i++) {
        c->current = cataloguers[i];
        if (!c->used[i] || !c->current->finish)
            continue;
        struct err why = {0};
        size_t problems = c->facts->problems.n;
        int r = cat_outcome(c, c->current->finish(c, &why), problems, &why, e);
        arena_done(&c->scratch);
        if (r < 0)
            return r;
    }
    int r = settle_facts(&c->settle, c->facts, e);
    if (r == ERR_LIMIT)
        cat_facts_full(c);
    return r == ERR_LIMIT ? 0 : r;
}

/* ---- tests -------------------------------------------------------------------------------------
 */

static int offer_memory(struct cat *c, const struct cat_test_file *t, struct err *e)
{
    auto_stream *in = NULL;
    int r = stream_from_mem(t->content, &in, e);
    if (r < 0)
        return r;
    struct cat_file file = {t->path, t->content.n, t->mode ? t->mode : 0644, in};
    return cat_offer(c, &file, e);
}

int catalogue_files_with(const struct cat_test_file *files, size_t n, struct package_files *lists,
                         struct facts *out, struct err *e)
{
    facts_init(out, 0);
    struct cat *c = cat_new(out, NULL, e);
    int r = c ? 0 : ERR_NO_MEMORY;
    if (c)
        cat_collect_files(c, lists);
    for (size_t i = 0; r >= 0 && i < n; i++)
        r = offer_memory(c, &files[i], e);
    if (r >= 0)
        r = cat_finish(c, e);
    cat_free(c);
    return r;
}

int catalogue_files(const struct cat_test_file *files, size_t n, struct facts *out, struct err *e)
{
    return catalogue_files_with(files, n, NULL, out, e);
}
