/* prints.c - a digest for each name that claims speak of; see diff.h. */
#include "vulndb/diff.h"

#include "base/auto.h"
#include "base/hash.h"
#include "base/vec.h"
#include "vulndb/open.h"
#include "vulndb/ranges.h"

enum { RANGES_KEPT = 1 << 15, SCRATCH_MAX = 1 << 28, SCRATCH_KEEP = 1 << 20 };

uint64_t vulndb_name_key(str ecosystem, str package)
{
    return hash64_seeded(package.p, package.n, hash64(ecosystem.p, ecosystem.n));
}

/* Sums of digests by hash of an id. */
struct sums {
    struct {
        uint64_t id, sum;
    } * slots;
    size_t cap;
};

static bool sums_init(struct sums *s, size_t most)
{
    s->cap = 16;
    while (s->cap < most * 2)
        s->cap *= 2;
    s->slots = calloc(s->cap, sizeof *s->slots);
    return s->slots != NULL;
}

static uint64_t *sums_slot(const struct sums *s, uint64_t id)
{
    size_t at = id & (s->cap - 1);
    id |= !id;
    while (s->slots[at].id && s->slots[at].id != id)
        at = (at + 1) & (s->cap - 1);
    s->slots[at].id = id;
    return &s->slots[at].sum;
}

static const uint64_t *sums_find(const struct sums *s, uint64_t id)
{
    size_t at = id & (s->cap - 1);
    id |= !id;
    while (s->slots[at].id && s->slots[at].id != id)
        at = (at + 1) & (s->cap - 1);
    return s->slots[at].id ? &s->slots[at].sum : NULL;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    a = (a ^ b * 0x9e3779b97f4a7c15u) * 0xff51afd7ed558ccdu;
    return a ^ a >> 32;
}

static uint64_t mix_str(uint64_t a, str s)
{
    return mix(a, hash64(s.p, s.n));
}

struct print_row {
    uint64_t key, digest;
};
struct printing {
    const struct vulndb *db;
    struct sums vulns;   /* id -> what every source says of it */
    struct sums aliases; /* id -> the same of its whole group */
    struct arena scratch;
    uint64_t *rows; /* of the source at hand: digest of each vuln */
    struct {
        uint32_t place; /* + 1 */
        uint64_t digest;
    } * ranges;
    VEC(struct print_row) names;
    bool bad;
};

/* ---- vulnerabilities */

static uint64_t vuln_digest(const struct shard *s, const struct vuln *v)
{
    uint64_t d = hash64(s->source.p, s->source.n);
    d = mix_str(d, v->id);
    d = mix(d, (uint64_t)v->status | (uint64_t)v->severity << 8 | (uint64_t)v->kev_listed << 16);
    d = mix(d, (uint64_t)(v->cvss_score10 + 1));
    d = mix_str(d, v->cvss_vector);
    d = mix_str(d, v->url);
    for (size_t i = 0; i < v->n_aliases; i++)
        d = mix(mix_str(d, v->aliases[i].id), v->aliases[i].kind);
    return d;
}

static bool vuln_at(struct printing *p, const struct shard *s, uint32_t row, struct vuln *v)
{
    if (p->scratch.used > SCRATCH_KEEP)
        arena_done(&p->scratch);
    if (!shard_vuln(s, row, &p->scratch, v))
        p->bad = true;
    return !p->bad;
}

static void sum_vulns(struct printing *p, const struct shard *s)
{
    struct vuln v;
    for (uint32_t i = 0; i < shard_rows(s, SEC_ROWS, VULN_ROW) && vuln_at(p, s, i, &v); i++)
        *sums_slot(&p->vulns, shard_hash(v.id)) += vuln_digest(s, &v);
}

static void sum_groups(struct printing *p, const struct shard *s)
{
    for (uint32_t i = 0; i < shard_rows(s, SEC_ROWS, ALIAS_ROW) && !p->bad; i++) {
        const char *row = s->section[SEC_ROWS].p + (size_t)i * ALIAS_ROW;
        str id = shard_str(s, shard_u32(row + 4), &p->bad), data = s->section[SEC_DATA];
        struct cursor c = cursor_over(data.p, data.n);
        uint64_t sum = 0;
        cursor_skip(&c, shard_u32(row + 8));
        uint64_t n = cursor_varint(&c);
        for (uint64_t k = 0; k < n && cursor_ok(&c) && !p->bad; k++) {
            uint64_t member = shard_hash(shard_str(s, (uint32_t)cursor_varint(&c), &p->bad));
            const uint64_t *known = sums_find(&p->vulns, member);
            sum += mix(member, known ? *known : 0);
        }
        p->bad |= !cursor_ok(&c);
        *sums_slot(&p->aliases, shard_hash(id)) = sum;
    }
}

/* All that the database knows of an id. */
static uint64_t lore_digest(const struct printing *p, str id)
{
    uint64_t hash = shard_hash(id);
    const uint64_t *known = sums_find(&p->aliases, hash);
    if (!known)
        known = sums_find(&p->vulns, hash);
    return known ? *known : 0;
}

/* ---- claims */

