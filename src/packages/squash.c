#include "packages/squash.h"

#include "base/auto.h"
#include "base/map.h"
#include "packages/cataloguer.h"
#include "packages/origin.h"
#include "packages/release.h"

#include <stdlib.h>

struct squash {
    struct squash_layer *layers;
    size_t n;
    struct inventory *inv;
    struct arena *a;
    struct map hard;   /* real path -> struct alias */
    struct map links;  /* hard links that are seen, target -> struct kept_link; of one layer: */
    size_t links_of;   /* 1 + its number */
    struct map places; /* path -> struct origin_place of the topmost layer so far */
    struct map dirs;   /* directory -> 1 + the topmost layer that hides what is below it */
    VEC(struct inv_package) packages;
    VEC(struct inv_problem) problems;
    VEC(struct release_info) releases;
    VEC(str) unsupported;
};

static bool visible_from(const struct squash_layer *layers, size_t n, size_t layer, str path)
{
    for (size_t i = layer + 1; i < n; i++)
        if (layers[i].record && layer_record_hides(layers[i].record, path))
            return false;
    return true;
}

/* 1 + the topmost layer that hides what lower layers have below a directory; 0: none does.
 * Remembered, because packages lie together in few directories. */
static size_t hider_of_dir(struct squash *s, str dir)
{
    void **known = map_slot(&s->dirs, dir);
    if (known && *known)
        return (uintptr_t)*known - 1;
    size_t top = dir.n ? hider_of_dir(s, str_dirname(dir)) : 0;
    struct layer_path hashes = layer_path_of(dir);
    for (size_t i = s->n; i-- > top;)
        if (s->layers[i].record && layer_record_hides_below(s->layers[i].record, &hashes)) {
            top = i + 1;
            break;
        }
    known = map_slot(&s->dirs, dir);
    if (known)
        *known = (void *)(uintptr_t)(top + 1);
    return top;
}

static bool visible(struct squash *s, size_t layer, str path)
{
    if (path.n > 4096) /* hider_of_dir goes as deep as the path */
        return visible_from(s->layers, s->n, layer, path);
    if (hider_of_dir(s, str_dirname(path)) > layer + 1)
        return false;
    struct layer_path hashes = layer_path_of(path);
    for (size_t i = layer + 1; i < s->n; i++)
        if (s->layers[i].record && layer_record_hides_path(s->layers[i].record, &hashes))
            return false;
    return true;
}

/* What is inside an archive ("app.jar:lib.jar") goes with the archive. */
static bool visible_inside(struct squash *s, size_t layer, str path)
{
    ptrdiff_t colon = str_index(path, ':');
    str archive = colon > 0 ? str_sub(path, 0, (size_t)colon) : (str){0};
    return visible(s, layer, path) &&
           (archive.n == 0 || !cataloguer_for(archive, 1, 0644) || visible(s, layer, archive));
}

/* ---- packages
 * -------------------------------------------------------------------------------------------- */

int package_cmp(const struct package *a, const struct package *b)
{
    int c = strcmp(a->type->name, b->type->name);
    const str left[] = {a->name,        a->version,        a->arch,  a->group,
                        a->source_name, a->source_version, a->module};
    const str right[] = {b->name,        b->version,        b->arch,  b->group,
                         b->source_name, b->source_version, b->module};
    for (size_t i = 0; c == 0 && i < KE_ARRAY_LEN(left); i++)
        c = str_cmp(left[i], right[i]);
    return c;
}

static int found_cmp(const void *x, const void *y)
{
    const struct inv_package *a = x, *b = y;
    int c = package_cmp(&a->p, &b->p);
    if (c == 0)
        c = str_cmp(a->purl, b->purl);
    if (c == 0)
        c = str_cmp(a->p.path, b->p.path);
    return c ? c
             : (a->evidence->layer > b->evidence->layer) -
                   (a->evidence->layer < b->evidence->layer);
}

/* Another name that this layer gave the file and that is still there, or "". */
static str squash_link(struct squash *s, size_t layer, str path)
{
    const struct facts *f = &s->layers[layer].facts;
    if (s->links_of != layer + 1) {
        s->links_of = layer + 1;
        map_done(&s->links);
        map_init(&s->links);
        for (size_t i = 0; i < f->links.n; i++)
            if (f->links.p[i].hard && visible(s, layer, f->links.p[i].path))
                map_put(&s->links, f->links.p[i].target, &f->links.p[i]);
    }
    const struct kept_link *link = map_get(&s->links, path);
    return link ? link->path : (str){0};
}

