/* build_claims.c - writes the claims of one platform or ecosystem as a shard. */
#include "vulndb/builder.h"

#include "base/auto.h"
#include "base/hash.h"

/* Numbers of details and ranges that are written already: their place + 1. */
struct placed {
    uint32_t *details, *ranges;
};

static str text_of(const struct vulndb_builder *b, uint32_t rank)
{
    return intern_get(&b->strings, b->by_rank[rank]);
}

static uint32_t put_rank(const struct vulndb_builder *b, struct shard_writer *w, uint32_t rank)
{
    return shard_writer_str(w, b->by_rank[rank]);
}

static uint32_t put_detail(const struct vulndb_builder *b, struct shard_writer *w, uint32_t id)
{
    struct buf *out = &w->section[SEC_DETAILS];
    uint32_t place = (uint32_t)(out->n / DETAIL_ROW);
    const uint32_t *words = (const uint32_t *)b->details.entries[id].p;
    for (int i = 0; i < DETAIL_WORDS; i++)
        buf_add_u32(out, i >= DETAIL_SEVERITY_RAW && i <= DETAIL_SYMBOLS ? put_rank(b, w, words[i])
                                                                         : words[i]);
    return place;
}

/* The number of a scheme in this shard, added when new; SHARD_SCHEMES_MAX when there are too many.
 */
static uint32_t put_scheme(struct shard_writer *w, str name)
{
    struct buf *out = &w->section[SEC_SCHEMES];
    uint32_t n = (uint32_t)(out->n / SHARD_SCHEME_NAME);
    for (uint32_t i = 0; i < n; i++)
        if (str_eq(str_z(out->p + (size_t)i * SHARD_SCHEME_NAME), name))
            return i;
    if (n == SHARD_SCHEMES_MAX)
        return n;
    buf_add_str(out, name);
    for (size_t i = name.n; i < SHARD_SCHEME_NAME; i++)
        buf_add_char(out, 0);
    return n;
}

/* The key of a version in scratch, or the empty slice when it has none. */
static str key_of(const struct version_ops *ops, str text, struct buf *scratch)
{
    buf_clear(scratch);
    if (!ops || !ops->key || !text.n || !ops->key(text, scratch) || !buf_ok(scratch))
        return STR("");
    return buf_view(scratch);
}

struct exact_slot {
    uint32_t hash, at;
};

static int exact_cmp(const void *a, const void *b)
{
    const struct exact_slot *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

/* Exact versions: their texts in order, then (hash of the key or else of the text, number) sorted.
 */
static bool put_exact(const struct vulndb_builder *b, struct shard_writer *w,
                      const struct version_ops *ops, const uint32_t *ranks, uint32_t n,
                      struct buf *scratch)
{
    struct buf *out = &w->section[SEC_RANGES];
    struct exact_slot *slots autofree = malloc((n ? n : 1) * sizeof *slots);
    if (!slots)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        str text = text_of(b, ranks[i]);
        str key = key_of(ops, text, scratch);
        if (!key.n)
            key = text;
        slots[i] = (struct exact_slot){(uint32_t)hash64(key.p, key.n), i};
        buf_add_u32(out, put_rank(b, w, ranks[i]));
    }
    qsort(slots, n, sizeof *slots, exact_cmp);
    for (uint32_t i = 0; i < n; i++) {
        buf_add_u32(out, slots[i].hash);
        buf_add_u32(out, slots[i].at);
    }
    return true;
}

static bool is_beginning(str lo)
{
    return lo.n == 0 || str_eq(lo, STR("0"));
}

static void put_bound_key(struct buf *out, str key)
{
    if (!key.n)
        return;
    buf_add_varint(out, key.n);
    buf_add_str(out, key);
}