static bool print_vulns(struct printing *p, const struct shard *s)
{
    struct vuln v;
    uint32_t n = shard_rows(s, SEC_ROWS, VULN_ROW);
    free(p->rows);
    p->rows = calloc((size_t)n + 1, sizeof *p->rows);
    for (uint32_t i = 0; p->rows && i < n && vuln_at(p, s, i, &v); i++) {
        uint64_t d = mix(vuln_digest(s, &v), lore_digest(p, v.id));
        for (size_t k = 0; k < v.n_aliases; k++)
            d = mix(d, lore_digest(p, v.aliases[k].id));
        p->rows[i] = d;
    }
    return p->rows != NULL;
}

static uint64_t detail_digest(struct printing *p, const struct shard *s, uint32_t row)
{
    static const enum detail_word strings[] = {DETAIL_SEVERITY_RAW, DETAIL_ADVISORY, DETAIL_ARCH,
                                               DETAIL_MODULE, DETAIL_CHANNEL};
    const char *at = shard_row(s, SEC_DETAILS, DETAIL_ROW, row, &p->bad);
    if (!at)
        return 0;
    uint64_t d = shard_u32(at + 4 * DETAIL_BITS);
    for (size_t i = 0; i < KE_ARRAY_LEN(strings); i++)
        d = mix_str(d, shard_str(s, shard_u32(at + 4 * strings[i]), &p->bad));
    return d;
}

static uint64_t read_ranges(struct printing *p, const struct shard *s, uint32_t place)
{
    struct ranges h;
    if (!ranges_open(s, place, &h)) {
        p->bad = true;
        return 0;
    }
    uint64_t d = mix_str(h.n_ranges << 32 ^ h.n_exact, str_z(s->scheme_names[h.scheme]));
    for (uint64_t i = 0; i < h.n_ranges && cursor_ok(&h.at); i++) {
        struct range_bound lo, hi;
        d = mix(d, ranges_take(&h.at, &lo, &hi) & (RANGE_LO_EXCLUDED | RANGE_HI_INCLUDED));
        d = mix_str(d, shard_str(s, lo.ref, &p->bad));
        d = mix_str(d, shard_str(s, hi.ref, &p->bad));
    }
    for (uint64_t i = 0; i < h.n_exact && cursor_ok(&h.at); i++)
        d = mix_str(d, shard_str(s, cursor_u32le(&h.at), &p->bad));
    p->bad |= !cursor_ok(&h.at);
    return d;
}

static uint64_t ranges_digest(struct printing *p, const struct shard *s, uint32_t place)
{
    size_t at = place * 2654435761u >> 17;
    if (p->ranges[at].place != place + 1) {
        p->ranges[at].digest = read_ranges(p, s, place);
        p->ranges[at].place = place + 1;
    }
    return p->ranges[at].digest;
}

static uint64_t claims_digest(struct printing *p, const struct shard *s, uint32_t first, uint32_t n,
                              const uint64_t *details)
{
    uint64_t sum = 0;
    uint32_t n_vulns = shard_rows(s->vulns, SEC_ROWS, VULN_ROW);
    uint32_t n_details = shard_rows(s, SEC_DETAILS, DETAIL_ROW);
    for (uint32_t i = first; i < first + n && !p->bad; i++) {
        const char *row = shard_row(s, SEC_CLAIMS, CLAIM_ROW, i, &p->bad);
        if (!row || shard_u32(row) >= n_vulns || shard_u32(row + 4) >= n_details) {
            p->bad = true;
            return 0;
        }
        uint64_t d = mix(p->rows[shard_u32(row)], details[shard_u32(row + 4)]);
        d = mix(d, ranges_digest(p, s, shard_u32(row + 8)));
        sum += mix_str(d, shard_str(s, shard_u32(row + 12), &p->bad));
    }
    return sum;
}

static int print_claims(struct printing *p, const struct shard *s, struct err *e)
{
    uint32_t n_details = shard_rows(s, SEC_DETAILS, DETAIL_ROW);
    uint64_t *details autofree = calloc((size_t)n_details + 1, sizeof *details);
    if (!details)
        return err_no_memory(e);
    for (uint32_t i = 0; i < n_details; i++)
        details[i] = detail_digest(p, s, i);
    memset(p->ranges, 0, RANGES_KEPT * sizeof *p->ranges);
    str ecosystem = s->platform.n ? STR("") : s->ecosystem;
    for (uint32_t i = 0; i < shard_rows(s, SEC_ROWS, PACKAGE_ROW) && !p->bad; i++) {
        const char *row = s->section[SEC_ROWS].p + (size_t)i * PACKAGE_ROW;
        struct print_row *name = vec_push(&p->names);
        if (!name)
            return err_no_memory(e);
        name->key = vulndb_name_key(ecosystem, shard_str(s, shard_u32(row + 4), &p->bad));
        name->digest = claims_digest(p, s, shard_u32(row + 8), shard_u32(row + 12), details);
    }
    return 0;
}

/* ---- parts */

struct print_shard {
    const struct shard *shard;
    const struct db_source *source;
};