/* The name by which a file is seen: its own, or a hard link's when that is gone or no name of a
 * package file. "" for none. */
static str squash_name(struct squash *s, size_t layer, str path)
{
    if (!map_get(&s->hard, path) && visible(s, layer, path))
        return path;
    return s->layers[layer].facts.links.n ? squash_link(s, layer, path) : (str){0};
}

/* Which layer brought each package of a file; *layer_of is to be freed. */
static int squash_origins(struct squash *s, size_t layer, const struct evidence_file *file,
                          bool seen, uint32_t **layer_of, struct err *e)
{
    struct origin_place *place = arena_new(s->a, struct origin_place);
    void **top = map_slot(&s->places, file->path);
    if (!place || !top)
        return err_no_memory(e);
    *place = (struct origin_place){file, *top, (uint32_t)layer};
    *top = place;
    if (!seen)
        return 0;
    *layer_of = calloc(file->n_packages + 1, sizeof **layer_of);
    return *layer_of ? origin_layers(s->layers, place, *layer_of, e) : err_no_memory(e);
}

static int squash_file(struct squash *s, size_t layer, const struct evidence_file *file,
                       struct err *e)
{
    const struct facts *f = &s->layers[layer].facts;
    /* most files that cataloguers read hold no package: every executable might be a Go program */
    str name = file->n_packages ? squash_name(s, layer, file->path) : (str){0};
    autofree uint32_t *layer_of = NULL;
    int r = squash_origins(s, layer, file, name.n > 0, &layer_of, e);
    if (r < 0 || name.n == 0)
        return r;
    for (uint32_t i = 0; i < file->n_packages; i++) {
        struct inv_package *p = vec_push(&s->packages);
        struct evidence *evidence = arena_new(s->a, struct evidence);
        if (!p || !evidence)
            return err_no_memory(e);
        p->p = f->packages.p[file->first_package + i];
        if (name.p != file->path.p && str_starts(p->p.path, file->path))
            p->p.path = arena_printf(s->a, "%.*s%.*s", STR_ARG(name),
                                     STR_ARG(str_from(p->p.path, file->path.n)));
        *evidence = (struct evidence){p->p.path, layer_of[i]};
        p->evidence = evidence;
        p->n_evidence = 1;
    }
    return s->a->full ? err_no_memory(e) : 0;
}

static bool same_package(const struct inv_package *a, const struct inv_package *b)
{
    return package_cmp(&a->p, &b->p) == 0 && str_eq(a->purl, b->purl);
}

int packages_merge(struct inv_package *list, size_t *n, struct arena *a, struct err *e)
{
    size_t kept = 0;
    if (*n)
        qsort(list, *n, sizeof *list, found_cmp);
    for (size_t i = 0; i < *n;) {
        size_t end = i + 1, places = 0;
        while (end < *n && same_package(&list[i], &list[end]))
            end++;
        struct evidence *all = arena_calloc(a, end - i, sizeof *all);
        if (!all)
            return err_no_memory(e);
        for (size_t j = i; j < end; j++)
            if (places == 0 || !str_eq(all[places - 1].path, list[j].evidence->path))
                all[places++] = *list[j].evidence;
        list[kept] = list[i];
        list[kept].evidence = all;
        list[kept].n_evidence = places;
        kept++;
        i = end;
    }
    *n = kept;
    return 0;
}

/* ---- owners
 * ------------------------------------------------------------------------------------------------
 */

static const struct owned_path *owner_of(const struct map *owners, str path)
{
    const struct owned_path *o = map_get(owners, path);
    ptrdiff_t colon = str_index(path, ':');
    if (!o && colon > 0)
        o = map_get(owners, str_sub(path, 0, (size_t)colon));
    if (!o && str_starts(path, STR("usr/"))) /* merged /usr: package lists have the old path */
        o = map_get(owners, str_from(path, 4));
    return o;
}

