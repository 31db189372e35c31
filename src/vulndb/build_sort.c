/* build_sort.c - puts what the builder gathered into its one order, and joins what is said twice.
 */
#include "vulndb/builder.h"

#include "base/auto.h"

#define DUPLICATE STR("duplicate of a claim already stored")

/* ---- numbers of words to ranks -----------------------------------------------------------------
 */

static void rank_details(struct vulndb_builder *b)
{
    for (uint32_t id = 1; id < b->details.n; id++) {
        uint32_t *w = (uint32_t *)b->details.entries[id].p;
        for (int i = DETAIL_SEVERITY_RAW; i <= DETAIL_SYMBOLS; i++)
            w[i] = b->rank[w[i]];
    }
}

static void rank_range(const struct vulndb_builder *b, uint32_t *w)
{
    uint32_t n_ranges = w[1], n_exact = w[2];
    w[0] = b->rank[w[0]];
    w += RANGE_HEAD;
    for (uint32_t i = 0; i < n_ranges; i++, w += RANGE_WORDS) {
        w[1] = b->rank[w[1]];
        w[2] = b->rank[w[2]];
    }
    for (uint32_t i = 0; i < n_exact; i++)
        w[i] = b->rank[w[i]];
}

static void rank_ranges(struct vulndb_builder *b)
{
    for (uint32_t id = 1; id < b->ranges.n; id++)
        rank_range(b, (uint32_t *)b->ranges.entries[id].p);
}

/* Order of entries by their words; on the heap. */
struct words_item {
    const uint32_t *w;
    uint32_t n, id;
};

static int words_cmp(const void *a, const void *b)
{
    const struct words_item *x = a, *y = b;
    uint32_t n = x->n < y->n ? x->n : y->n;
    for (uint32_t i = 0; i < n; i++)
        if (x->w[i] != y->w[i])
            return x->w[i] < y->w[i] ? -1 : 1;
    return x->n < y->n ? -1 : x->n > y->n;
}

static uint32_t *rank_words(const struct intern *in, uint32_t **by_rank)
{
    struct words_item *items autofree = malloc((size_t)in->n * sizeof *items);
    uint32_t *rank autofree = malloc((size_t)in->n * sizeof *rank);
    uint32_t *back autofree = malloc((size_t)in->n * sizeof *back);
    if (!items || !rank || !back)
        return NULL;
    for (uint32_t i = 0; i < in->n; i++)
        items[i] = (struct words_item){(const uint32_t *)in->entries[i].p, in->entries[i].n / 4, i};
    qsort(items, in->n, sizeof *items, words_cmp);
    for (uint32_t i = 0; i < in->n; i++) {
        rank[items[i].id] = i;
        back[i] = items[i].id;
    }
    *by_rank = TAKE(back);
    return TAKE(rank);
}

/* ---- claims ------------------------------------------------------------------------------------
 */

static int claim_cmp(const void *a, const void *b)
{
    const struct built_claim *x = a, *y = b;
    const uint32_t p[] = {x->part, x->package, x->vuln, x->detail, x->ranges, x->fixed};
    const uint32_t q[] = {y->part, y->package, y->vuln, y->detail, y->ranges, y->fixed};
    for (size_t i = 0; i < KE_ARRAY_LEN(p); i++)
        if (p[i] != q[i])
            return p[i] < q[i] ? -1 : 1;
    return 0;
}

static int sort_parts(struct vulndb_builder *b, uint32_t *order, struct err *e)
{
    /* Few parts: place each by counting those before it. */
    VEC(struct built_part) old = {b->parts.p, b->parts.n, b->parts.cap};
    struct built_part *sorted = calloc(old.n ? old.n : 1, sizeof *sorted);
    if (!sorted)
        return err_no_memory(e);
    for (size_t i = 0; i < old.n; i++) {
        uint32_t at = 0, p = b->rank[old.p[i].platform], q = b->rank[old.p[i].ecosystem];
        for (size_t j = 0; j < old.n; j++) {
            uint32_t p2 = b->rank[old.p[j].platform], q2 = b->rank[old.p[j].ecosystem];
            at += p2 < p || (p2 == p && q2 < q);
        }
        order[i] = at;
        sorted[at] = old.p[i];
    }
    free(old.p);
    b->parts.p = sorted;
    b->parts.cap = b->parts.n;
    return 0;
}