static int by_part(const void *pa, const void *pb)
{
    const struct print_shard *a = pa, *b = pb;
    int d = str_cmp(a->shard->platform, b->shard->platform);
    if (d == 0 && !a->shard->platform.n)
        d = str_cmp(a->shard->ecosystem, b->shard->ecosystem);
    return d;
}

static int by_key(const void *pa, const void *pb)
{
    const struct print_row *a = pa, *b = pb;
    return (a->key > b->key) - (a->key < b->key);
}

static void put_part(struct printing *p, const struct shard *s, struct buf *out)
{
    str ecosystem = s->platform.n ? STR("") : s->ecosystem;
    size_t kept = 0;
    if (p->names.n)
        qsort(p->names.p, p->names.n, sizeof *p->names.p, by_key);
    for (size_t i = 0; i < p->names.n; i++)
        if (kept && p->names.p[kept - 1].key == p->names.p[i].key)
            p->names.p[kept - 1].digest += p->names.p[i].digest;
        else
            p->names.p[kept++] = p->names.p[i];
    buf_add_varint(out, s->platform.n);
    buf_add_str(out, s->platform);
    buf_add_varint(out, ecosystem.n);
    buf_add_str(out, ecosystem);
    buf_add_varint(out, kept);
    for (size_t i = 0; i < kept; i++) {
        buf_add_u64(out, p->names.p[i].key);
        buf_add_u64(out, p->names.p[i].digest);
    }
    p->names.n = 0;
}

/* Digests of the vulns of all sources that have claims, kept while their shards are walked. */
struct source_rows {
    uint64_t *rows;
};

static int print_shards(struct printing *p, struct print_shard *list, size_t n,
                        struct source_rows *sources, struct buf *out, struct err *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++) {
        struct source_rows *known = &sources[list[i].source - p->db->sources];
        if (!list[i].shard->vulns)
            continue;
        if (!known->rows) {
            if (!print_vulns(p, list[i].shard->vulns))
                return err_no_memory(e);
            known->rows = TAKE(p->rows);
        }
        p->rows = known->rows;
        r = print_claims(p, list[i].shard, e);
        p->rows = NULL;
        if (r == 0 && (i + 1 == n || by_part(&list[i], &list[i + 1]) != 0))
            put_part(p, list[i].shard, out);
    }
    if (r == 0 && p->bad)
        r = err_set(e, ERR_FORMAT, "the vulnerability data are damaged: load or sync again");
    return r < 0 ? r : buf_check(out, "prints of a vulnerability database", e);
}

static int print_sources(struct printing *p, struct buf *out, struct err *e)
{
    const struct vulndb *db = p->db;
    size_t n = 0, total = 0;
    for (size_t i = 0; i < db->n_sources; i++)
        total += db->sources[i].n_claims;
    struct print_shard *list autofree = calloc(total + 1, sizeof *list);
    struct source_rows *sources autofree = calloc(db->n_sources + 1, sizeof *sources);
    if (!list || !sources)
        return err_no_memory(e);
    for (size_t i = 0; i < db->n_sources; i++)
        for (size_t k = 0; k < db->sources[i].n_claims; k++)
            list[n++] = (struct print_shard){db->sources[i].claims[k], &db->sources[i]};
    qsort(list, n, sizeof *list, by_part);
    int r = print_shards(p, list, n, sources, out, e);
    for (size_t i = 0; i < db->n_sources; i++)
        free(sources[i].rows);
    return r;
}

static bool is_moving(str source)
{
    return str_eq(source, STR("epss"));
}

static int prepare(struct printing *p, struct err *e)
{
    const struct vulndb *db = p->db;
    size_t vulns = 0;
    for (size_t i = 0; i < db->n_sources; i++)
        if (db->sources[i].vulns)
            vulns += shard_rows(db->sources[i].vulns, SEC_ROWS, VULN_ROW);
    size_t ids = db->aliases ? shard_rows(db->aliases, SEC_ROWS, ALIAS_ROW) : 0;
    p->ranges = calloc(RANGES_KEPT, sizeof *p->ranges);
    if (!p->ranges || !sums_init(&p->vulns, vulns) || !sums_init(&p->aliases, ids))
        return err_no_memory(e);
    for (size_t i = 0; i < db->n_sources; i++)
        if (db->sources[i].vulns && !is_moving(db->sources[i].name))
            sum_vulns(p, db->sources[i].vulns);
    if (db->aliases)
        sum_groups(p, db->aliases);
    return 0;
}

int vulndb_prints(const struct vulndb *db, struct buf *out, struct err *e)
{
    struct printing p = {.db = db};
    buf_add_str(out, STR("KLP1"));
    if (!db)
        return buf_check(out, "prints of a vulnerability database", e);
    arena_init(&p.scratch, SCRATCH_MAX);
    int r = prepare(&p, e);
    if (r == 0)
        r = print_sources(&p, out, e);
    arena_done(&p.scratch);
    vec_done(&p.names);
    free(p.vulns.slots);
    free(p.aliases.slots);
    free(p.ranges);
    free(p.rows);
    return r;
}