/* One that stands beside the distribution's too is not the distribution's. */
static int squash_owners(struct squash *s, struct err *e)
{
    struct map owners, installed;
    map_init(&owners);
    map_init(&installed);
    bool ok = true;
    for (size_t i = 0; i < s->packages.n; i++)
        if (!s->packages.p[i].p.type->ecosystem)
            ok &= map_put(&installed, s->packages.p[i].p.name, &s->packages.p[i]);
    for (size_t l = 0; l < s->n; l++)
        for (size_t i = 0; i < s->layers[l].facts.owned.n; i++) {
            struct owned_path *o = &s->layers[l].facts.owned.p[i];
            if (map_get(&installed, o->owner))
                ok &= map_put(&owners, o->path, o);
        }
    for (size_t i = 0; i < s->packages.n; i++) {
        struct inv_package *p = &s->packages.p[i];
        if (!p->p.type->ecosystem)
            continue;
        const struct owned_path *first = NULL, *o = NULL;
        for (size_t k = 0; k < p->n_evidence && (o || !k); k++) {
            o = owner_of(&owners, p->evidence[k].path);
            first = first ? first : o;
        }
        if (o)
            p->owner = arena_dup(s->a, first->owner);
    }
    map_done(&owners);
    map_done(&installed);
    return ok && !s->a->full ? 0 : err_no_memory(e);
}

/* ---- licences ----------------------------------------------------------------------------------
 */

/* Debian's database states none: those of the packages' documentation, the topmost layer's. */
static int squash_licences(struct squash *s, struct err *e)
{
    struct map licences KE_CLEANUP(map_done);
    map_init(&licences);
    bool ok = true;
    for (size_t l = 0; l < s->n; l++)
        for (size_t i = 0; i < s->layers[l].facts.licences.n; i++) {
            struct stated_licence *stated = &s->layers[l].facts.licences.p[i];
            if (visible(s, l, stated->path))
                ok &= map_put(&licences, str_basename(str_dirname(stated->path)), stated);
        }
    for (size_t i = 0; i < s->packages.n; i++) {
        struct package *p = &s->packages.p[i].p;
        if (p->licence.n || !str_eq(str_z(p->type->name), STR("deb")))
            continue;
        const struct stated_licence *stated = map_get(&licences, p->name);
        if (stated)
            p->licence = stated->licence;
    }
    return ok ? 0 : err_no_memory(e);
}

/* ---- the rest
 * --------------------------------------------------------------------------------------------------
 */

static int squash_layer_rest(struct squash *s, size_t layer, struct err *e)
{
    const struct facts *f = &s->layers[layer].facts;
    for (size_t i = 0; i < f->releases.n; i++) {
        if (!visible(s, layer, f->releases.p[i].path))
            continue;
        struct release_info *r = vec_push(&s->releases);
        if (!r)
            return err_no_memory(e);
        *r = f->releases.p[i];
    }
    for (size_t i = 0; i < f->problems.n; i++) {
        const struct problem *p = &f->problems.p[i];
        if (p->path.n && !visible_inside(s, layer, p->path))
            continue;
        struct inv_problem *kept = vec_push(&s->problems);
        if (!kept)
            return err_no_memory(e);
        *kept = (struct inv_problem){p->path, p->what, p->detail,
                                     s->layers[layer].record ? (int32_t)layer : -1};
    }
    for (size_t i = 0; i < f->unsupported.n; i++) {
        str *kept = vec_push(&s->unsupported);
        if (!kept)
            return err_no_memory(e);
        *kept = f->unsupported.p[i];
    }
    return 0;
}

static int problem_cmp(const void *x, const void *y)
{
    const struct inv_problem *a = x, *b = y;
    int c = a->layer < b->layer ? -1 : a->layer > b->layer;
    if (c == 0)
        c = str_cmp(a->path, b->path);
    if (c == 0)
        c = str_cmp(a->what, b->what);
    return c ? c : str_cmp(a->detail, b->detail);
}

static int name_cmp(const void *x, const void *y)
{
    return str_cmp(*(const str *)x, *(const str *)y);
}

static int squash_release(struct squash *s, struct err *e)
{
    struct release_info *out = &s->inv->release;
    if (!release_resolve(s->releases.p, s->releases.n, out))
        return 0;
    str *fields[] = {&out->path,        &out->id,         &out->id_like,
                     &out->version_id,  &out->codename,   &out->name,
                     &out->pretty_name, &out->variant_id, &out->build_id};
    for (size_t i = 0; i < KE_ARRAY_LEN(fields); i++)
        *fields[i] = arena_dup(s->a, *fields[i]);
    return s->a->full ? err_no_memory(e) : 0;
}