static bool put_ranges(const struct vulndb_builder *b, struct shard_writer *w, uint32_t id,
                       uint32_t *place)
{
    struct buf *out = &w->section[SEC_RANGES];
    const uint32_t *words = (const uint32_t *)b->ranges.entries[id].p;
    str scheme_name = text_of(b, words[0]);
    uint32_t scheme = put_scheme(w, scheme_name), n_ranges = words[1], n_exact = words[2];
    if (scheme == SHARD_SCHEMES_MAX)
        return false;
    const struct version_ops *ops =
        version_scheme(str_z(w->section[SEC_SCHEMES].p + (size_t)scheme * SHARD_SCHEME_NAME));
    auto_buf lo, hi;
    buf_init(&lo, SIZE_MAX / 2);
    buf_init(&hi, SIZE_MAX / 2);
    *place = (uint32_t)out->n;
    buf_add_char(out, (char)scheme);
    buf_add_varint(out, n_ranges);
    buf_add_varint(out, n_exact);
    words += RANGE_HEAD;
    for (uint32_t i = 0; i < n_ranges; i++, words += RANGE_WORDS) {
        str lo_key = key_of(ops, text_of(b, words[1]), &lo);
        str hi_key = key_of(ops, text_of(b, words[2]), &hi);
        uint32_t flags = words[0] | (lo_key.n ? RANGE_LO_KEY : 0) | (hi_key.n ? RANGE_HI_KEY : 0);
        if (is_beginning(text_of(b, words[1])))
            flags |= RANGE_FROM_START;
        buf_add_char(out, (char)flags);
        buf_add_varint(out, put_rank(b, w, words[1]));
        buf_add_varint(out, put_rank(b, w, words[2]));
        put_bound_key(out, lo_key);
        put_bound_key(out, hi_key);
    }
    return put_exact(b, w, ops, words, n_exact, &lo);
}

static bool put_claim(const struct vulndb_builder *b, struct shard_writer *w,
                      const struct built_claim *c, struct placed *placed)
{
    if (!placed->ranges[c->ranges]) {
        uint32_t place;
        if (!put_ranges(b, w, c->ranges, &place))
            return false;
        placed->ranges[c->ranges] = place + 1;
    }
    if (!placed->details[c->detail])
        placed->details[c->detail] = put_detail(b, w, c->detail) + 1;
    struct buf *out = &w->section[SEC_CLAIMS];
    buf_add_u32(out, b->vuln_rows[c->vuln]);
    buf_add_u32(out, placed->details[c->detail] - 1);
    buf_add_u32(out, placed->ranges[c->ranges] - 1);
    buf_add_u32(out, put_rank(b, w, c->fixed));
    return true;
}

int build_claims(struct vulndb_builder *b, size_t first, size_t n, struct shard_writer *w,
                 struct err *e)
{
    uint32_t *details autofree = calloc(b->details.n, sizeof *details);
    uint32_t *ranges autofree = calloc(b->ranges.n, sizeof *ranges);
    if (!details || !ranges)
        return err_no_memory(e);
    struct placed placed = {details, ranges};
    const struct built_claim *claims = b->claims.p + first;
    const struct built_part *part = &b->parts.p[claims->part];
    w->platform = intern_get(&b->strings, part->platform);
    w->ecosystem = intern_get(&b->strings, part->ecosystem);
    uint32_t packages = 0;
    for (size_t i = 0, k; i < n; i = k) {
        for (k = i; k < n && claims[k].package == claims[i].package; k++)
            if (!put_claim(b, w, &claims[k], &placed))
                return err_set(e, ERR_LIMIT, "more than %d version schemes in one shard",
                               SHARD_SCHEMES_MAX);
        struct buf *rows = &w->section[SEC_ROWS];
        buf_add_u32(rows, 0);
        buf_add_u32(rows, put_rank(b, w, claims[i].package));
        buf_add_u32(rows, (uint32_t)i);
        buf_add_u32(rows, (uint32_t)(k - i));
        packages++;
    }
    shard_writer_hash(w, packages, PACKAGE_ROW);
    return shard_writer_finish(w, e);
}
