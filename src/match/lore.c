#include "match/lore.h"

#include <stdlib.h>

enum { BOOK_MAX = 512 << 20 };

/* Whose word counts when the claim's own source has no severity. Lower is better. */
static const struct {
    const char *start;
    int rank;
} id_ranks[] = {
    {"GHSA-", 0}, {"GO-", 1}, {"PYSEC-", 1}, {"RUSTSEC-", 1}, {"OSV-", 1}, {"MAL-", 1}, {"BIT-", 1},
};
enum { RANK_NVD = 2, RANK_OTHER = 3 };

void lore_init(struct lore_book *b, const struct vulndb *db)
{
    *b = (struct lore_book){.db = db};
    arena_init(&b->arena, BOOK_MAX);
    map_init(&b->keys);
    map_init(&b->pages);
}

void lore_done(struct lore_book *b)
{
    map_done(&b->keys);
    map_done(&b->pages);
    arena_done(&b->arena);
}

static bool lore_is_cve(str id)
{
    return str_starts(id, STR("CVE-"));
}

enum severity lore_severity(const struct vuln *v)
{
    if (v->severity != SEV_UNKNOWN)
        return v->severity;
    return severity_from_score(v->cvss_score10, !str_starts(v->cvss_vector, STR("CVSS:")));
}

static int by_text(const void *a, const void *b)
{
    return str_cmp(*(const str *)a, *(const str *)b);
}

size_t str_sort_unique(str *items, size_t n)
{
    if (n > 1)
        qsort(items, n, sizeof *items, by_text);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (!kept || !str_eq(items[kept - 1], items[i]))
            items[kept++] = items[i];
    return kept;
}

static int id_rank(str id)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(id_ranks); i++)
        if (str_starts(id, str_z(id_ranks[i].start)))
            return id_ranks[i].rank;
    return RANK_OTHER;
}

static int lore_rank(const struct db_vuln *v)
{
    return str_eq(v->source, STR("nvd")) ? RANK_NVD : id_rank(v->vuln.id);
}

/* What a distribution's advisory is "related" to is what it fixes: ALSA, USN and their like have
 * no better place for several CVEs. In ecosystems the word means no more than it says. */
static bool is_distro_advisory(str id)
{
    return id_rank(id) == RANK_OTHER;
}

static int by_rank(const void *pa, const void *pb)
{
    const struct db_vuln *a = pa, *b = pb;
    int d = lore_rank(a) - lore_rank(b);
    if (d == 0)
        d = (int)b->vuln.severity - (int)a->vuln.severity;
    if (d == 0)
        d = str_cmp(a->source, b->source);
    return d ? d : str_cmp(a->vuln.id, b->vuln.id);
}

/* Remembers that `id` is reported under these. */
static int keys_from(struct lore_book *b, str id, str *cves, size_t n, struct lore_keys *out,
                     struct err *e)
{
    struct lore_keys *keys = arena_new(&b->arena, struct lore_keys);
    str *copy = arena_calloc(&b->arena, n, sizeof *copy);
    str key = arena_dup(&b->arena, id);
    if (!keys || !copy || !key.p)
        return err_no_memory(e);
    for (size_t i = 0; i < n; i++) {
        copy[i] = arena_dup(&b->arena, cves[i]);
        if (!copy[i].p)
            return err_no_memory(e);
    }
    *keys = (struct lore_keys){copy, str_sort_unique(copy, n)};
    *out = *keys;
    return map_put(&b->keys, key, keys) ? 0 : err_no_memory(e);
}

/* No CVE is named by the vulnerability itself: any that others tie to it, else one id for all. */
static int keys_of_group(struct lore_book *b, str id, struct lore_keys *out, struct err *e)
{
    str *ids;
    size_t n, cves = 0;
    int rc = vulndb_aliases(b->db, id, &b->arena, &ids, &n, e);
    if (rc < 0)
        return rc;
    str best = id;
    for (size_t i = 0; i < n; i++) {
        bool better = str_starts(ids[i], STR("GHSA-")) && !str_starts(best, STR("GHSA-"));
        bool same = str_starts(ids[i], STR("GHSA-")) == str_starts(best, STR("GHSA-"));
        if (better || (same && str_cmp(ids[i], best) < 0))
            best = ids[i];
    }
    for (size_t i = 0; i < n; i++)
        if (lore_is_cve(ids[i]))
            ids[cves++] = ids[i];
    if (!cves)
        return keys_from(b, id, &best, 1, out, e);
    return keys_from(b, id, ids, cves, out, e);
}