/* Copies everything into the inventory, since the facts go away. */
static int squash_keep(struct squash *s, struct err *e)
{
    struct inventory *inv = s->inv;
    auto_buf purl;
    buf_init(&purl, 64 << 10);
    inv->packages = arena_calloc(s->a, s->packages.n + 1, sizeof *inv->packages);
    if (!inv->packages)
        return err_no_memory(e);
    for (size_t i = 0; i < s->packages.n; i++) {
        struct inv_package *p = &inv->packages[i];
        *p = s->packages.p[i];
        str *fields[] = {&p->p.name,           &p->p.version, &p->p.arch,   &p->p.source_name,
                         &p->p.source_version, &p->p.group,   &p->p.module, &p->p.licence,
                         &p->p.vendor,         &p->p.path,    &p->p.size};
        for (size_t f = 0; f < KE_ARRAY_LEN(fields); f++)
            *fields[f] = arena_dup(s->a, *fields[f]);
        for (size_t k = 0; k < p->n_evidence; k++)
            ((struct evidence *)(uintptr_t)p->evidence)[k].path =
                arena_dup(s->a, p->evidence[k].path);
        buf_clear(&purl);
        package_purl(&p->p, inv->release.id, inv->release.version_id, &purl);
        p->purl = arena_dup(s->a, buf_view(&purl));
    }
    inv->n_packages = s->packages.n;
    return s->a->full ? err_no_memory(e) : 0;
}

static int squash_keep_rest(struct squash *s, struct err *e)
{
    struct inventory *inv = s->inv;
    if (s->problems.n)
        qsort(s->problems.p, s->problems.n, sizeof *s->problems.p, problem_cmp);
    inv->problems = arena_calloc(s->a, s->problems.n + 1, sizeof *inv->problems);
    str *unsupported = arena_calloc(s->a, s->unsupported.n + 1, sizeof *unsupported);
    if (!inv->problems || !unsupported)
        return err_no_memory(e);
    for (size_t i = 0; i < s->problems.n; i++) {
        struct inv_problem *p = &inv->problems[i];
        *p = s->problems.p[i];
        p->path = arena_dup(s->a, p->path);
        p->what = arena_dup(s->a, p->what);
        p->detail = arena_dup(s->a, p->detail);
    }
    inv->n_problems = s->problems.n;
    if (s->unsupported.n)
        qsort(s->unsupported.p, s->unsupported.n, sizeof *s->unsupported.p, name_cmp);
    for (size_t i = 0; i < s->unsupported.n; i++)
        if (i == 0 || !str_eq(s->unsupported.p[i], s->unsupported.p[i - 1]))
            unsupported[inv->n_unsupported++] = arena_dup(s->a, s->unsupported.p[i]);
    inv->unsupported = unsupported;
    return s->a->full ? err_no_memory(e) : 0;
}

int squash_layers(struct squash_layer *layers, size_t n, const struct alias_list *aliases,
                  struct inventory *inv, struct err *e)
{
    struct squash s = {.layers = layers, .n = n, .inv = inv, .a = &inv->arena};
    int r = 0;
    map_init(&s.hard);
    map_init(&s.links);
    map_init(&s.places);
    map_init(&s.dirs);
    for (size_t i = 0; r == 0 && i < aliases->n; i++)
        if (aliases->p[i].hard && !map_put(&s.hard, aliases->p[i].real, &aliases->p[i]))
            r = err_no_memory(e);
    for (size_t l = 0; r == 0 && l < n; l++) {
        for (size_t i = 0; r == 0 && i < layers[l].facts.files.n; i++)
            r = squash_file(&s, l, &layers[l].facts.files.p[i], e);
        if (r == 0)
            r = squash_layer_rest(&s, l, e);
    }
    for (size_t i = 0; r == 0 && i < inv->n_problems;
         i++) { /* what the analyst said of the image */
        struct inv_problem *p = vec_push(&s.problems);
        if (p)
            *p = inv->problems[i];
        else
            r = err_no_memory(e);
    }
    if (r == 0)
        r = packages_merge(s.packages.p, &s.packages.n, s.a, e);
    if (r == 0)
        r = squash_owners(&s, e);
    if (r == 0)
        r = squash_licences(&s, e);
    if (r == 0)
        r = squash_release(&s, e);
    if (r == 0)
        r = squash_keep(&s, e);
    if (r == 0)
        r = squash_keep_rest(&s, e);
    map_done(&s.hard);
    map_done(&s.links);
    map_done(&s.places);
    map_done(&s.dirs);
    vec_done(&s.packages);
    vec_done(&s.problems);
    vec_done(&s.releases);
    vec_done(&s.unsupported);
    return r;
}