static int sort_claims(struct vulndb_builder *b, struct err *e)
{
    uint32_t *details_back autofree = NULL, *ranges_back autofree = NULL;
    uint32_t *details autofree = rank_words(&b->details, &details_back);
    uint32_t *ranges autofree = rank_words(&b->ranges, &ranges_back);
    uint32_t *order autofree = calloc(b->parts.n + 1, sizeof *order);
    if (!details || !ranges || !order)
        return err_no_memory(e);
    int r = sort_parts(b, order, e);
    if (r < 0)
        return r;
    for (size_t i = 0; i < b->claims.n; i++) {
        struct built_claim *c = &b->claims.p[i];
        *c = (struct built_claim){order[c->part],     b->rank[c->package], b->rank[c->vuln],
                                  details[c->detail], ranges[c->ranges],   b->rank[c->fixed]};
    }
    if (b->claims.n)
        qsort(b->claims.p, b->claims.n, sizeof *b->claims.p, claim_cmp);
    size_t kept = 0;
    for (size_t i = 0; i < b->claims.n; i++)
        if (kept == 0 || claim_cmp(&b->claims.p[kept - 1], &b->claims.p[i]) != 0)
            b->claims.p[kept++] = b->claims.p[i];
    if (kept < b->claims.n)
        builder_drop(b, DUPLICATE, b->claims.n - kept);
    b->claims.n = kept;
    for (size_t i = 0; i < kept; i++) {
        b->claims.p[i].detail = details_back[b->claims.p[i].detail];
        b->claims.p[i].ranges = ranges_back[b->claims.p[i].ranges];
    }
    return 0;
}

/* ---- vulns -------------------------------------------------------------------------------------
 */