int lore_keys(struct lore_book *b, const struct vuln *v, struct lore_keys *out, struct err *e)
{
    const struct lore_keys *known = map_get(&b->keys, v->id);
    if (known) {
        *out = *known;
        return 0;
    }
    if (lore_is_cve(v->id)) {
        str id = v->id;
        return keys_from(b, v->id, &id, 1, out, e);
    }
    str *cves = arena_calloc(&b->arena, v->n_aliases + 1, sizeof *cves);
    size_t n = 0;
    if (!cves)
        return err_no_memory(e);
    for (int related = 0; related <= is_distro_advisory(v->id) && !n; related++)
        for (size_t i = 0; i < v->n_aliases; i++)
            if ((v->aliases[i].kind == ALIAS_RELATED) == related && lore_is_cve(v->aliases[i].id))
                cves[n++] = v->aliases[i].id;
    return n ? keys_from(b, v->id, cves, n, out, e) : keys_of_group(b, v->id, out, e);
}

/* All ids of the group but the CVEs. */
static int lore_aliases(struct lore_book *b, struct lore *l, str **ids, size_t *n, struct err *e)
{
    int rc = vulndb_aliases(b->db, l->id, &b->arena, ids, n, e);
    if (rc < 0)
        return rc;
    size_t kept = 0;
    for (size_t i = 0; i < *n; i++)
        if (!lore_is_cve((*ids)[i]) && !str_eq((*ids)[i], l->id))
            (*ids)[kept++] = (*ids)[i];
    *n = str_sort_unique(*ids, kept);
    return 0;
}

/* Does this advisory's own record say that it covers other CVEs but not this one? */
static bool is_about_others(const struct vuln *v, str id)
{
    bool names_cves = false;
    for (size_t i = 0; i < v->n_aliases; i++) {
        if (str_eq(v->aliases[i].id, id))
            return false;
        names_cves |= lore_is_cve(v->aliases[i].id) &&
                      (v->aliases[i].kind != ALIAS_RELATED || is_distro_advisory(v->id));
    }
    return names_cves;
}

static int lore_add(struct lore_book *b, struct lore *l, str id, struct db_vuln **all, size_t *n,
                    bool *about, struct err *e)
{
    struct db_vuln *found;
    size_t n_found;
    int rc = vulndb_vuln(b->db, id, &b->arena, &found, &n_found, e);
    if (rc < 0)
        return rc;
    *about = true;
    for (size_t i = 0; i < n_found; i++)
        if (!str_eq(id, l->id) && lore_is_cve(l->id) && is_about_others(&found[i].vuln, l->id))
            *about = false;
    if (!*about || !n_found)
        return 0;
    struct db_vuln *grown = arena_calloc(&b->arena, *n + n_found, sizeof *grown);
    if (!grown)
        return err_no_memory(e);
    if (*n)
        memcpy(grown, *all, *n * sizeof *grown);
    memcpy(grown + *n, found, n_found * sizeof *grown);
    *all = grown;
    *n += n_found;
    return 0;
}

static void lore_sum_up(struct lore *l)
{
    l->epss_score = -1;
    for (size_t i = 0; i < l->n_vulns; i++) {
        const struct vuln *v = &l->vulns[i].vuln;
        l->kev |= v->kev_listed;
        if (v->epss_score > l->epss_score)
            l->epss_score = v->epss_score;
        if (v->status == VULN_REJECTED && str_eq(v->id, l->id) &&
            str_eq(l->vulns[i].source, STR("nvd")))
            l->rejected_by = l->vulns[i].source;
    }
}

int lore_find(struct lore_book *b, str id, const struct lore **out, struct err *e)
{
    *out = map_get(&b->pages, id);
    if (*out)
        return 0;
    struct lore *l = arena_new(&b->arena, struct lore);
    if (!l)
        return err_no_memory(e);
    l->id = arena_dup(&b->arena, id);
    str *ids = NULL;
    struct db_vuln *all = NULL;
    size_t n_ids = 0, n = 0, kept = 0;
    bool about;
    int rc = lore_aliases(b, l, &ids, &n_ids, e);
    if (rc >= 0)
        rc = lore_add(b, l, l->id, &all, &n, &about, e);
    for (size_t i = 0; rc >= 0 && i < n_ids; i++) {
        rc = lore_add(b, l, ids[i], &all, &n, &about, e);
        if (about)
            ids[kept++] = ids[i];
    }
    if (rc < 0)
        return rc;
    if (n > 1)
        qsort(all, n, sizeof *all, by_rank);
    l->aliases = ids;
    l->n_aliases = kept;
    l->vulns = all;
    l->n_vulns = n;
    lore_sum_up(l);
    *out = l;
    return map_put(&b->pages, l->id, l) ? 0 : err_no_memory(e);
}