/* ---- links
 * ------------------------------------------------------------------------------------------------------
 */

struct link_ctx {
    const struct squash_layer *layers;
    size_t n;
};

static str link_target(void *ctx, str path)
{
    const struct link_ctx *c = ctx;
    for (size_t l = c->n; l-- > 0;) {
        const struct facts *f = &c->layers[l].facts;
        for (size_t i = f->links.n; i-- > 0;)
            if (!f->links.p[i].hard && str_eq(f->links.p[i].path, path))
                return visible_from(c->layers, c->n, l, path) ? f->links.p[i].target : (str){0};
    }
    return (str){0};
}

struct alias_search {
    const struct squash_layer *layers;
    size_t n;
    struct arena *a;
    struct map read, listed; /* paths of files that were read; real paths of the list */
    VEC(struct alias) soft, hard;
    size_t added;
};

static bool search_add(struct alias_search *s, str real, str as, bool hard)
{
    if (map_get(&s->listed, real) || map_get(&s->read, real))
        return true;
    struct alias *slot = hard ? vec_push(&s->hard) : vec_push(&s->soft);
    if (!slot)
        return false;
    *slot = (struct alias){arena_dup(s->a, real), arena_dup(s->a, as), hard};
    s->added++;
    return !s->a->full && map_put(&s->listed, slot->real, s);
}

static bool search_begin(struct alias_search *s, const struct alias_list *list)
{
    bool ok = true;
    for (size_t l = 0; l < s->n; l++)
        for (size_t i = 0; i < s->layers[l].facts.files.n; i++)
            ok = ok && map_put(&s->read, s->layers[l].facts.files.p[i].path, s);
    for (size_t i = 0; ok && i < list->n; i++) {
        struct alias *slot = list->p[i].hard ? vec_push(&s->hard) : vec_push(&s->soft);
        ok = slot && map_put(&s->listed, list->p[i].real, s);
        if (ok)
            *slot = list->p[i];
    }
    return ok;
}

/* Where the real path is one that cataloguers read anyway there is nothing to do. */
static bool search_symbolic(struct alias_search *s, struct alias_list *list)
{
    struct link_ctx ctx = {s->layers, s->n};
    struct link_view view = {link_target, &ctx};
    bool ok = true;
    list->n_loops = 0;
    for (const str *known = known_paths; ok && known->n; known++) {
        str real;
        int r = link_resolve(&view, *known, s->a, &real, NULL);
        if (r == ERR_FORMAT && list->n_loops < KE_ARRAY_LEN(list->loops))
            list->loops[list->n_loops++] = *known;
        if (r == 1 && !cataloguer_for(real, 1, 0644))
            ok = search_add(s, real, *known, false);
        else
            ok = r != ERR_NO_MEMORY;
    }
    return ok;
}

static bool search_hard(struct alias_search *s)
{
    bool ok = true;
    for (size_t l = 0; l < s->n; l++)
        for (size_t i = 0; ok && i < s->layers[l].facts.links.n; i++) {
            const struct kept_link *k = &s->layers[l].facts.links.p[i];
            if (k->hard && !cataloguer_for(k->target, 1, 0644) &&
                visible_from(s->layers, s->n, l, k->path))
                ok = search_add(s, k->target, k->path, true);
        }
    return ok;
}

int squash_aliases(const struct squash_layer *layers, size_t n, struct arena *a,
                   struct alias_list *list, struct err *e)
{
    struct alias_search s = {.layers = layers, .n = n, .a = a};
    map_init(&s.read);
    map_init(&s.listed);
    bool ok = search_begin(&s, list) && search_symbolic(&s, list) && search_hard(&s);
    struct alias *all = ok && s.added ? arena_calloc(a, s.soft.n + s.hard.n, sizeof *all) : NULL;
    if (all) {
        list->p = all;
        list->n = s.soft.n + s.hard.n;
        for (size_t i = 0; i < list->n; i++)
            all[i] = i < s.soft.n ? s.soft.p[i] : s.hard.p[i - s.soft.n];
    }
    map_done(&s.read);
    map_done(&s.listed);
    vec_done(&s.soft);
    vec_done(&s.hard);
    if (!ok || (s.added && !all))
        return err_no_memory(e);
    return s.added > 0;
}