static int cmp_i64(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

/* One id said several times: the newest first, then the fuller one, in an order without ties
 * between different contents. */
static int vuln_cmp(const void *a, const void *b, void *ctx)
{
    const struct built_vuln *x = a, *y = b;
    const struct vulndb_builder *builder = ctx;
    const uint32_t *rank = builder->rank;
    if (x->order != y->order)
        return x->order < y->order ? -1 : 1;
    const int64_t p[] = {x->implied,
                         -x->v.modified,
                         -x->v.published,
                         -x->v.withdrawn,
                         x->v.status,
                         -(int64_t)x->v.severity,
                         -x->v.cvss_score10,
                         -x->v.kev_listed,
                         -x->v.kev_added,
                         -x->v.kev_due,
                         -x->v.kev_ransomware,
                         -x->v.epss_score,
                         -x->v.epss_percentile,
                         -(int64_t)rank[x->cvss_vector],
                         -(int64_t)rank[x->summary],
                         -(int64_t)rank[x->url]};
    const int64_t q[] = {y->implied,
                         -y->v.modified,
                         -y->v.published,
                         -y->v.withdrawn,
                         y->v.status,
                         -(int64_t)y->v.severity,
                         -y->v.cvss_score10,
                         -y->v.kev_listed,
                         -y->v.kev_added,
                         -y->v.kev_due,
                         -y->v.kev_ransomware,
                         -y->v.epss_score,
                         -y->v.epss_percentile,
                         -(int64_t)rank[y->cvss_vector],
                         -(int64_t)rank[y->summary],
                         -(int64_t)rank[y->url]};
    for (size_t i = 0; i < KE_ARRAY_LEN(p); i++)
        if (p[i] != q[i])
            return cmp_i64(p[i], q[i]);
    return str_cmp(y->details, x->details);
}

static int alias_cmp(const void *a, const void *b, void *ctx)
{
    const uint32_t *x = a, *y = b, *rank = ctx;
    if (x[0] != y[0])
        return rank[x[0]] < rank[y[0]] ? -1 : 1;
    return x[1] < y[1] ? -1 : x[1] > y[1];
}

/* The aliases of n vulns, each once, in byte order. */
static int join_aliases(struct vulndb_builder *b, size_t first, size_t n, uint32_t *out,
                        struct err *e)
{
    b->words.n = 0;
    for (size_t i = first; i < first + n; i++) {
        str list = intern_get(&b->aliases, b->vulns.p[i].aliases);
        const uint32_t *w = (const uint32_t *)list.p;
        for (size_t k = 0; k < list.n / 4; k++) {
            uint32_t *word = vec_push(&b->words);
            if (!word)
                return err_no_memory(e);
            *word = w[k];
        }
    }
    uint32_t *w = b->words.p;
    size_t pairs = b->words.n / 2, kept = 0;
    if (pairs)
        qsort_r(w, pairs, 8, alias_cmp, b->rank);
    for (size_t i = 0; i < pairs; i++) {
        if (kept && w[2 * kept - 2] == w[2 * i] && w[2 * kept - 1] == w[2 * i + 1])
            continue;
        w[2 * kept] = w[2 * i];
        w[2 * kept + 1] = w[2 * i + 1];
        kept++;
    }
    *out = intern_add(&b->aliases, (str){(const char *)w, kept * 8});
    b->words.n = 0;
    return *out == INTERN_FAILED ? err_no_memory(e) : 0;
}

/* A vuln for each id that only claims name. */
static int imply_vulns(struct vulndb_builder *b, struct err *e)
{
    uint8_t *known autofree = calloc(b->strings.n, 1);
    if (!known)
        return err_no_memory(e);
    for (size_t i = 0; i < b->vulns.n; i++)
        known[b->vulns.p[i].id] = 1;
    for (size_t i = 0; i < b->claims.n; i++) {
        uint32_t id = b->claims.p[i].vuln;
        if (known[id])
            continue;
        known[id] = 1;
        struct built_vuln *v = vec_push(&b->vulns);
        if (!v)
            return err_no_memory(e);
        v->v = vuln_empty();
        v->id = id;
        v->implied = true;
    }
    return 0;
}

static int sort_vulns(struct vulndb_builder *b, struct err *e)
{
    for (size_t i = 0; i < b->vulns.n; i++)
        b->vulns.p[i].order = b->rank[b->vulns.p[i].id];
    qsort_r(b->vulns.p, b->vulns.n, sizeof *b->vulns.p, vuln_cmp, b);
    size_t kept = 0;
    for (size_t i = 0, n; i < b->vulns.n; i += n) {
        n = 1;
        while (i + n < b->vulns.n && b->vulns.p[i + n].id == b->vulns.p[i].id)
            n++;
        int r = join_aliases(b, i, n, &b->vulns.p[i].aliases, e);
        if (r < 0)
            return r;
        b->vulns.p[kept] = b->vulns.p[i];
        b->vuln_rows[b->vulns.p[kept].order] = (uint32_t)kept;
        kept++;
    }
    b->vulns.n = kept;
    return 0;
}

int build_sort(struct vulndb_builder *b, struct err *e)
{
    int r = imply_vulns(b, e);
    if (r < 0)
        return r;
    if (!intern_rank(&b->strings, &b->rank, &b->by_rank))
        return err_no_memory(e);
    b->refs = calloc(b->strings.n, sizeof *b->refs);
    b->vuln_rows = calloc(b->strings.n, sizeof *b->vuln_rows);
    if (!b->refs || !b->vuln_rows)
        return err_no_memory(e);
    r = sort_vulns(b, e);
    if (r < 0)
        return r;
    rank_details(b);
    rank_ranges(b);
    return sort_claims(b, e);
}
